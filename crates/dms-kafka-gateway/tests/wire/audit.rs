//! The audit log: an intent before each deletion, and a result after it.

use std::{fs, path::Path};

use crate::support::{credentials, delete_as, execute, request, serve, sign, url_at};
use serde_json::{Value, json};

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    audit.file = "$FOLDER/audit.jsonl"
    access_key = [{ access_key = "AK", secret_key = { env = "SK" } }]
    instance = [
        { id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 2, records = 10 }] },
    ]
"#;

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("an audit log");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Removes a field whose value differs from run to run.
fn take(line: &mut Value, name: &str) -> String {
    let taken = line
        .as_object_mut()
        .and_then(|line| line.remove(name))
        .unwrap_or_default();
    let taken = taken.as_str().map(str::to_owned);
    taken.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[tokio::test]
async fn a_deletion_leaves_an_intent_and_a_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    let body = r#"{"partitions":[{"partition":1,"offset":4},{"partition":0,"offset":-1},{"partition":7,"offset":1}]}"#;
    let response = delete_as(&service, ["p", "i", "t"], body, "AK", "sk").await;
    assert_eq!(response.status, 200);

    let mut lines = lines(&folder.path().join("audit.jsonl"));
    for line in &mut lines {
        assert!(take(line, "time").parse::<jiff::Timestamp>().is_ok());
        assert!(take(line, "client").starts_with("127.0.0.1:"));
        let id = take(line, "request_id");
        assert_eq!(Some(&*id), response.header("x-request-id"));
    }
    let intent = json!({
        "event": "intent", "caller": "AK", "project_id": "p", "instance_id": "i", "topic": "t",
        "partitions": [
            {"partition": 1, "offset": 4},
            {"partition": 0, "offset": -1},
            {"partition": 7, "offset": 1},
        ],
    });
    let result = json!({
        "event": "result", "caller": "AK", "project_id": "p", "instance_id": "i", "topic": "t",
        "partitions": [
            {"partition": 1, "offset": 4, "low_watermark": 4, "error_code": 0},
            {"partition": 0, "offset": -1, "low_watermark": 10, "error_code": 0},
            {"partition": 7, "offset": 1, "low_watermark": null, "error_code": 3},
        ],
    });
    assert_eq!(lines, [intent, result]);
}

#[tokio::test]
async fn an_unknown_topic_has_a_result_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    let body = r#"{"partitions":[{"partition":0,"offset":4}]}"#;
    let response = delete_as(&service, ["p", "i", "other"], body, "AK", "sk").await;
    response.assert_refused(400, "DMS.00400062");
    let lines = lines(&folder.path().join("audit.jsonl"));
    let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["intent", "result"]);
    assert_eq!(lines[1]["error"], "the topic does not exist");
}

#[tokio::test]
async fn refused_requests_are_not_in_the_audit_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    for (body, key) in [
        ("{}", "sk"),
        (r#"{"partitions":[{"partition":0,"offset":4}]}"#, "wrong"),
    ] {
        let response = delete_as(&service, ["p", "i", "t"], body, "AK", key).await;
        assert!(response.status >= 400, "{response:?}");
    }
    assert_eq!(lines(&folder.path().join("audit.jsonl")), [Value::Null; 0]);
}

/// The full device fails every write, as a full disk does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_deleted_when_the_audit_log_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = CONFIG.replace("$FOLDER/audit.jsonl", "/dev/full");
    let service = serve(&config, folder.path()).await;
    let body = r#"{"partitions":[{"partition":0,"offset":4}]}"#;
    let response = delete_as(&service, ["p", "i", "t"], body, "AK", "sk").await;
    response.assert_refused(503, "DMS.111501025");
    assert!(response.header("retry-after").is_some(), "{response:?}");
    let url = url_at(service.endpoint(), ["p", "i", "t"], "partitions");
    let listing = request(reqwest::Method::GET, &url, "");
    let listed = execute(sign(listing, &credentials("AK", "sk"))).await;
    assert_eq!(listed.body["partitions"][0]["start_offset"], 0);
}
