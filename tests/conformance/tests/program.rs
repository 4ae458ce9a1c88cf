//! The program: arguments, files, signals and exit codes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use dms_kafka_gateway::Gateway;
use tempfile::TempDir;

const SECRET: &str = "conformance-secret-key-of-no-one";

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dms-kafka-conformance"));
    command.args(arguments);
    command.env("HUAWEICLOUD_SDK_AK", "CONFORMANCEACCESSKEY");
    command.env("HUAWEICLOUD_SDK_SK", SECRET);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The arguments that `--endpoint` needs.
const TARGET: [&str; 6] = [
    "--project-id",
    "p",
    "--instance-id",
    "i",
    "--topic",
    "orders",
];

/// A folder without cases.
fn no_cases() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for suite in ["client", "server"] {
        fs::create_dir(folder.path().join(suite)).unwrap();
    }
    folder
}

/// Judges a gateway in memory whose project and instance are `p` and `i`.
async fn judge_gateway(secret: &str, more: &[&str]) -> Output {
    let gateway = Gateway::memory()
        .project_id("p")
        .instance("i")
        .access_key("CONFORMANCEACCESSKEY", secret)
        .topic("orders", 2, 100);
    let gateway = gateway.start().await.unwrap();
    let arguments = [&["--endpoint", gateway.endpoint()], &TARGET[..], more].concat();
    let mut command = tokio::process::Command::from(program(&arguments));
    command.output().await.unwrap()
}

#[test]
fn coverage_lists_every_row() {
    let output = program(&["--coverage"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let table = text(&output.stdout);
    for row in [
        "Calling Method",
        "Table 1, project_id",
        "Table 5, error_code",
        "Status 200",
    ] {
        assert!(table.contains(row), "{table}");
    }
}

#[test]
fn an_empty_row_fails() {
    let folder = no_cases();
    let cases = folder.path().display().to_string();
    let output = program(&["--coverage", "--cases", &cases])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("Table 3, offset"));
}

#[tokio::test]
async fn verdicts_are_written_as_junit_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let [junit, json] = ["junit.xml", "verdicts.json"].map(|name| folder.path().join(name));
    let files = [junit.to_str().unwrap(), json.to_str().unwrap()];
    let output = judge_gateway(SECRET, &["--junit", files[0], "--json", files[1]]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let verdicts: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let cases = verdicts["cases"].as_array().unwrap();
    assert_eq!(verdicts["totals"]["fail"], 0);
    assert!(
        cases
            .iter()
            .any(|case| case["name"] == "signature-stale" && case["verdict"] == "pass")
    );
    assert!(
        cases
            .iter()
            .any(|case| case["name"] == "delete-everything" && case["verdict"] == "not_testable")
    );
    let junit = fs::read_to_string(junit).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), cases.len());
    assert!(junit.contains("<skipped"), "{junit}");
}

#[tokio::test]
async fn a_refused_key_ends_the_run() {
    let output = judge_gateway("another-secret-key", &[]).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("refuses the key") && !said.contains(SECRET),
        "{said}"
    );
}

#[tokio::test]
async fn an_unexpected_pass_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known.toml");
    let entry = "[[deviation]]\nimplementation = \"it\"\ncases = [\"signature-stale\"]\nreason = \"clock\"\n";
    fs::write(&file, entry).unwrap();
    let file = file.display().to_string();
    let output = judge_gateway(
        SECRET,
        &["--implementation", "it", "--known-deviations", &file],
    )
    .await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("FAIL          signature-stale"), "{said}");
}

#[tokio::test]
async fn a_run_without_cases_is_an_error() {
    let output = judge_gateway(SECRET, &["--case", "offset-zero"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("no server case \"offset-zero\""));

    let folder = no_cases();
    let output = judge_gateway(SECRET, &["--cases", folder.path().to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
}

#[test]
fn a_case_without_steps_or_clients_is_refused() {
    let head = "[[case]]\nname = \"idle\"\ntitle = \"t\"\nproves = [\"URI\"]\n";
    let server = format!("{head}step = []\n");
    let client = format!(
        "{head}clients = []\ngiven = {{ partitions = [] }}\nexpect = {{ outcome = \"not_applied\" }}\n"
    );
    for (suite, case) in [("client", client), ("server", server)] {
        let folder = no_cases();
        fs::write(folder.path().join(suite).join("idle.toml"), case).unwrap();
        let output = program(&["--cases", folder.path().to_str().unwrap()])
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("idle.toml") && said.contains("must not be empty"),
            "{said}"
        );
    }
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none/verdicts.json");
    let file = file.to_str().unwrap();
    for option in ["--json", "--junit"] {
        let output = program(&["--case", "offset-zero", option, file])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(file),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn an_endpoint_with_a_password_is_refused_and_not_shown() {
    for endpoint in [
        "http://me:open-sesame@127.0.0.1:9",
        "http://127.0.0.1:9/?key=open-sesame",
        "http://127.0.0.1:9/#open-sesame",
    ] {
        let output = program(&[&["--endpoint", endpoint], &TARGET[..]].concat())
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(said.contains("scheme, host and port"), "{said}");
        assert!(!said.contains("open-sesame"), "{said}");
    }
}

#[test]
fn each_request_of_a_client_gets_a_verdict() {
    let (child, address) = listen(&["--requests", "2"]);
    let path = "/v2/p/kafka/instances/i/topics/orders/messages/delete";
    let body = r#"{"partitions":[{"partition":"0"}]}"#;
    let length = body.len();
    let response = exchange(
        &address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    );
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    exchange(&address, "HELLO\r\n\r\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output.stdout);
    for said in [
        "no Authorization header",
        "\"0\" is not of type \"integer\"",
        "content-type is \"\" instead of application/json",
        "not HTTP/1.1",
        "0 passed, 2 failed",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
}

#[test]
fn a_secret_that_a_client_sends_is_not_reported() {
    let (child, address) = listen(&["--requests", "1"]);
    let body = format!(r#"{{"partitions":"{SECRET}"}}"#);
    let length = body.len();
    exchange(
        &address,
        &format!(
            "POST /v2/{SECRET}/kafka/instances/i/topics/t/messages/delete HTTP/1.1\r\nHost: {address}\r\n\
             X-Project-Id: {SECRET}s\r\nContent-Type: {SECRET}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    );
    let output = child.wait_with_output().unwrap();
    let report = text(&output.stdout);
    assert!(report.contains("the secret key was sent"), "{report}");
    assert!(!report.contains(SECRET), "{report}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_listening_and_prints_the_report() {
    let (child, address) = listen(&[]);
    let response = exchange(
        &address,
        &format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    );
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
    let process = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &process])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("the contract has no operation GET /"));
}

fn listen(more: &[&str]) -> (Child, String) {
    let arguments = [&["--listen", "127.0.0.1:0"], more].concat();
    let mut command = program(&arguments);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().rsplit('/').next().unwrap().to_owned();
    // Stderr must be read, or the program would block on it.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    (child, address)
}

fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}
