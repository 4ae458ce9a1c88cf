//! What stops a purge before its end, and how it ends then.

use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::Value;

use crate::support::{
    Folder, Run as _, Served, assert_counts, assert_tells, at, dms_kafka, ended_with,
    endpoint_of_nothing, json_lines, listener, rows, stderr, stdout,
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
    assert_tells(&output, "APIGW.0301");
}

#[test]
fn a_service_out_of_reach_and_an_instance_that_is_not_there_stop_at_the_first_request() {
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
    assert_eq!(
        folder.read("journal").lines().count(),
        1,
        "rows were recorded"
    );
}

#[test]
fn too_many_failures_stop_it() {
    let served = Served::with_topics(&["orders:200:10"]);
    let all: Vec<_> = (0..200)
        .map(|partition| ("orders", partition, 5000))
        .collect();
    let folder = Folder::new(&rows(&all));
    let arguments = "--yes --output json --max-failures 15 --concurrency 1";
    let output = served.purge(&folder.offsets, arguments).ends_with(1);
    assert_counts(&output, &[("failed", 20), ("not_sent", 180)]);
    assert_tells(&output, "too many rows have failed");
}

#[test]
fn failures_of_earlier_runs_count_for_the_end_but_not_for_stopping() {
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

/// A service that is away for a while is no reason to give rows up.
#[test]
fn rows_that_never_reached_the_service_are_sent_when_the_purge_is_taken_up_again() {
    let served = Served::with_topics(&["t0:30:1000"]);
    let folder = Folder::with_partitions(30);
    let (journal, left) = (folder.path("journal"), folder.path("left"));
    let arguments = format!("--yes --output json --journal {journal} --failures-file {left}");
    served
        .purge(&folder.offsets, &arguments)
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .ends_with(3);
    assert_eq!(folder.read("left").lines().count(), 30);
    served.purge(&folder.offsets, &arguments).ends_with(0);
    assert_eq!(folder.read("left"), "");
    assert!(served.starts("t0", 30).iter().all(|start| *start == 7));
}

/// A proxy that hangs up after a request has reached it: nobody knows what became of it.
#[test]
fn an_unknown_outcome_ends_with_4_and_everything_is_not_left_to_be_repeated() {
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
fn a_service_that_is_gone_when_the_purge_is_taken_up_again_stops_it_too() {
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

/// What was checked and agreed to is what is sent, and what is left, however long that takes.
#[test]
fn rows_written_over_the_file_meanwhile_are_not_sent() {
    let served = Served::with_topics(&["t0:3:1000"]);
    let folder = Folder::with_partitions(50_000);
    let left = folder.path("left");
    let arguments =
        format!("--yes --output ndjson --partitions-per-request 1000 --failures-file {left}");
    let mut process = served.purge(&folder.offsets, &arguments).start();
    let mut results = BufReader::new(process.stdout.take().unwrap()).lines();
    results.next().unwrap().unwrap();
    // It waits for the results to be read.
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

/// Every row was sent, and none carried out for a reason of its own: then there is something to go on with too.
#[test]
fn rows_that_were_not_carried_out_can_be_gone_on_with() {
    let served = Served::with_topics(&["t0:5:1000"]);
    let folder = Folder::with_partitions(5);
    let refused = served
        .purge(&folder.offsets, "--yes --output json")
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .ends_with(3);
    let told = stderr(&refused);
    assert!(
        told.contains("5 were not sent or not carried out; to go on, give the same command again"),
        "{told}"
    );
}
