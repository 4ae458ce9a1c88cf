//! `dms-kafka purge`: output, failures file and dry run.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Folder, Reply, Run as _, Scripted, Served, assert_counts, assert_stderr, at, dms_kafka,
    json_lines, listener, next_is_deletion, respond_to_deletion_only, rows, stderr, stdout,
};

#[test]
fn a_file_of_kafka_delete_records_is_purged() {
    let served = Served::with_topics(&["orders:3:1000", "bills:2:500"]);
    let folder = Folder::new(
        r#"{"partitions":[{"topic":"orders","partition":0,"offset":400},
            {"topic":"bills","partition":1,"offset":10},{"topic":"orders","partition":2,"offset":7}],"version":1}"#,
    );
    let output = served.purge(&folder.offsets, "--yes").ends_with(0);
    let expected = "\
ROWS  DELETED  FAILED  REQUEST FAILED  UNKNOWN  NOT SENT
   3        3       0               0        0         0
";
    assert_eq!(stdout(&output), expected);
    assert_stderr(
        &output,
        "orders          0  before 400      0  1,000                400",
    );
    assert_eq!(served.starts("orders", 3), [400, 0, 7]);
    assert_eq!(served.starts("bills", 2), [0, 10]);
}

#[test]
fn each_row_has_a_line_and_the_failures_file_is_an_offsets_file() {
    let served = Served::with_topics(&["orders:4:1000"]);
    let folder = Folder::new(&rows(&[
        ("orders", 0, 400),
        ("orders", 1, 5000),
        ("nowhere", 0, 1),
        ("orders", 2, -1),
        ("orders", 7, 1),
    ]));
    let left = folder.path("left");
    let arguments = format!("--yes --allow-everything --output ndjson --failures-file {left}");
    let output = served.purge(&folder.offsets, &arguments).ends_with(3);
    let mut lines = json_lines(&stdout(&output));
    lines.sort_by_key(|line| (line["topic"].to_string(), line["partition"].as_i64()));
    for line in &mut lines {
        assert!(line["request_id"].is_string(), "{line}");
        line["request_id"] = Value::Null;
    }
    let message = lines[0]["error"]["message"].take();
    assert!(message.as_str().unwrap().contains("topic"), "{message}");
    lines[0]["error"]["request_id"] = Value::Null;
    assert_eq!(
        lines,
        [
            json!({"topic": "nowhere", "partition": 0, "offset": 1, "status": "request_failed",
                "outcome": "not_applied", "result": null, "error_code": null, "request_id": null,
                "error": {"kind": "bad_request", "code": "DMS.00400062", "message": null, "status": 400,
                    "request_id": null, "outcome": "not_applied", "attempts": 1,
                    "encoded_authorization_message": null}}),
            json!({"topic": "orders", "partition": 0, "offset": 400, "status": "deleted", "outcome": null,
                "result": "success", "error_code": "0", "request_id": null}),
            json!({"topic": "orders", "partition": 1, "offset": 5000, "status": "failed",
                "outcome": "not_applied", "result": "fail", "error_code": "1", "request_id": null}),
            json!({"topic": "orders", "partition": 2, "offset": null, "everything": true, "status": "deleted",
                "outcome": null, "result": "success", "error_code": "0", "request_id": null}),
            json!({"topic": "orders", "partition": 7, "offset": 1, "status": "failed",
                "outcome": "not_applied", "result": "fail", "error_code": "3", "request_id": null}),
        ]
    );
    let expected = rows(&[("orders", 1, 5000), ("nowhere", 0, 1), ("orders", 7, 1)]);
    assert_eq!(json_lines(&folder.read("left")), json_lines(&expected));
    let again = served.purge(&left, "--yes --output json").ends_with(3);
    assert_counts(&again, &[("rows", 3), ("failed", 2), ("request_failed", 1)]);
    let printed: Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(printed["failures"].as_array().unwrap().len(), 3);
}

#[test]
fn the_failures_file_of_a_document_is_a_document() {
    let folder = Folder::new(
        r#"{"version":1,"partitions":[{"topic":"a","partition":0,"offset":1},{"topic":"a","partition":1,"offset":5000},
            {"topic":"a","partition":2,"offset":6000}]}"#,
    );
    let left = folder.path("left");
    dms_kafka(&format!(
        "purge --embedded --yes --failures-file {left} --offsets-file"
    ))
    .arg(&folder.offsets)
    .ends_with(1);
    let text = folder.read("left");
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({"version": 1, "partitions": [
            {"topic": "a", "partition": 1, "offset": 5000},
            {"topic": "a", "partition": 2, "offset": 6000}]})
    );
}

