//! Purges while the service is down.

#![cfg(unix)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{
    Folder, Reply, Run as _, Scripted, assert_counts, assert_stderr, ended_with, interrupt,
    json_lines, rows, stderr, stdout,
};

const PAUSED: &str = "the next request is sent in";

/// One row for partition 0 of each topic, so that each row is a request.
fn topics(count: usize, offset: impl Fn(usize) -> i64) -> Folder {
    let mut rows = String::new();
    for number in 0..count {
        let offset = offset(number);
        writeln!(
            rows,
            r#"{{"topic":"t{number}","partition":0,"offset":{offset}}}"#
        )
        .unwrap();
    }
    Folder::new(&rows)
}

/// A service that is down after the first deletion, which is sent alone, until it is repaired. After more of them a late
/// success could follow the first failures, and they would be no outage.
fn down_after_one(down: Reply) -> (Scripted, Arc<AtomicBool>) {
    let repaired = Arc::new(AtomicBool::new(false));
    let is_repaired = Arc::clone(&repaired);
    let count = AtomicUsize::new(0);
    let service = Scripted::start(move |_| {
        if is_repaired.load(Ordering::SeqCst) || count.fetch_add(1, Ordering::SeqCst) == 0 {
            Reply::Code(0)
        } else {
            down
        }
    });
    (service, repaired)
}

/// Reads standard error until sending is paused; returns what was printed before.
fn until_paused(process: &mut Child) -> (String, BufReader<ChildStderr>) {
    let mut errors = BufReader::new(process.stderr.take().unwrap());
    let mut printed = String::new();
    while !printed.contains(PAUSED) {
        assert!(errors.read_line(&mut printed).unwrap() > 0, "{printed}");
    }
    (printed, errors)
}

#[test]
fn a_purge_pauses_while_the_service_is_down_and_deletes_every_row_when_it_responds_again() {
    std::thread::scope(|scope| {
        for (down, cause, concurrency) in [
            (Reply::Status(503), "503", 4),
            (Reply::Status(500), "500", 4),
            (Reply::Close, "connection", 4),
            (Reply::Silence, "no response was received", 12),
        ] {
            scope.spawn(move || pauses_and_continues(down, cause, concurrency));
        }
    });
}

fn pauses_and_continues(down: Reply, cause: &str, concurrency: usize) {
    let (service, repaired) = down_after_one(down);
    let folder = topics(40, |_| 7);
    let line = format!(
        "--pause 0.05 --timeout 2 --concurrency {concurrency} --output ndjson --journal {}",
        folder.path("journal")
    );
    let mut process = service.purge(&folder.offsets, &line).start();
    let (printed, mut errors) = until_paused(&mut process);
    assert!(
        printed.contains(cause),
        "the first error was not shown: {printed}"
    );
    // Ten requests opened the circuit breaker, and the others were in flight; each has three attempts.
    let sent = service.topics().len();
    assert!(sent <= 1 + (9 + concurrency) * 3, "{sent} attempts");
    repaired.store(true, Ordering::SeqCst);
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    let output = ended_with(process, 0);
    let results = json_lines(&stdout(&output));
    assert_eq!(results.len(), 40, "one line for each row: {results:?}");
    assert!(
        results.iter().all(|row| row["status"] == "deleted"),
        "{results:?}"
    );
    // Nothing is left for another run.
    service.received();
    let again = service.purge(&folder.offsets, &line).ends_with(0);
    assert_eq!(service.topics(), [""; 0], "{}", stderr(&again));
}

#[test]
fn a_deletion_of_everything_whose_outcome_is_unknown_is_not_repeated_after_an_outage() {
    for journal in [false, true] {
        let (service, repaired) = down_after_one(Reply::Status(503));
        let folder = topics(40, |number| if number.is_multiple_of(2) { -1 } else { 7 });
        let mut line = "--allow-everything --pause 0.05 --output json".to_owned();
        if journal {
            write!(line, " --journal {}", folder.path("journal")).unwrap();
        }
        let mut process = service.purge(&folder.offsets, &line).start();
        let (_, mut errors) = until_paused(&mut process);
        repaired.store(true, Ordering::SeqCst);
        errors.read_to_string(&mut String::new()).unwrap();
        let output = ended_with(process, 4);
        let mut times = HashMap::new();
        for deletion in service.received() {
            if deletion.rows == [(0, -1)] {
                *times.entry(deletion.topic).or_insert(0) += 1;
            }
        }
        assert_eq!(times.len(), 20);
        assert!(times.values().all(|times| *times == 1), "{times:?}");
        let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let unknown = summary["unknown"].as_u64().unwrap();
        assert!(unknown > 0, "{summary}");
        assert_counts(&output, &[("deleted", 40 - unknown)]);
        assert_eq!(
            summary["failures"].as_array().unwrap().len() as u64,
            unknown
        );
    }
}

