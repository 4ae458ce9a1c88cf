//! `dms-kafka delete` from outside: output, exit code, and what the gateway holds afterwards.

use crate::support::{Served, command, interrupt, stderr, stdout};
use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Value, json};

#[test]
fn embedded_shows_each_partition_before_and_after() {
    let output = command()
        .args([
            "delete",
            "--embedded",
            "--topic",
            "orders",
            "--partition",
            "0:400",
            "--everything",
            "2",
            "--yes",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = "\
PARTITION  DELETE      STATUS   ERROR CODE  START BEFORE  START AFTER   END
        0  before 400  deleted           0             0          400  1000
        2  everything  deleted           0             0         1000  1000
";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn json_has_the_documented_form_and_the_records_are_gone() {
    let served = Served::start();
    let arguments = [
        "--partition",
        "0:400",
        "--everything",
        "2",
        "--yes",
        "--output",
        "json",
    ];
    let output = served.delete(served.text("secret_key"), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(printed["request_id"].is_string());
    assert_eq!(
        printed["partitions"],
        json!([
            {"partition": 0, "offset": 400, "status": "deleted", "result": "success", "error_code": "0"},
            {"partition": 2, "offset": null, "everything": true, "status": "deleted", "result": "success", "error_code": "0"},
        ])
    );
    let again = stdout(&served.delete(
        served.text("secret_key"),
        &["--partition", "0:400", "--partition", "2:0", "--yes"],
    ));
    let starts: Vec<_> = again
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().rev().nth(2).unwrap())
        .collect();
    assert_eq!(starts, ["400", "1000"], "{again}");
}

#[test]
fn a_wrong_secret_key_is_told_by_code_and_deletes_nothing() {
    let served = Served::start();
    let output = served.delete(
        "wrong-secret-key",
        &["--partition", "0:400", "--yes", "--output", "json"],
    );
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output), "");
    let told: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("APIGW.0301"), &json!("not_applied"))
    );
    assert!(!stderr(&output).contains("wrong-secret-key"));
    let look = stdout(&served.delete(served.text("secret_key"), &["--partition", "0:0", "--yes"]));
    assert!(look.contains("            0            0  1000"), "{look}");
}

#[test]
fn a_failed_partition_is_shown_and_ends_with_1() {
    let served = Served::start();
    let arguments = [
        "--partition",
        "0:400",
        "--partition",
        "1:5000",
        "--partition",
        "7:1",
        "--yes",
        "--output",
        "json",
    ];
    let output = served.delete(served.text("secret_key"), &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let told: Vec<_> = printed["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["status"], &row["error_code"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("deleted"), &json!("0")),
            (&json!("failed"), &json!("1")),
            (&json!("failed"), &json!("3"))
        ]
    );
    assert!(
        stderr(&output).contains("offset out of range"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_unreachable_service_ends_with_3() {
    // A port that was free a moment ago; nothing listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let output = command()
        .args([
            "delete",
            "--endpoint",
            &format!("http://127.0.0.1:{port}"),
            "--project-id",
            "p",
        ])
        .args([
            "--instance-id",
            "i",
            "--topic",
            "orders",
            "--partition",
            "0:1",
            "--yes",
        ])
        .envs([
            ("HUAWEICLOUD_SDK_AK", "key"),
            ("HUAWEICLOUD_SDK_SK", "secret"),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn a_dry_run_prints_the_request_and_sends_nothing() {
    let output = command()
        .args([
            "delete",
            "--dry-run",
            "--endpoint",
            "https://192.0.2.1",
            "--project-id",
            "p",
            "--instance-id",
            "i",
        ])
        .args([
            "--topic",
            "orders",
            "--partition",
            "0:400",
            "--everything",
            "2",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = "\
POST https://192.0.2.1/v2/p/kafka/instances/i/topics/orders/messages/delete
{\"partitions\":[{\"offset\":400,\"partition\":0},{\"offset\":-1,\"partition\":2}]}
";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn serve_makes_up_no_key_for_other_machines() {
    let output = command()
        .args(["serve", "--listen", "0.0.0.0:0", "--topic", "orders:1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("DMS_KAFKA_SERVE_SECRET_KEY"),
        "{}",
        stderr(&output)
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_not_called_undone() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command()
        .args(["delete", "--embedded", "--topic", "orders"])
        .args(["--partition", "0:400", "--yes", "--output", "json"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(
        (&told["kind"], &told["outcome"]),
        (&json!("output"), &json!("applied"))
    );
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with("all named records were deleted, but standard output"),
        "{message}"
    );
}

#[test]
fn without_a_terminal_nothing_is_sent_unless_yes_is_given() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let output = command()
        .args(["delete", "--endpoint", &endpoint, "--project-id", "p"])
        .args([
            "--instance-id",
            "i",
            "--topic",
            "orders",
            "--partition",
            "0:1",
        ])
        .envs([
            ("HUAWEICLOUD_SDK_AK", "key"),
            ("HUAWEICLOUD_SDK_SK", "secret"),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(listener.accept().is_err(), "a connection was opened");
}

#[test]
fn embedded_is_not_disturbed_by_the_environment_nor_mixed_with_a_service() {
    let embedded = [
        "delete",
        "--embedded",
        "--topic",
        "orders",
        "--partition",
        "0:1",
        "--yes",
    ];
    let output = command()
        .args(embedded)
        .env("DMS_KAFKA_ENDPOINT", "https://192.0.2.1")
        .env("HUAWEICLOUD_SDK_PROJECT_ID", "p")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = command()
        .args(embedded)
        .args(["--project-id", "p"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// The service takes the request and never answers.
#[test]
#[cfg(unix)]
fn an_interrupt_says_that_the_outcome_is_unknown() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut process = command()
        .args([
            "delete",
            "--endpoint",
            &endpoint,
            "--project-id",
            "p",
            "--instance-id",
            "i",
        ])
        .args([
            "--topic",
            "orders",
            "--everything",
            "0",
            "--yes",
            "--output",
            "json",
        ])
        .envs([
            ("HUAWEICLOUD_SDK_AK", "key"),
            ("HUAWEICLOUD_SDK_SK", "secret"),
        ])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut connection, _) = listener.accept().unwrap();
    let mut begun = [0];
    std::io::Read::read_exact(&mut connection, &mut begun).unwrap();
    let mut stderr_lines = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    interrupt(&process);
    while !said.contains("waiting for the answer") {
        assert!(stderr_lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    interrupt(&process);
    stderr_lines.read_to_string(&mut said).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("it is not known"), "{said}");
}