#[test]
fn a_dry_run_prints_each_request_and_sends_nothing() {
    let folder = Folder::new(&rows(&[
        ("a", 0, 5),
        ("b", 0, -1),
        ("a", 1, 6),
        ("a", 2, 7),
    ]));
    let purge = "purge --dry-run --allow-everything --partitions-per-request 2 --offsets-file";
    let output = at("https://192.0.2.1", purge)
        .arg(&folder.offsets)
        .ends_with(0);
    let expected = "\
POST https://192.0.2.1/v2/p/kafka/instances/i/topics/a/messages/delete
{\"partitions\":[{\"offset\":5,\"partition\":0},{\"offset\":6,\"partition\":1}]}
POST https://192.0.2.1/v2/p/kafka/instances/i/topics/b/messages/delete
{\"partitions\":[{\"offset\":-1,\"partition\":0}]}
POST https://192.0.2.1/v2/p/kafka/instances/i/topics/a/messages/delete
{\"partitions\":[{\"offset\":7,\"partition\":2}]}
";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn a_missing_topic_stops_the_purge() {
    let served = Served::start();
    let folder = Folder::new(&rows(&[("absent", 0, 5), ("orders", 0, 5)]));
    let output = served.purge(&folder.offsets, "--yes").ends_with(3);
    assert_stderr(&output, "no deletion was sent");
    assert_eq!(served.starts("orders", 1), [0]);
}

/// The service supports deletions only, as documented by the vendor.
#[test]
fn without_partition_listing_the_purge_has_an_empty_preview() {
    let (listener, endpoint) = listener();
    std::thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            std::thread::spawn(move || respond_to_deletions_only(&connection));
        }
    });
    let folder = Folder::new(&rows(&[("a", 0, 5)]));
    let output = at(&endpoint, "purge --yes --offsets-file")
        .arg(&folder.offsets)
        .ends_with(0);
    assert_stderr(&output, "before 5      -    -                  -");
}

fn respond_to_deletions_only(connection: &std::net::TcpStream) -> Option<()> {
    let mut lines = BufReader::new(connection);
    loop {
        let is_deletion = next_is_deletion(&mut lines)?;
        respond_to_deletion_only(connection, is_deletion, "")?;
    }
}

#[test]
#[cfg(unix)]
fn a_link_to_the_failures_file_stays_a_link() {
    let folder = Folder::new(&rows(&[("orders", 0, 5000)]));
    let (link, left) = (folder.path("link"), folder.path("left"));
    std::fs::write(&left, "of the run before").unwrap();
    std::os::unix::fs::symlink(&left, &link).unwrap();
    dms_kafka(&format!(
        "purge --embedded --yes --overwrite --failures-file {link} --offsets-file"
    ))
    .arg(&folder.offsets)
    .ends_with(1);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(json_lines(&folder.read("left"))[0]["offset"], 5000);
}

#[test]
fn a_dry_run_skips_the_rows_in_the_journal() {
    let served = Served::start();
    let folder = Folder::new(&rows(&[("orders", 0, 7), ("orders", 1, 7)]));
    let journal = folder.path("journal");
    let dry = || {
        let arguments = format!("--dry-run --journal {journal}");
        let output = served.purge(&folder.offsets, &arguments).ends_with(0);
        stdout(&output)
    };
    assert!(dry().contains(r#"{"offset":7,"partition":1}"#));
    assert!(!std::fs::exists(&journal).unwrap(), "a journal was begun");
    served
        .purge(&folder.offsets, &format!("--yes --journal {journal}"))
        .ends_with(0);
    let recorded = folder.read("journal");
    assert_eq!(dry(), "");
    // Truncated, as after a crash: a dry run does not repair it.
    let torn = &recorded[..recorded.len() - 3];
    std::fs::write(&journal, torn).unwrap();
    assert!(dry().contains(r#"{"offset":7,"partition":1}"#));
    assert_eq!(folder.read("journal"), torn);
}

/// A service that responds with `reply` while it has another request, and the most requests that it had.
fn one_at_a_time(reply: Reply) -> (Scripted, Arc<AtomicUsize>) {
    let (most, in_flight) = (Arc::<AtomicUsize>::default(), AtomicUsize::default());
    let seen = Arc::clone(&most);
    let replies = Mutex::<BTreeMap<i64, u32>>::default();
    let service = Scripted::start(move |received| {
        let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(now, Ordering::SeqCst);
        // Long enough for other requests to arrive.
        std::thread::sleep(Duration::from_millis(10));
        in_flight.fetch_sub(1, Ordering::SeqCst);
        let mut replies = replies.lock().unwrap();
        let repeated = replies.entry(received.rows[0].0).or_default();
        *repeated += 1;
        // The third and last attempt succeeds, however slow this machine is.
        if now > 1 && *repeated < 3 {
            reply
        } else {
            Reply::Code(0)
        }
    });
    (service, most)
}

#[test]
fn the_number_of_requests_in_flight_adapts_to_the_service() {
    let folder = &Folder::with_partitions(100);
    std::thread::scope(|scope| {
        for (flags, reply, range, code) in [
            ("", Reply::Code(0), 5..=64, 0),
            ("--max-concurrency 6", Reply::Code(0), 5..=6, 0),
            ("--concurrency 3", Reply::Code(0), 1..=3, 0),
            // Refused requests are sent again.
            ("", Reply::Status(429), 1..=64, 0),
            ("", Reply::Refusal, 1..=64, 0),
            // The replicas of the partition did not respond in time: whether it was deleted is unknown.
            ("", Reply::Code(7), 1..=64, 4),
        ] {
            scope.spawn(move || {
                let (service, most) = one_at_a_time(reply);
                let one_each = format!("--partitions-per-request 1 --output json {flags}");
                let mut purge = service.purge(&folder.offsets, one_each.trim());
                let output = purge.ends_with(code);
                let most = most.load(Ordering::SeqCst);
                let name = format!("{flags} {reply:?}: {most}: {}", stderr(&output));
                assert!(range.contains(&most), "{name}");
            });
        }
    });
    for (flags, words) in [
        ("--concurrency 4 --max-concurrency 8", "cannot be used with"),
        ("--max-concurrency 0", "from 1 to 500"),
        ("--max-concurrency 501", "from 1 to 500"),
    ] {
        let purge = format!("purge --embedded --yes --offsets-file f {flags}");
        assert_stderr(&dms_kafka(&purge).ends_with(2), words);
    }
}
