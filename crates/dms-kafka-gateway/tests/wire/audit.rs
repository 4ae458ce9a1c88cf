//! The audit log: an intent before each deletion, and a result after it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dms_kafka_gateway::Service;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Response, credentials, delete_as, execute, request, serve, sign, url_at};

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

/// Deletes the records of partition 0 before an offset.
async fn delete_before(service: &Service, offset: i64) -> Response {
    let body = format!(r#"{{"partitions":[{{"partition":0,"offset":{offset}}}]}}"#);
    delete_as(service, ["p", "i", "t"], &body, "AK", "sk").await
}

/// The offsets in the intents of an audit log.
fn intents(file: &Path) -> Vec<i64> {
    let lines = lines(file).into_iter();
    let intents = lines.filter(|line| line["event"] == "intent");
    let offset = |line: Value| line["partitions"][0]["offset"].as_i64();
    intents.filter_map(offset).collect()
}

async fn readiness(service: &Service) -> u16 {
    let url = format!("{}/readyz", service.endpoint());
    execute(request(Method::GET, &url, "")).await.status
}

/// A gateway that has written to `audit.jsonl` before offset 1.
async fn audited(folder: &Path) -> (Service, PathBuf) {
    let service = serve(CONFIG, folder).await;
    assert_eq!(delete_before(&service, 1).await.status, 200);
    (service, folder.join("audit.jsonl"))
}

#[cfg(unix)]
#[tokio::test]
async fn an_audit_log_that_is_moved_or_removed_continues_in_a_new_file() {
    type Move = fn(&Path, &Path) -> std::io::Result<()>;
    let rotations: [(&str, Move); 4] = [
        ("renamed", |file, moved| fs::rename(file, moved)),
        ("removed", |file, _| fs::remove_file(file)),
        ("renamed, and created by another program", |file, moved| {
            fs::rename(file, moved)?;
            fs::write(file, "")
        }),
        ("replaced", |file, moved| {
            fs::write(moved, "")?;
            fs::rename(moved, file)
        }),
    ];
    for (rotation, rotate) in rotations {
        let folder = tempfile::tempdir().expect("a folder");
        let (service, file) = audited(folder.path()).await;
        let moved = folder.path().join("moved");
        rotate(&file, &moved).expect(rotation);
        assert_eq!(delete_before(&service, 2).await.status, 200, "{rotation}");
        assert_eq!(intents(&file), [2], "{rotation}");
        if rotation.starts_with("renamed") {
            assert_eq!(intents(&moved), [1], "{rotation}");
        }
        assert_eq!(readiness(&service).await, 200, "{rotation}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn no_line_is_lost_or_torn_while_the_audit_log_is_rotated_under_load() {
    const DELETIONS: usize = 200;
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    let file = folder.path().join("audit.jsonl");
    let mut files = vec![file.clone()];
    let offset = |index: usize| i64::try_from(index % 10).expect("it is small");
    let deletions: Vec<_> = (0..DELETIONS)
        .map(|n| delete_before(&service, offset(n)))
        .collect();
    let mut deletions = stream::iter(deletions).buffer_unordered(8);
    while let Some(response) = deletions.next().await {
        assert_eq!(response.status, 200, "{response:?}");
        let moved = folder.path().join(files.len().to_string());
        if fs::rename(&file, &moved).is_ok() {
            files.push(moved);
        }
        if files.len() % 3 == 0 {
            service.reopen_audit_log().expect("a new file");
        }
    }
    assert!(files.len() > 10, "{}", files.len());
    let lines = files
        .iter()
        .filter(|file| file.exists())
        .map(|file| lines(file).len());
    assert_eq!(lines.sum::<usize>(), 2 * DELETIONS);
}

#[cfg(unix)]
#[tokio::test]
async fn reopening_creates_the_audit_log_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, file) = audited(folder.path()).await;
    fs::rename(&file, folder.path().join("moved")).expect("a rotated file");
    service.reopen_audit_log().expect("a new file");
    assert_eq!(intents(&file), [0; 0]);
    fs::remove_file(&file).expect("it exists");
    fs::create_dir(&file).expect("a folder");
    let refused = service.reopen_audit_log().expect_err("a folder");
    assert!(refused.to_string().contains("audit.jsonl"), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_deleted_and_the_gateway_is_not_ready_while_the_audit_log_has_no_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder");
    let (service, file) = audited(&logs).await;
    fs::rename(&logs, folder.path().join("moved")).expect("a moved folder");
    let refused = delete_before(&service, 2).await;
    refused.assert_refused(503, "DMS.111501025");
    assert_eq!(readiness(&service).await, 503);
    assert_eq!(start_offset(&service).await, 1);

    fs::create_dir(&logs).expect("a folder");
    // Without a deletion, because a gateway that is not ready gets none.
    assert_eq!(readiness(&service).await, 200);
    let events: Vec<_> = lines(&file)
        .iter()
        .map(|line| line["event"].clone())
        .collect();
    assert_eq!(events, ["recovered"]);
    assert_eq!(delete_before(&service, 3).await.status, 200);
    assert_eq!(intents(&file), [3]);
}

#[tokio::test]
async fn a_line_that_a_crash_cut_off_does_not_spoil_the_next_one() {
    for (before, lines) in [
        ("", 0),
        ("{\"event\":\"intent\"}\n", 1),
        ("{\"event\":\"int", 1),
        ("{\"event\":\"intent\"}\n{", 2),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.jsonl");
        fs::write(&file, before).expect("a file");
        audited(folder.path()).await;
        let text = fs::read_to_string(&file).expect("an audit log");
        let added: Vec<&str> = text.lines().skip(lines).collect();
        assert_eq!(added.len(), 2, "{text}");
        for line in added {
            serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{text}"));
        }
    }
}

/// A device cannot be synced, so a deletion is refused if its line must be on the disk.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_configured_lines_are_synced_before_a_deletion() {
    let folder = tempfile::tempdir().expect("a folder");
    // With holds, -1 is replaced by an offset before the line is written.
    let holds = "holds.max_records_per_request = 100";
    for (sync, more, before, everything) in [
        ("never", "", 200, 200),
        ("everything", "", 200, 503),
        ("everything", holds, 200, 503),
        ("always", "", 503, 503),
    ] {
        let file = CONFIG.replace("$FOLDER/audit.jsonl", "/dev/null");
        let config = format!("audit.sync = '{sync}'\n{more}\n{file}");
        let service = serve(&config, folder.path()).await;
        for (offset, status) in [(1, before), (-1, everything)] {
            let response = delete_before(&service, offset).await;
            assert_eq!(response.status, status, "{sync} {offset}: {response:?}");
        }
        let config = format!("audit.sync = '{sync}'\n{CONFIG}");
        let service = serve(&config, folder.path()).await;
        for offset in [1, -1] {
            assert_eq!(delete_before(&service, offset).await.status, 200, "{sync}");
        }
    }
    let offsets = intents(&folder.path().join("audit.jsonl"));
    assert_eq!(offsets, [1, -1, 1, -1, 1, -1, 1, -1]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_a_new_audit_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let (_service, file) = audited(folder.path()).await;
    let mode = |file: &Path| file.metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    // The mode of an existing file is the operator's decision.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
    serve(CONFIG, folder.path()).await;
    assert_eq!(mode(&file), 0o640);
}

async fn start_offset(service: &Service) -> i64 {
    let url = url_at(service.endpoint(), ["p", "i", "t"], "partitions");
    let listing = sign(request(Method::GET, &url, ""), &credentials("AK", "sk"));
    let listed = execute(listing).await;
    let offset = listed.body["partitions"][0]["start_offset"].as_i64();
    offset.unwrap_or_else(|| panic!("{listed:?}"))
}

/// The full device fails every write, as a full disk does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_deleted_when_the_audit_log_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = CONFIG.replace("$FOLDER/audit.jsonl", "/dev/full");
    let service = serve(&config, folder.path()).await;
    assert_eq!(readiness(&service).await, 200);
    let response = delete_before(&service, 4).await;
    response.assert_refused(503, "DMS.111501025");
    assert!(response.header("retry-after").is_some(), "{response:?}");
    assert_eq!(start_offset(&service).await, 0);
    assert_eq!(readiness(&service).await, 503);
}
