//! Interrupts.

#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Audited, Folder, Run as _, SLOW, assert_counts, assert_stderr, at, dms_kafka, ended_with,
    listener, next_is_deletion, respond_to_deletion_only, signal, stderr, stdout, stopping_signals,
    through_shell,
};
use crate::terminal::{at_a_terminal, ends_with};

const TOPICS: u32 = 1;
const PARTITIONS: u32 = 300;

/// Starts a purge and waits for its first result.
fn begun(gateway: &Audited, folder: &Folder, line: &str) -> (Child, BufReader<ChildStdout>) {
    let mut process = gateway
        .purge(&folder.offsets, line)
        .args(["--output", "ndjson"])
        .start();
    let mut results = BufReader::new(process.stdout.take().unwrap());
    results.read_line(&mut String::new()).unwrap();
    (process, results)
}

#[test]
fn a_signal_stops_sending_waits_for_requests_in_flight_and_prints_the_next_step() {
    for name in stopping_signals() {
        let folder = Folder::with_partitions(PARTITIONS);
        let mut gateway = Audited::start(&folder.path(""), TOPICS, PARTITIONS, SLOW);
        let journal = folder.path("journal");
        let (process, mut results) = begun(&gateway, &folder, &format!("--journal {journal}"));
        signal(&process, name);
        let mut rest = String::new();
        results.read_to_string(&mut rest).unwrap();
        let output = ended_with(process, 130);
        let printed = stderr(&output);
        for words in [
            "waiting for the requests in flight",
            "interrupted",
            "run the same command again",
            &journal,
        ] {
            assert!(printed.contains(words), "{words}: {printed}");
        }
        // Includes the row that was read in `begun`.
        let shown = 1 + rest.lines().count();
        assert_eq!(
            gateway.requested().len(),
            shown,
            "each row that was sent has its result"
        );
        assert!(shown < PARTITIONS as usize);
        let again = gateway
            .purge(
                &folder.offsets,
                &format!("--journal {journal} --output json --concurrency 16"),
            )
            .ends_with(0);
        assert_eq!(
            gateway.requested().len(),
            PARTITIONS as usize - shown,
            "the rest and nothing else"
        );
        assert_counts(&again, &[("deleted", PARTITIONS.into())]);
    }
}

/// As under `nohup`.
#[test]
#[cfg(target_os = "linux")]
fn a_hang_up_that_is_ignored_does_not_stop_the_purge() {
    let folder = Folder::with_partitions(PARTITIONS);
    let mut gateway = Audited::start(&folder.path(""), TOPICS, PARTITIONS, SLOW);
    let purge = gateway.purge(&folder.offsets, "--output ndjson --concurrency 16");
    let mut process = through_shell("trap '' HUP; exec \"$0\" \"$@\"", &purge).start();
    let mut results = BufReader::new(process.stdout.take().unwrap());
    results.read_line(&mut String::new()).unwrap();
    signal(&process, "-HUP");
    results.read_to_string(&mut String::new()).unwrap();
    ended_with(process, 0);
    assert_eq!(gateway.requested().len(), PARTITIONS as usize);
}

/// The codes have an order: that of the interrupt comes first.
#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_purge_ends_with_130_although_its_results_cannot_be_written() {
    let (listener, endpoint) = listener();
    let folder = Folder::with_partitions(PARTITIONS);
    let mut purge = at(&endpoint, "purge --yes --output json --offsets-file");
    purge.arg(&folder.offsets);
    let full = "exec \"$0\" \"$@\" > /dev/full";
    let mut process = through_shell(full, &purge).start();
    // A request was sent that gets no response.
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();
    let mut printed = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    signal(&process, "-INT");
    printed.read_line(&mut said).unwrap();
    signal(&process, "-INT");
    printed.read_to_string(&mut said).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("standard output cannot be written"), "{said}");
}

#[test]
fn without_a_journal_the_purge_continues_from_the_failures_file() {
    let folder = Folder::with_partitions(PARTITIONS);
    let mut gateway = Audited::start(&folder.path(""), TOPICS, PARTITIONS, SLOW);
    let left = folder.path("left");
    let (process, mut results) = begun(&gateway, &folder, &format!("--failures-file {left}"));
    signal(&process, "-INT");
    results.read_to_string(&mut String::new()).unwrap();
    let output = ended_with(process, 130);
    assert_stderr(&output, &format!("--offsets-file {left}"));
    let sent = gateway.requested().len();
    assert_eq!(
        folder.read("left").lines().count(),
        PARTITIONS as usize - sent
    );
    gateway.purge(&left, "--concurrency 16").ends_with(0);
    assert!(gateway.starts()[0].iter().all(|start| *start == 7));
}

#[test]
fn the_second_signal_does_not_wait() {
    let (listener, endpoint) = listener();
    let folder = Folder::with_partitions(PARTITIONS);
    let left = folder.path("left");
    let purge = format!("purge --yes --output json --failures-file {left} --offsets-file");
    let mut process = at(&endpoint, &purge).arg(&folder.offsets).start();
    // A request was sent that gets no response.
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();
    let mut printed = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    signal(&process, "-INT");
    printed.read_line(&mut said).unwrap();
    assert!(said.contains("interrupt again"), "{said}");
    signal(&process, "-INT");
    printed.read_to_string(&mut said).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("is unknown"), "{said}");
    assert_counts(&output, &[("unknown", 10), ("not_sent", 290)]);
    // All rows can be sent again: deleting before the same offset again has no effect.
    assert_eq!(folder.read("left").lines().count(), PARTITIONS as usize);
}