#[test]
fn a_deletion_of_everything_that_was_refused_during_an_outage_is_sent_again() {
    let (service, repaired) = down_after_one(Reply::Refusal);
    let folder = topics(12, |_| -1);
    let line = format!(
        "--allow-everything --concurrency 12 --pause 0.05 --output json --journal {}",
        folder.path("journal")
    );
    let mut process = service.purge(&folder.offsets, &line).start();
    let (_, mut errors) = until_paused(&mut process);
    repaired.store(true, Ordering::SeqCst);
    errors.read_to_string(&mut String::new()).unwrap();
    let output = ended_with(process, 0);
    assert_counts(&output, &[("deleted", 12)]);
}

#[test]
fn a_purge_gives_up_when_the_outage_is_too_long() {
    // The service is gone after five responses: no connection.
    let (listener, endpoint) = crate::support::listener();
    let server = std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        drop(listener);
        let mut lines = BufReader::new(&connection);
        let mut respond = |header| {
            let is_deletion = crate::support::next_is_deletion(&mut lines).unwrap();
            crate::support::respond_to_deletion_only(&connection, is_deletion, header).unwrap();
        };
        (0..4).for_each(|_| respond(""));
        // Without it, the outcome of a request that is sent before the connection closes would be unknown.
        respond("Connection: close\r\n");
    });
    let folder = topics(100, |number| if number < 20 { 7 } else { -1 });
    let (journal, left) = (folder.path("journal"), folder.path("left"));
    let line = format!(
        "--concurrency 1 --allow-everything --pause-after 3 --pause 0.05 --give-up-after 0.2 --output json --journal {journal} \
         --failures-file {left}"
    );
    let mut purge = crate::support::at(&endpoint, "purge --yes --offsets-file");
    let output = purge
        .arg(&folder.offsets)
        .args(crate::support::words(&line))
        .ends_with(3);
    server.join().unwrap();
    assert_counts(
        &output,
        &[
            ("deleted", 5),
            ("not_sent", 95),
            ("unknown", 0),
            ("request_failed", 0),
        ],
    );
    assert_stderr(&output, "\"kind\":\"connect\"");
    assert_stderr(&output, "run the same command again");
    assert_eq!(folder.read("left").lines().count(), 95);
}

#[test]
fn failures_between_responses_do_not_pause_a_purge() {
    let service = Scripted::start(|deletion| {
        // Every attempt of each second topic fails.
        let number: usize = deletion.topic[1..].parse().unwrap();
        if number.is_multiple_of(2) {
            Reply::Status(503)
        } else {
            Reply::Code(0)
        }
    });
    let folder = topics(12, |_| 7);
    let line = "--concurrency 1 --pause-after 2 --output json";
    let output = service.purge(&folder.offsets, line).ends_with(4);
    assert_counts(&output, &[("deleted", 6), ("unknown", 6)]);
    assert!(!stderr(&output).contains(PAUSED), "{}", stderr(&output));
}

/// Requests in a row fail, although the service is not down: the others are sent nevertheless.
#[test]
fn a_topic_out_of_reach_does_not_keep_back_the_others() {
    let service = Scripted::start(|deletion| {
        if deletion.topic == "t0" {
            Reply::Status(504)
        } else {
            Reply::Code(0)
        }
    });
    let all = (0..3).map(|partition| ("t0", partition, 7));
    let all: Vec<_> = all
        .chain((0..30).map(|partition| ("t1", partition, 7)))
        .collect();
    let folder = Folder::new(&rows(&all));
    let line = "--concurrency 1 --partitions-per-request 1 --pause-after 3 --pause 0.05 --give-up-after 1 --output json";
    let output = service.purge(&folder.offsets, line).ends_with(4);
    assert_counts(&output, &[("deleted", 30), ("unknown", 3)]);
    assert_stderr(&output, "the service responds again");
}

/// The service is repaired while a request of the outage is still in flight, for longer than the purge would wait.
#[test]
fn a_hung_request_does_not_keep_back_the_next_try() {
    let hangs = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&hangs);
    let service = Scripted::start(move |deletion| {
        if !is_down.load(Ordering::SeqCst) || deletion.topic == "t0" {
            Reply::Code(0)
        } else if deletion.topic == "t1" {
            Reply::Silence
        } else {
            Reply::Status(503)
        }
    });
    let folder = topics(40, |_| 7);
    let line =
        "--concurrency 4 --timeout 3 --pause 0.05 --give-up-after 2 --pause-after 3 --output json";
    let mut process = service.purge(&folder.offsets, line).start();
    let (_, mut errors) = until_paused(&mut process);
    hangs.store(false, Ordering::SeqCst);
    errors.read_to_string(&mut String::new()).unwrap();
    let output = ended_with(process, 0);
    assert_counts(&output, &[("deleted", 40)]);
}

#[test]
fn an_interrupt_ends_a_pause() {
    let (service, _) = down_after_one(Reply::Status(503));
    let folder = topics(40, |_| 7);
    let line = "--pause 3600 --give-up-after 86400 --output json";
    let mut process = service.purge(&folder.offsets, line).start();
    let (_, mut errors) = until_paused(&mut process);
    interrupt(&process);
    errors.read_to_string(&mut String::new()).unwrap();
    let output = ended_with(process, 130);
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let unknown = summary["unknown"].as_u64().unwrap();
    assert!(unknown >= 10, "{summary}");
    assert_counts(&output, &[("deleted", 1), ("not_sent", 39 - unknown)]);
}
