//! Confirmation, progress and Ctrl-C in a terminal.

#![cfg(unix)]

use std::process::{Command, Stdio};

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::support::{
    Audited, Folder, Run as _, SLOW, Served, at, dms_kafka, rows, through_shell, words,
};

const TIMEOUT: Option<u64> = Some(20_000);

pub(crate) fn at_a_terminal(mut command: Command) -> PtySession {
    command
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::inherit());
    spawn_command(command, TIMEOUT).unwrap()
}

pub(crate) fn exit_code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("it ended with {other:?}"),
    }
}

#[track_caller]
pub(crate) fn ends_with(session: &mut PtySession, code: i32) {
    session.exp_eof().unwrap();
    assert_eq!(exit_code(session), code);
}

#[test]
fn everything_is_deleted_after_the_topic_name_is_typed() {
    let served = Served::start();
    let mut session = at_a_terminal(served.delete("--everything 2"));
    session
        .exp_string("Records of topic orders that will be deleted permanently:")
        .unwrap();
    session
        .exp_regex(r"2 +0 +1,000 +everything +1,000 +100%")
        .unwrap();
    session.exp_string("Type orders to delete: ").unwrap();
    session.send_line("orders").unwrap();
    session.exp_string("deleted").unwrap();
    ends_with(&mut session, 0);
    assert_eq!(served.starts("orders", 3), [0, 0, 1000]);
}

