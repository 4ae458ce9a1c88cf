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
    assert!(cases.iter().any(
        |case| case["name"] == "signature-age/901-seconds-ago/deletion"
            && case["verdict"] == "pass"
    ));
    assert!(cases.iter().any(
        |case| case["name"] == "delete-everything/beside-another-partition"
            && case["verdict"] == "not_testable"
    ));
    let junit = fs::read_to_string(junit).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), cases.len());
    assert!(junit.contains("<skipped"), "{junit}");
}

/// The rules of HAR 1.2 for what the kit writes.
fn har_schema() -> serde_json::Value {
    use serde_json::json;
    let text = json!({"type": "string"});
    let size = json!({"type": "integer", "minimum": -1});
    let time = json!({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$"});
    let duration = json!({"type": "number", "minimum": 0});
    let list = |items: &serde_json::Value| json!({"type": "array", "items": items});
    let object = |required: serde_json::Value, optional: serde_json::Value| {
        let names: Vec<_> = required.as_object().unwrap().keys().cloned().collect();
        let mut all = required;
        all.as_object_mut()
            .unwrap()
            .extend(optional.as_object().unwrap().clone());
        json!({"type": "object", "required": names, "properties": all, "additionalProperties": false})
    };
    let none = json!({});
    let pair = object(json!({"name": text, "value": text}), none.clone());
    let post_data = object(
        json!({"mimeType": text, "text": text}),
        json!({"comment": text}),
    );
    let content = object(
        json!({"size": size, "mimeType": text, "text": text}),
        json!({"comment": text}),
    );
    let message = json!({"httpVersion": text, "cookies": {"maxItems": 0}, "headers": list(&pair), "headersSize": size, "bodySize": size});
    let with = |more: serde_json::Value| {
        let mut all = message.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let request = object(
        with(
            json!({"method": text, "url": {"format": "uri", "type": "string"}, "queryString": list(&pair)}),
        ),
        json!({"postData": post_data}),
    );
    let response = object(
        with(
            json!({"status": {"type": "integer"}, "statusText": text, "content": content, "redirectURL": text}),
        ),
        none.clone(),
    );
    let timings = object(
        json!({"send": duration, "wait": duration, "receive": duration}),
        none.clone(),
    );
    let entry = object(
        json!({"pageref": text, "startedDateTime": time, "time": duration, "request": request, "response": response, "cache": {"maxProperties": 0}, "timings": timings}),
        none.clone(),
    );
    let page = object(
        json!({"startedDateTime": time, "id": text, "title": text, "pageTimings": {"type": "object"}}),
        json!({"comment": text}),
    );
    let creator = object(json!({"name": text, "version": text}), none.clone());
    let log = object(
        json!({"version": {"const": "1.2"}, "creator": creator, "pages": list(&page), "entries": list(&entry)}),
        none,
    );
    object(json!({"log": log}), json!({}))
}

fn read_har(file: &std::path::Path) -> serde_json::Value {
    let har = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&har_schema()).unwrap();
    let faults: Vec<_> = validator
        .iter_errors(&har)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(faults, Vec::<String>::new(), "{har:#}");
    let text = har.to_string();
    assert!(
        !text.contains("Signature=") && !text.contains(SECRET),
        "{text}"
    );
    har
}

/// A topic that is compacted only: nothing can be deleted from it.
#[tokio::test]
async fn each_failure_is_in_every_report_with_its_requests() {
    let gateway = Gateway::memory()
        .project_id("p")
        .instance("i")
        .access_key("CONFORMANCEACCESSKEY", SECRET)
        .compacted_topic("orders", 2, 100);
    let gateway = gateway.start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [junit, json, har] =
        ["junit.xml", "verdicts.json", "requests.har"].map(|name| folder.path().join(name));
    let [junit_flag, json_flag, har_flag] = [("junit", &junit), ("json", &json), ("har", &har)]
        .map(|(name, file)| format!("--{name}={}", file.display()));
    let arguments = [
        &[
            "--endpoint",
            gateway.endpoint(),
            "--destructive",
            "--seed",
            "1",
        ],
        &TARGET[..],
    ]
    .concat();
    let mut command = program(&arguments);
    command.args([junit_flag, json_flag, har_flag]);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));

    let verdicts: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let cases = verdicts["cases"].as_array().unwrap().iter();
    let failed: Vec<_> = cases.filter(|case| case["verdict"] == "fail").collect();
    assert!(
        failed.iter().any(|case| case["name"] == "model"),
        "{failed:#?}"
    );
    let junit = fs::read_to_string(junit).unwrap();
    assert_eq!(junit.matches("<failure ").count(), failed.len());
    assert!(!junit.contains(SECRET), "{junit}");

    let har = read_har(&har);
    let pages = har["log"]["pages"].as_array().unwrap().iter();
    let names = |ids: Vec<&serde_json::Value>| {
        ids.iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(pages.map(|page| &page["id"]).collect()),
        names(failed.iter().map(|case| &case["name"]).collect())
    );
    let entries = har["log"]["entries"].as_array().unwrap();
    for page in har["log"]["pages"].as_array().unwrap() {
        let of_page = |entry: &&serde_json::Value| entry["pageref"] == page["id"];
        assert!(
            entries
                .iter()
                .any(|entry| of_page(&entry) && entry["request"]["method"] == "POST"),
            "{page}"
        );
    }
    let authorization = |header: &serde_json::Value| {
        header["name"] == "authorization" && header["value"] == "<redacted>"
    };
    let headers = entries
        .iter()
        .flat_map(|entry| entry["request"]["headers"].as_array().unwrap());
    assert!(headers.clone().any(authorization));
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
    let entry =
        "[[deviation]]\nimplementation = \"it\"\ncases = [\"signature-age\"]\nreason = \"clock\"\n";
    fs::write(&file, entry).unwrap();
    let file = file.display().to_string();
    let output = judge_gateway(
        SECRET,
        &["--implementation", "it", "--known-deviations", &file],
    )
    .await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(
        said.contains("FAIL          signature-age/901-seconds-ago"),
        "{said}"
    );
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
    let server = head.replace("case", "rule") + "step = []\n";
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
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
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
