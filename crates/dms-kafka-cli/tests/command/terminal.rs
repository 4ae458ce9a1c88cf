//! At a terminal: questions, progress and Ctrl-C.

#![cfg(unix)]

use std::process::{Command, Stdio};

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::support::{Audited, Folder, Run as _, Served, at, dms_kafka, through_shell, words};

const PATIENCE: Option<u64> = Some(20_000);
/// Each request takes a while, so that a purge is seen on its way.
const SLOW: &str = "[[faults.rule]]\nfault = { delay_seconds = 0.05 }\n";

fn at_a_terminal(mut command: Command) -> PtySession {
    command
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::inherit());
    spawn_command(command, PATIENCE).unwrap()
}

fn exit_code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("it ended by {other:?}"),
    }
}

#[test]
fn everything_is_deleted_when_the_topics_name_is_typed() {
    let served = Served::start();
    let mut session = at_a_terminal(served.delete("--everything 2"));
    session
        .exp_string("Topic orders will lose, for good:")
        .unwrap();
    session.exp_regex(r"2 +everything +0 +1000 +1000").unwrap();
    session.exp_string("Type orders to delete: ").unwrap();
    session.send_line("orders").unwrap();
    session.exp_string("deleted").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 0);
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
        session.exp_eof().unwrap();
        assert_eq!(exit_code(&session), 2, "{word}");
    }
    let mut session = at_a_terminal(served.delete("--partition 0:400"));
    session.exp_string("Type yes to delete: ").unwrap();
    session.send_control('d').unwrap();
    session.exp_string("nothing was deleted").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 2);
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn a_question_that_nobody_sees_is_not_asked() {
    let served = Served::start();
    let inner = served.delete("--everything 2");
    let unseen = "exec \"$0\" \"$@\" 2>/dev/null";
    let mut session = at_a_terminal(through_shell(unseen, &inner));
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 2);
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn a_failure_is_red_unless_colours_are_not_wanted() {
    for (no_color, is_red) in [(None, true), (Some("1"), false)] {
        let mut failing = dms_kafka("delete --embedded --yes --topic orders --partition 0:5000");
        failing.env("TERM", "xterm").env_remove("NO_COLOR");
        if let Some(value) = no_color {
            failing.env("NO_COLOR", value);
        }
        let mut session = spawn_command(failing, PATIENCE).unwrap();
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

/// A purge at a terminal, on its way: each request takes a while.
fn purging(gateway: &Audited, folder: &Folder, line: &str) -> PtySession {
    let journal = format!("--journal {}", folder.path("journal"));
    let mut purge = gateway.purge(&folder.offsets, &journal);
    purge.args(words(line)).env("COLUMNS", "100");
    let mut session = at_a_terminal(purge);
    session.exp_string("of 300 rows, 0 failed").unwrap();
    session
}

#[test]
fn a_bar_shows_rate_failures_and_time_left() {
    let folder = Folder::with_partitions(300);
    let gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let mut session = purging(&gateway, &folder, "");
    session
        .exp_regex(r"[1-9][0-9]*/s, [0-9]+[a-z]+ left")
        .unwrap();
    session.exp_regex("300 +300 +0").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 0);
}

/// Rows and what is said stand on lines of their own, and are for programs, bar or not.
#[test]
fn json_lines_and_the_bar_keep_apart() {
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

/// What is said stands on lines of its own, not behind the bar.
#[test]
fn the_log_and_the_bar_keep_apart() {
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
fn ctrl_c_stops_a_purge_and_tells_how_to_go_on() {
    let folder = Folder::with_partitions(300);
    let mut gateway = Audited::start(&folder.path(""), 1, 300, SLOW);
    let mut session = purging(&gateway, &folder, "");
    session.send_control('c').unwrap();
    session
        .exp_string("waiting for the requests under way")
        .unwrap();
    session.exp_string("ROWS").unwrap();
    session.exp_string("give the same command again").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 130);
    let sent = gateway.asked().len();
    assert!(sent < 300, "{sent}");
    let again = format!("--journal {} --concurrency 16", folder.path("journal"));
    gateway.purge(&folder.offsets, &again).ends_with(0);
    assert_eq!(gateway.asked().len(), 300 - sent);
}

/// Whoever starts a command with SIGINT ignored, as a shell does behind `&`, wants it to stay so.
fn interrupts_are_ignored() -> bool {
    const SIGINT: u64 = 1 << 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| {
        u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & SIGINT != 0)
    })
}

#[test]
fn ctrl_c_at_the_question_deletes_nothing() {
    if interrupts_are_ignored() {
        eprintln!("skipped: this process was started with SIGINT ignored");
        return;
    }
    let served = Served::start();
    let mut session = at_a_terminal(served.delete("--everything 2"));
    session.exp_string("Type orders to delete: ").unwrap();
    session.send_control('c').unwrap();
    session.exp_eof().unwrap();
    // The shell calls that 130.
    let ended = session.process().wait().unwrap();
    assert!(matches!(ended, WaitStatus::Signaled(..)), "{ended:?}");
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn everything_of_one_topic_of_a_file_needs_its_name() {
    let folder = Folder::new("{\"topic\":\"t0\",\"partition\":0,\"offset\":-1}\n");
    let mut gateway = Audited::start(&folder.path(""), 1, 1, "");
    let mut purge = at(
        gateway.endpoint(),
        "purge --allow-everything --offsets-file",
    );
    purge.arg(&folder.offsets);
    let mut session = at_a_terminal(purge);
    session.exp_string("Type t0 to delete: ").unwrap();
    assert!(gateway.asked().is_empty());
    session.send_line("t0").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 0);
    assert_eq!(gateway.asked(), [(0, 0, -1)]);
}

#[test]
fn a_file_that_changes_while_the_question_stands_is_not_carried_out() {
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
        .exp_string("it was changed while it was read")
        .unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 2);
    assert_eq!(gateway.asked(), []);
}