#[test]
fn any_other_word_deletes_nothing() {
    let served = Served::start();
    for word in ["yes", "order", "", "ORDERS"] {
        let mut session = at_a_terminal(served.delete("--everything 2"));
        session.exp_string("Type orders to delete: ").unwrap();
        session.send_line(word).unwrap();
        session.exp_string("nothing was deleted").unwrap();
        ends_with(&mut session, 2);
    }
    let mut session = at_a_terminal(served.delete("--partition 0:400"));
    session.exp_string("Type yes to delete: ").unwrap();
    session.send_control('d').unwrap();
    session.exp_string("nothing was deleted").unwrap();
    ends_with(&mut session, 2);
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn without_a_terminal_on_standard_error_there_is_no_question() {
    let served = Served::start();
    let inner = served.delete("--everything 2");
    let unseen = "exec \"$0\" \"$@\" 2>/dev/null";
    let mut session = at_a_terminal(through_shell(unseen, &inner));
    ends_with(&mut session, 2);
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn a_failure_is_red_unless_no_color_is_set() {
    for (no_color, is_red) in [(None, true), (Some("1"), false)] {
        let mut failing = dms_kafka("delete --embedded --yes --topic orders --partition 0:5000");
        failing.env("TERM", "xterm").env_remove("NO_COLOR");
        if let Some(value) = no_color {
            failing.env("NO_COLOR", value);
        }
        let mut session = spawn_command(failing, TIMEOUT).unwrap();
        let shown = session.exp_eof().unwrap();
        assert!(shown.contains("failed"), "{shown}");
        assert_eq!(
            shown.contains("\u{1b}[31m"),
            is_red,
            "{no_color:?}: {shown:?}"
        );
        assert_eq!(shown.contains('\u{1b}'), is_red, "{no_color:?}: {shown:?}");
        assert_eq!(exit_code(&session), 1);
    }
}

/// A purge in a terminal that has started.
fn purging(gateway: &Audited, folder: &Folder, line: &str) -> PtySession {
    // With more requests in flight, all rows would soon be sent.
    let journal = format!("--journal {} --concurrency 4", folder.path("journal"));
    let mut purge = gateway.purge(&folder.offsets, &journal);
    purge.args(words(line)).env("COLUMNS", "100");
    let mut session = at_a_terminal(purge);
    session.exp_string("of 300 rows, 0 failed").unwrap();
    session
}

#[test]
fn the_bar_shows_rate_failures_and_time_left() {
    let folder = Folder::with_partitions(300);
    let gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let mut session = purging(&gateway, &folder, "");
    session
        .exp_regex(r"[1-9][0-9]*/s, [0-9]+ [a-z]+ left")
        .unwrap();
    session.exp_regex("300 +300 +0").unwrap();
    ends_with(&mut session, 0);
}

#[test]
fn json_lines_are_separate_from_the_bar() {
    let folder = Folder::with_partitions(300);
    let gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let mut session = purging(&gateway, &folder, "--output ndjson");
    session.exp_string("100 of 300 rows").unwrap();
    session.send_control('c').unwrap();
    let shown = session.exp_eof().unwrap();
    let rows = shown.matches(r#"{"topic":"#).count();
    let apart = shown
        .split(['\r', '\n', '\u{1b}'])
        .filter(|line| line.trim_start_matches("[2K").starts_with(r#"{"topic":"#));
    assert!(rows > 0);
    assert_eq!(apart.count(), rows, "{shown:?}");
    assert!(shown.contains(r#"{"note":"stopping: "#), "{shown:?}");
    assert_eq!(exit_code(&session), 130);
}

#[test]
fn log_lines_are_separate_from_the_bar() {
    let folder = Folder::with_partitions(300);
    let gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let mut session = purging(&gateway, &folder, "-vv");
    let shown = session.exp_eof().unwrap();
    let log: Vec<&str> = shown
        .split(['\r', '\n'])
        .filter(|line| line.contains("response received"))
        .collect();
    assert!(log.len() > 20, "{shown}");
    assert!(
        log.iter().all(|line| !line.contains("of 300 rows")),
        "{log:?}"
    );
    assert_eq!(exit_code(&session), 0);
}

#[test]
fn ctrl_c_stops_a_purge_and_prints_the_next_step() {
    let folder = Folder::with_partitions(300);
    let mut gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let mut session = purging(&gateway, &folder, "");
    session.send_control('c').unwrap();
    session
        .exp_string("waiting for the requests in flight")
        .unwrap();
    session.exp_string("ROWS").unwrap();
    session.exp_string("run the same command again").unwrap();
    ends_with(&mut session, 130);
    let sent = gateway.requested().len();
    assert!(sent < 300, "{sent}");
    let again = format!("--journal {} --concurrency 16", folder.path("journal"));
    gateway.purge(&folder.offsets, &again).ends_with(0);
    assert_eq!(gateway.requested().len(), 300 - sent);
}

#[test]
fn ctrl_c_at_the_question_deletes_nothing() {
    let served = Served::start();
    let folder = Folder::new(&rows(&[("orders", 2, -1)]));
    let left = folder.path("left");
    let purge = format!("--allow-everything --failures-file {left}");
    for command in [
        served.delete("--everything 2"),
        served.purge(&folder.offsets, &purge),
    ] {
        let mut session = at_a_terminal(command);
        session.exp_string("Type orders to delete: ").unwrap();
        session.send_control('c').unwrap();
        session
            .exp_string("interrupted; nothing was deleted")
            .unwrap();
        ends_with(&mut session, 130);
    }
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
    assert!(folder.read("left").contains(r#""partition":2,"offset":-1"#));
    assert_eq!(folder.files(), ["left", "offsets"]);
}

#[test]
fn purge_of_everything_asks_for_the_topic_name() {
    let folder = Folder::new("{\"topic\":\"t0\",\"partition\":0,\"offset\":-1}\n");
    let mut gateway = Audited::start(&folder.path(""), 1, 1, "");
    let mut purge = at(
        gateway.endpoint(),
        "purge --allow-everything --offsets-file",
    );
    purge.arg(&folder.offsets);
    let mut session = at_a_terminal(purge);
    session.exp_string("Type t0 to delete: ").unwrap();
    assert!(gateway.requested().is_empty());
    session.send_line("t0").unwrap();
    ends_with(&mut session, 0);
    assert_eq!(gateway.requested(), [(0, 0, -1)]);
}

#[test]
fn a_file_that_changes_during_the_question_is_refused() {
    let folder = Folder::with_partitions(2);
    let mut gateway = Audited::start(&folder.path(""), 1, 2, "");
    let mut purge = at(gateway.endpoint(), "purge --offsets-file");
    purge.arg(&folder.offsets);
    let mut session = at_a_terminal(purge);
    session.exp_string("Type yes to delete: ").unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&folder.offsets)
        .unwrap();
    std::io::Write::write_all(
        &mut file,
        b"{\"topic\":\"t0\",\"partition\":9,\"offset\":1}\n",
    )
    .unwrap();
    session.send_line("yes").unwrap();
    session
        .exp_string("was changed after it was opened")
        .unwrap();
    ends_with(&mut session, 2);
    assert_eq!(gateway.requested(), []);
}

/// Rows, the word that confirms, and what the preview says. Topics `t0` and `t1` have 1,000 records in each partition.
#[test]
fn a_purge_asks_for_what_will_be_lost() {
    let row = |topic: u32, partition: u32, offset: i64| {
        format!("{{\"topic\":\"t{topic}\",\"partition\":{partition},\"offset\":{offset}}}\n")
    };
    let many: String = (0..40).map(|partition| row(0, partition, 7)).collect();
    for (rows, word, says) in [
        (
            row(0, 0, 999),
            "yes",
            "Total: up to 999 records; partitions: 1; topics: 1; emptied partitions: 0",
        ),
        (
            row(0, 0, 1000),
            "t0",
            "Total: up to 1000 records; partitions: 1; topics: 1; emptied partitions: 1",
        ),
        (row(0, 0, -1), "t0", "emptied partitions: 1"),
        (
            row(0, 0, 1000) + &row(1, 0, 1),
            "t0",
            "Total: up to 1001 records; partitions: 2; topics: 2",
        ),
        (
            row(0, 0, 1000) + &row(1, 0, 1000),
            "everything",
            "emptied partitions: 2",
        ),
        (
            row(0, 0, 1001),
            "t0",
            "warning: offsets beyond the end: 1; the service will refuse them",
        ),
        (
            row(0, 77, 1),
            "t0",
            "warning: partitions that do not exist: 1; the service will refuse them",
        ),
        (
            many.clone(),
            "yes",
            "Total: up to 280 records; partitions: 40; topics: 1; emptied partitions: 0",
        ),
        (
            many.clone() + &row(0, 40, 1000),
            "t0",
            "emptied partitions: 1",
        ),
    ] {
        let folder = Folder::new(&rows);
        let mut gateway = Audited::start(&folder.path(""), 2, 50, "");
        let mut purge = at(
            gateway.endpoint(),
            "purge --allow-everything --offsets-file",
        );
        purge.arg(&folder.offsets).env("COLUMNS", "120");
        let mut session = at_a_terminal(purge);
        let shown = session.exp_string("Type ").unwrap().replace(',', "");
        assert!(shown.contains(says), "{says}: {shown}");
        assert!(
            shown.lines().count() < 23,
            "the head is not on the screen: {shown}"
        );
        session.exp_string(&format!("{word} to delete: ")).unwrap();
        session.send_line("no").unwrap();
        ends_with(&mut session, 2);
        assert!(gateway.requested().is_empty());
    }
}

#[test]
fn a_resumed_purge_shows_and_asks_for_the_rest() {
    let folder = Folder::with_partitions(300);
    let mut gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let journal = format!("--journal {} --max-failures 1", folder.path("journal"));
    let mut first = purging(&gateway, &folder, "");
    first.exp_string("100 of 300 rows").unwrap();
    first.send_control('c').unwrap();
    ends_with(&mut first, 130);
    let sent = gateway.requested().len();
    let resumed = |gateway: &Audited| {
        let mut purge = at(gateway.endpoint(), "purge --concurrency 16 --offsets-file");
        purge.arg(&folder.offsets).args(words(&journal));
        at_a_terminal(purge)
    };
    let mut session = resumed(&gateway);
    let rest = format!("partitions: {}", 300 - sent);
    session.exp_string(&rest).unwrap();
    session.exp_string("Type yes to delete: ").unwrap();
    session.send_line("yes").unwrap();
    session.exp_string("ROWS").unwrap();
    ends_with(&mut session, 0);
    assert_eq!(gateway.requested().len(), 300 - sent);
    // Nothing is left: no question, and no request.
    let mut session = resumed(&gateway);
    let shown = session.exp_eof().unwrap();
    assert!(!shown.contains("permanently"), "{shown}");
    assert_eq!(exit_code(&session), 0);
    assert!(gateway.requested().is_empty());
}