#[test]
fn delete_waits_for_the_response_too() {
    for name in stopping_signals() {
        let (listener, endpoint) = listener();
        let delete = "delete --topic t0 --partition 0:7 --yes --output json";
        let mut process = at(&endpoint, delete).start();
        let (connection, _) = listener.accept().unwrap();
        assert_eq!(
            next_is_deletion(&mut BufReader::new(&connection)),
            Some(true)
        );
        signal(&process, name);
        let mut printed = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        printed.read_line(&mut said).unwrap();
        assert!(said.contains("waiting for the response"), "{said}");
        respond_to_deletion_only(&connection, true, "").unwrap();
        let output = ended_with(process, 130);
        let shown: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(shown["partitions"][0]["status"], "deleted");
    }
}

#[test]
fn a_signal_during_a_plan_leaves_no_file() {
    for name in stopping_signals() {
        let (listener, endpoint) = listener();
        let folder = Folder::new("");
        let files = format!(
            "--out {} --offsets-file {}",
            folder.path("plan"),
            folder.path("all")
        );
        let process = at(&endpoint, &format!("plan --topic t0 --up-to-end {files}")).start();
        // A request was sent that gets no response.
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0]).unwrap();
        signal(&process, name);
        ended_with(process, 130);
        assert_eq!(folder.files(), ["offsets"], "{name}");
    }
}

/// Waits until the process handles a signal.
fn wait_until_handled(process: u32, name: &str) {
    let number = match name {
        "-HUP" => 1,
        "-INT" => 2,
        _ => 15,
    };
    let is_handled = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.unwrap() & (1 << (number - 1)) != 0
    };
    while !is_handled() {
        std::thread::yield_now();
    }
}

/// Kills the process if it does not end soon.
fn ends_soon_with(mut process: Child, code: i32) -> Output {
    let start = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(10) {
            process.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ended_with(process, code)
}

/// Nothing is written to the pipe, or read from it.
#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_a_command_that_waits_for_a_named_pipe() {
    for name in stopping_signals() {
        let folder = Folder::new("");
        let pipe = folder.path("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let delete = format!("delete --embedded --plan {pipe} --yes");
        let reading = dms_kafka(&delete).start();
        // Waits for the reader.
        let writer = File::options().write(true).open(&pipe).unwrap();
        signal(&reading, name);
        let output = ends_soon_with(reading, 130);
        assert_stderr(&output, "nothing was deleted");
        drop(writer);
        let plan = format!("plan --embedded --topic orders --up-to-end --out {pipe}");
        let writing = dms_kafka(&plan).start();
        wait_until_handled(writing.id(), name);
        signal(&writing, name);
        ends_soon_with(writing, 130);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_a_command_that_reads_a_plan_from_the_terminal() {
    let delete = dms_kafka("delete --embedded --plan /dev/tty --yes");
    let shell = "echo process=$$; exec \"$0\" \"$@\"";
    let mut session = at_a_terminal(through_shell(shell, &delete));
    session.exp_string("process=").unwrap();
    wait_until_handled(
        session.read_line().unwrap().trim().parse().unwrap(),
        "-TERM",
    );
    session.send_control('c').unwrap();
    session
        .exp_string("interrupted; nothing was deleted")
        .unwrap();
    ends_with(&mut session, 130);
}

#[test]
fn the_result_is_printed_although_the_service_stops_responding() {
    let (listener, endpoint) = listener();
    let (silent, is_silent) = mpsc::channel();
    let has_deleted = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            let (silent, has_deleted) = (silent.clone(), has_deleted.clone());
            std::thread::spawn(move || respond_until_deleted(&connection, &has_deleted, &silent));
        }
    });
    let process = at(&endpoint, "delete --topic t0 --partition 0:7 --yes").start();
    is_silent.recv().unwrap();
    signal(&process, "-INT");
    let output = ended_with(process, 130);
    assert!(stdout(&output).contains("deleted"), "{}", stdout(&output));
}

/// Responds to requests until the first deletion, and reports when it receives another request.
fn respond_until_deleted(
    connection: &TcpStream,
    has_deleted: &AtomicBool,
    silent: &mpsc::Sender<()>,
) -> Option<()> {
    let mut lines = BufReader::new(connection);
    loop {
        let is_deletion = next_is_deletion(&mut lines)?;
        if has_deleted.load(Ordering::SeqCst) {
            silent.send(()).ok()?;
        } else if is_deletion {
            has_deleted.store(true, Ordering::SeqCst);
            respond_to_deletion_only(connection, is_deletion, "")?;
        } else {
            respond_with_one_partition(connection)?;
        }
    }
}

fn respond_with_one_partition(mut connection: &TcpStream) -> Option<()> {
    let body = r#"{"total":1,"partitions":[{"partition":0,"start_offset":0,"last_offset":10}]}"#;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all((head + body).as_bytes()).ok()
}
