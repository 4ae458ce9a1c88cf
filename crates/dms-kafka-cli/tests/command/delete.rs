//! `dms-kafka delete`: output, exit code, and the records that are left.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Value, json};

use crate::support::{
    Run as _, Served, assert_stderr, at, dms_kafka, endpoint_of_nothing, interrupt, listener,
    stderr, stdout,
};

#[test]
fn json_output_reports_each_partition_and_the_records_are_deleted() {
    let served = Served::start();
    let output = served
        .delete("--partition 0:400 --everything 2 --yes --output json")
        .ends_with(0);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(printed["request_id"].is_string());
    assert_eq!(
        printed["partitions"],
        json!([
            {"partition": 0, "offset": 400, "status": "deleted", "result": "success", "error_code": "0",
                "start": null, "end": null, "before": null, "records": null, "start_after": null, "end_after": null},
            {"partition": 2, "offset": null, "everything": true, "status": "deleted", "result": "success", "error_code": "0",
                "start": null, "end": null, "before": null, "records": null, "start_after": null, "end_after": null},
        ])
    );
    let again = served
        .delete("--partition 0:400 --partition 2:0 --yes")
        .ends_with(0);
    let again = stdout(&again);
    let starts: Vec<_> = again
        .lines()
        .skip(1)
        .take(2)
        .map(|line| line.split_whitespace().rev().nth(2).unwrap())
        .collect();
    assert_eq!(starts, ["400", "1,000"], "{again}");
}

#[test]
fn a_wrong_secret_key_reports_its_code_and_deletes_nothing() {
    let served = Served::start();
    let output = served
        .delete("--partition 0:400 --yes --output json")
        .env("HUAWEICLOUD_SDK_SK", "wrong-secret-key")
        .ends_with(3);
    assert_eq!(stdout(&output), "");
    let printed: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(
        (&printed["code"], &printed["outcome"]),
        (&json!("APIGW.0301"), &json!("not_applied"))
    );
    assert!(!stderr(&output).contains("wrong-secret-key"));
    let look = stdout(&served.delete("--partition 0:0 --yes").ends_with(0));
    assert!(look.contains("            0            0  1,000"), "{look}");
}

#[test]
fn a_failed_partition_is_reported_with_exit_code_1() {
    let served = Served::start();
    let output = served
        .delete("--partition 0:400 --partition 1:5000 --partition 7:1 --yes --output json")
        .ends_with(1);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let printed: Vec<_> = printed["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["status"], &row["error_code"]))
        .collect();
    assert_eq!(
        printed,
        [
            (&json!("deleted"), &json!("0")),
            (&json!("failed"), &json!("1")),
            (&json!("failed"), &json!("3"))
        ]
    );
    assert_stderr(&output, "offset out of range");
}

#[test]
fn an_unreachable_service_ends_with_exit_code_3() {
    let delete = "delete --topic orders --partition 0:1 --yes";
    at(&endpoint_of_nothing(), delete).ends_with(3);
}

#[test]
fn a_dry_run_prints_the_request_and_sends_nothing() {
    let delete = "delete --dry-run --topic orders --partition 0:400 --everything 2";
    let output = at("https://192.0.2.1", delete).ends_with(0);
    let expected = "\
POST https://192.0.2.1/v2/p/kafka/instances/i/topics/orders/messages/delete
{\"partitions\":[{\"offset\":400,\"partition\":0},{\"offset\":-1,\"partition\":2}]}
";
    assert_eq!(stdout(&output), expected);
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_reported_as_applied() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output =
        dms_kafka("delete --embedded --topic orders --partition 0:400 --yes --output json")
            .stdout(full)
            .ends_with(5);
    let printed: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(
        (&printed["kind"], &printed["outcome"]),
        (&json!("output"), &json!("applied"))
    );
    let message = printed["message"].as_str().unwrap();
    assert!(
        message.starts_with("all requested records were deleted, but standard output"),
        "{message}"
    );
}

#[test]
fn without_a_terminal_nothing_is_sent_unless_yes_is_given() {
    let (listener, endpoint) = listener();
    listener.set_nonblocking(true).unwrap();
    at(&endpoint, "delete --topic orders --partition 0:1").ends_with(2);
    assert!(listener.accept().is_err(), "a connection was opened");
}

#[test]
fn embedded_ignores_the_environment_and_conflicts_with_service_flags() {
    let embedded = "delete --embedded --topic orders --partition 0:1 --yes";
    dms_kafka(embedded)
        .env("DMS_KAFKA_ENDPOINT", "https://192.0.2.1")
        .env("HUAWEICLOUD_SDK_PROJECT_ID", "p")
        .ends_with(0);
    dms_kafka(embedded).args(["--project-id", "p"]).ends_with(2);
}

/// The service does not respond to the request.
#[test]
#[cfg(unix)]
fn a_second_interrupt_reports_an_unknown_outcome() {
    let (listener, endpoint) = listener();
    let delete = "delete --topic orders --everything 0 --yes --output json";
    let mut process = at(&endpoint, delete).start();
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();
    let mut stderr_lines = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    interrupt(&process);
    while !said.contains("waiting for the response") {
        assert!(stderr_lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    interrupt(&process);
    stderr_lines.read_to_string(&mut said).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("it is unknown"), "{said}");
}
