//! Purges that stop early.

use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::Value;

use crate::resume::recorded;
use crate::support::{
    Folder, Reply, Run as _, Scripted, Served, assert_counts, assert_stderr, at, dms_kafka,
    ended_with, endpoint_of_nothing, json_lines, listener, rows, stderr, stdout,
};

#[test]
fn wrong_credentials_stop_at_the_first_request() {
    let served = Served::with_topics(&["orders:200:1000"]);
    let all: Vec<_> = (0..200).map(|partition| ("orders", partition, 5)).collect();
    let folder = Folder::new(&rows(&all));
    let output = served
        .purge(&folder.offsets, "--yes --output json --concurrency 8")
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .ends_with(3);
    assert_counts(&output, &[("request_failed", 10), ("not_sent", 190)]);
    assert_stderr(&output, "APIGW.0301");
}

#[test]
fn an_unreachable_service_and_a_missing_instance_stop_at_the_first_request() {
    let served = Served::with_topics(&["t0:30:1000"]);
    let folder = Folder::with_partitions(30);
    let out_of_reach = at(&endpoint_of_nothing(), "purge");
    let mut no_such_instance = dms_kafka("purge --instance-id nowhere");
    no_such_instance
        .args(["--endpoint", served.text("endpoint")])
        .args(["--project-id", served.text("project_id")])
        .args(["--journal", &folder.path("journal")])
        .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
        .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"));
    for mut purge in [out_of_reach, no_such_instance] {
        let output = purge
            .args(["--yes", "--output", "json", "--offsets-file"])
            .arg(&folder.offsets)
            .ends_with(3);
        assert_counts(&output, &[("request_failed", 10), ("not_sent", 20)]);
    }
    let recorded = recorded(&folder.path("journal"));
    assert!(recorded.is_empty(), "{recorded:?}");
}

#[test]
fn max_failures_stops_the_purge() {
    let served = Served::with_topics(&["orders:200:10"]);
    let all: Vec<_> = (0..200)
        .map(|partition| ("orders", partition, 5000))
        .collect();
    let folder = Folder::new(&rows(&all));
    let arguments = "--yes --output json --max-failures 15 --concurrency 1";
    let output = served.purge(&folder.offsets, arguments).ends_with(1);
    assert_counts(&output, &[("failed", 20), ("not_sent", 180)]);
    assert_stderr(&output, "--max-failures was reached");
}

#[test]
fn max_failures_stops_a_purge_before_it_pauses() {
    let service = Scripted::start(|_| Reply::Status(500));
    let folder = Folder::with_partitions(30);
    let line = "--partitions-per-request 1 --concurrency 1 --max-failures 5 --pause-after 20 --output json";
    let output = service.purge(&folder.offsets, line).ends_with(4);
    assert_counts(&output, &[("unknown", 5), ("not_sent", 25)]);
    assert_stderr(&output, "--max-failures was reached");
}

#[test]
fn failures_of_earlier_runs_count_for_the_exit_code_but_not_for_max_failures() {
    let served = Served::with_topics(&["t0:30:5"]);
    let folder = Folder::with_partitions(30);
    let journal = folder.path("journal");
    let arguments =
        format!("--yes --output json --max-failures 10 --concurrency 1 --journal {journal}");
    for (not_sent, failed) in [(20, 10), (10, 20), (0, 30), (0, 30)] {
        let output = served.purge(&folder.offsets, &arguments).ends_with(1);
        assert_counts(&output, &[("not_sent", not_sent), ("failed", failed)]);
    }
}

#[test]
fn rows_of_rejected_requests_are_sent_when_the_purge_is_resumed() {
    let served = Served::with_topics(&["t0:30:1000"]);
    let folder = Folder::with_partitions(30);
    let (journal, left) = (folder.path("journal"), folder.path("left"));
    let arguments =
        format!("--yes --output json --journal {journal} --failures-file {left} --overwrite");
    served
        .purge(&folder.offsets, &arguments)
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .ends_with(3);
    assert_eq!(folder.read("left").lines().count(), 30);
    served.purge(&folder.offsets, &arguments).ends_with(0);
    assert_eq!(folder.read("left"), "");
    assert!(served.starts("t0", 30).iter().all(|start| *start == 7));
}

/// A proxy closes the connection after the start of the request.
#[test]
fn an_unknown_outcome_ends_with_exit_code_4_and_deleting_everything_is_not_in_the_failures_file() {
    let (listener, endpoint) = listener();
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let mut begun = [0];
            let _ = std::io::Read::read_exact(&mut connection, &mut begun);
        }
    });
    let folder = Folder::new(&rows(&[("a", 0, -1)]));
    let left = folder.path("left");
    let purge = format!(
        "purge --yes --allow-everything --output ndjson --failures-file {left} --offsets-file"
    );
    let output = at(&endpoint, &purge).arg(&folder.offsets).ends_with(4);
    assert_eq!(json_lines(&stdout(&output))[0]["outcome"], "unknown");
    assert_eq!(folder.read("left"), "");
}

#[test]
fn an_unreachable_service_stops_a_resumed_purge() {
    let served = Served::with_topics(&["t0:30:5"]);
    let folder = Folder::with_partitions(30);
    let journal = folder.path("journal");
    let arguments = format!("--yes --output json --concurrency 1 --journal {journal}");
    let mut first = served.purge(&folder.offsets, &arguments);
    let mut second = served.purge(&folder.offsets, &arguments);
    first.args(["--max-failures", "10"]).ends_with(1);
    drop(served);
    let second = second.ends_with(3);
    assert_counts(
        &second,
        &[("failed", 10), ("request_failed", 10), ("not_sent", 10)],
    );
}

#[test]
fn changes_of_the_offsets_file_during_the_purge_are_ignored() {
    let served = Served::with_topics(&["t0:3:1000"]);
    let folder = Folder::with_partitions(50_000);
    let left = folder.path("left");
    let arguments =
        format!("--yes --output ndjson --partitions-per-request 1000 --failures-file {left}");
    let mut process = served.purge(&folder.offsets, &arguments).start();
    let mut results = BufReader::new(process.stdout.take().unwrap()).lines();
    results.next().unwrap().unwrap();
    // The purge waits until its results are read.
    let changed = folder.read("offsets").replace(":7}", ":8}");
    fs::write(&folder.offsets, changed).unwrap();
    let offsets: Vec<_> = results
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["offset"].clone())
        .collect();
    ended_with(process, 1);
    assert!(offsets.iter().all(|offset| *offset == 7));
    let left = json_lines(&folder.read("left"));
    assert_eq!(left.len(), 50_000 - 3, "three partitions exist");
    assert!(left.iter().all(|row| row["offset"] == 7));
}

#[test]
fn rows_without_effect_are_reported_with_the_next_step() {
    let served = Served::with_topics(&["t0:5:1000"]);
    let folder = Folder::with_partitions(5);
    let refused = served
        .purge(&folder.offsets, "--yes --output json")
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .ends_with(3);
    let printed = stderr(&refused);
    assert!(
        printed
            .contains("5 were not sent or had no effect; to continue, run the same command again"),
        "{printed}"
    );
}
