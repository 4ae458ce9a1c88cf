//! The preview of `dms-kafka delete`: what it shows, what must be typed, and what happens if there is none.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};

use crate::support::{
    Run as _, Served, assert_stderr, at, listener, next_is_deletion, stderr, stdout,
};

/// The response to a request for the partitions: status and body.
type Response = (u16, &'static str);

const UNKNOWN_TOPIC: Response = (
    400,
    r#"{"error_code":"DMS.00400062","error_msg":"no such topic"}"#,
);
const UNKNOWN_INSTANCE: Response = (
    404,
    r#"{"error_code":"DMS.00404022","error_msg":"no such instance"}"#,
);
const REJECTED: Response = (
    401,
    r#"{"error_code":"APIGW.0301","error_msg":"wrong signature"}"#,
);
const FORBIDDEN: Response = (
    403,
    r#"{"error_code":"DMS.00403003","error_msg":"not permitted"}"#,
);
const NO_SUCH_API: Response = (
    404,
    r#"{"error_code":"APIGW.0101","error_msg":"no such API"}"#,
);
const NO_SUCH_API_APIG: Response = (
    404,
    r#"{"error_code":"APIG.0101","error_msg":"no such API"}"#,
);
const NO_SUCH_METHOD: Response = (405, "");
const BROKEN: Response = (500, "");
const INVALID: Response = (200, "[]");

/// A service that responds so to a request for the partitions, and deletes from partition 0. The receiver gets whether
/// each request is a deletion.
fn service(list: Response) -> (String, Receiver<bool>) {
    service_that_changes(list, list)
}

/// As [`service`], with another list after a deletion.
fn service_that_changes(before: Response, after: Response) -> (String, Receiver<bool>) {
    let (listener, endpoint) = listener();
    let has_deleted = Arc::new(AtomicBool::new(false));
    let (requested, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, requested) = (connection.unwrap(), requested.clone());
            let has_deleted = Arc::clone(&has_deleted);
            let list = move |is_deletion| {
                let has_deleted = has_deleted.fetch_or(is_deletion, Ordering::SeqCst);
                if has_deleted { after } else { before }
            };
            std::thread::spawn(move || respond(&connection, &requested, list));
        }
    });
    (endpoint, requests)
}

fn respond(
    mut connection: &TcpStream,
    requested: &mpsc::Sender<bool>,
    list: impl Fn(bool) -> Response,
) {
    let mut lines = BufReader::new(connection);
    while let Some(is_deletion) = next_is_deletion(&mut lines) {
        let deleted = r#"{"partitions":[{"partition":0,"error_code":0,"result":"success"}]}"#;
        let list = list(is_deletion);
        let (status, body) = if is_deletion { (200, deleted) } else { list };
        let length = body.len();
        let response = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        if requested.send(is_deletion).is_err()
            || connection.write_all(response.as_bytes()).is_err()
        {
            return;
        }
    }
}

#[test]
fn without_a_preview_only_yes_with_absolute_offsets_deletes() {
    // What to delete, response to the listing, exit code, whether a deletion is sent, words of standard error.
    for (what, list, code, is_sent, words) in [
        ("--partition 0:1", UNKNOWN_TOPIC, 3, false, "no such topic"),
        (
            "--partition 0:1",
            UNKNOWN_INSTANCE,
            3,
            false,
            "no such instance",
        ),
        ("--partition 0:1", REJECTED, 3, false, "wrong signature"),
        ("--everything 0", UNKNOWN_TOPIC, 3, false, "no such topic"),
        (
            "--everything 0",
            FORBIDDEN,
            3,
            false,
            "add --yes --output json",
        ),
        (
            "--everything 0",
            NO_SUCH_API,
            3,
            false,
            "add --yes --output json",
        ),
        (
            "--everything 0",
            NO_SUCH_METHOD,
            3,
            false,
            "add --yes --output json",
        ),
        (
            "--everything 0",
            INVALID,
            3,
            false,
            "add --yes --output json",
        ),
        (
            "--partition 0:1",
            FORBIDDEN,
            0,
            true,
            "warning: there is no preview: not permitted",
        ),
        (
            "--partition 0:1",
            NO_SUCH_API,
            0,
            true,
            "warning: there is no preview: no such API",
        ),
        (
            "--partition 0:1",
            NO_SUCH_API_APIG,
            0,
            true,
            "warning: there is no preview: no such API",
        ),
        (
            "--partition 0:1",
            NO_SUCH_METHOD,
            0,
            true,
            "warning: there is no preview",
        ),
        (
            "--partition 0:1",
            BROKEN,
            0,
            true,
            "warning: there is no preview",
        ),
        (
            "--partition 0:1",
            INVALID,
            0,
            true,
            "warning: there is no preview",
        ),
    ] {
        let (endpoint, requests) = service(list);
        let output = at(&endpoint, &format!("delete --topic orders {what} --yes")).ends_with(code);
        let requests: Vec<bool> = requests.try_iter().collect();
        assert_eq!(requests.contains(&true), is_sent, "{what} {list:?}");
        assert_stderr(&output, words);
        assert_eq!(
            stderr(&output).contains("no deletion was sent"),
            !is_sent,
            "{what} {list:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_script_sends_exactly_one_request() {
    for what in ["--partition 0:1", "--everything 0"] {
        let (endpoint, requests) = service(UNKNOWN_TOPIC);
        let delete = format!("delete --topic orders {what} --yes --output json");
        let output = at(&endpoint, &delete).ends_with(0);
        assert_eq!(requests.try_iter().collect::<Vec<_>>(), [true], "{what}");
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let row = &printed["partitions"][0];
        for field in ["start", "end", "records"] {
            assert!(row.get(field).is_some_and(Value::is_null), "{field}: {row}");
        }
    }
}

/// Partition 0 from this offset to 10.
macro_rules! partition_from {
    ($start:literal) => {
        (
            200,
            concat!(
                r#"{"total":1,"partitions":[{"partition":0,"start_offset":"#,
                $start,
                r#","last_offset":10}]}"#
            ),
        )
    };
}

const LESS: &str = "partition 0 now starts at";

/// What to delete, the list after the deletion, exit code, standard output, standard error.
const CLAIMS: &[(&str, Response, i32, &str, &str)] = &[
    (
        "--partition 0:5",
        partition_from!(0),
        4,
        "Deleted: 0 records",
        LESS,
    ),
    (
        "--partition 0:5",
        partition_from!(3),
        4,
        "Deleted: up to 3 records",
        LESS,
    ),
    (
        "--partition 0:5",
        partition_from!(5),
        0,
        "Deleted: up to 5 records",
        "",
    ),
    (
        "--partition 0:5",
        partition_from!(8),
        0,
        "Deleted: up to 5 records",
        "",
    ),
    (
        "--partition 0:0",
        partition_from!(0),
        0,
        "Deleted: 0 records",
        "",
    ),
    (
        "--everything 0",
        partition_from!(9),
        4,
        "Deleted: up to 9 records",
        LESS,
    ),
    (
        "--everything 0",
        partition_from!(10),
        0,
        "Deleted: up to 10 records",
        "",
    ),
    (
        "--before-offset 5",
        partition_from!(0),
        4,
        "Deleted: 0 records",
        LESS,
    ),
    (
        "--keep-last 3",
        partition_from!(7),
        0,
        "Deleted: up to 7 records",
        "",
    ),
    (
        "--partition 0:5",
        BROKEN,
        0,
        "Reported as deleted: up to 5 records",
        "",
    ),
    (
        "--partition 0:5",
        INVALID,
        0,
        "Reported as deleted: up to 5 records",
        "",
    ),
    (
        "--partition 0:5",
        (200, r#"{"total":0,"partitions":[]}"#),
        0,
        "Reported as deleted: up to 5 records",
        "",
    ),
];

/// The service reports a success, whatever it did.
#[test]
fn a_result_claims_no_more_than_the_partitions_prove() {
    for &(what, after, code, claims, says) in CLAIMS {
        let start = partition_from!(0);
        let (endpoint, _requests) = service_that_changes(start, after);
        let delete = format!("delete --topic orders {what} --yes");
        let output = at(&endpoint, &delete).ends_with(code);
        assert!(
            stdout(&output).contains(claims),
            "{what} {after:?}: {}",
            stdout(&output)
        );
        assert_stderr(&output, says);
        let (endpoint, _requests) = service_that_changes(start, after);
        // With --yes and explicit offsets, JSON has no preview.
        let is_script = !what.contains("keep") && !what.contains("before");
        let code = if is_script { 0 } else { code };
        let output = at(&endpoint, &format!("{delete} --output json")).ends_with(code);
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            printed["partitions"][0]["start_after"].is_null(),
            is_script,
            "{printed}"
        );
        if code == 4 {
            let error: Value =
                serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
            assert_eq!(
                (&error["kind"], &error["outcome"]),
                (&json!("unconfirmed"), &json!("unknown"))
            );
        }
    }
}

/// The service lists neither offsets of a time nor all records from a time on.
#[test]
fn a_time_that_cannot_be_resolved_exactly_is_refused_with_the_flag_to_add() {
    let (endpoint, requests) = service(partition_from!(0));
    for line in [
        "delete --topic orders --older-than 1d --yes",
        "plan --topic orders --older-than 1d",
    ] {
        let output = at(&endpoint, line).ends_with(2);
        assert_stderr(&output, "add --trust-timestamps");
    }
    assert!(!requests.try_iter().any(|is_deletion| is_deletion));
}

/// More than five wrong signatures lock an access key.
#[test]
fn rejected_credentials_end_the_command_after_one_request() {
    for what in [
        "delete --topic orders --partition 0:1 --yes",
        "delete --topic orders --keep-last 1 --yes --output json",
        "plan --topic orders --consumed-by-all",
        "topic orders",
        "topics",
    ] {
        let (endpoint, requests) = service(REJECTED);
        let output = at(&endpoint, what).ends_with(3);
        assert_eq!(requests.try_iter().collect::<Vec<_>>(), [false], "{what}");
        assert_stderr(&output, "wrong signature");
    }
}

#[cfg(unix)]
mod at_a_terminal {
    use super::*;
    use crate::support::through_shell;
    use crate::terminal::{at_a_terminal, ends_with, exit_code};

    /// The partitions have 1,000 records each.
    #[test]
    fn the_topic_name_is_asked_if_a_partition_would_be_emptied() {
        let served = Served::start();
        for (what, word) in [
            ("--partition 0:999", "yes"),
            ("--partition 0:0", "yes"),
            ("--partition 0:1000", "orders"),
            ("--partition 0:1001", "orders"),
            ("--partition 0:400 --partition 1:1000", "orders"),
            ("--partition 0:400 --partition 7:5", "orders"),
            ("--partition 0:400 --everything 2", "orders"),
        ] {
            let mut session = at_a_terminal(served.delete(what));
            session
                .exp_string(&format!("Type {word} to delete: "))
                .unwrap();
            session.send_line("no").unwrap();
            session
                .exp_string(&format!("{word:?} was expected; nothing was deleted"))
                .unwrap();
            ends_with(&mut session, 2);
        }
        // The records are gone, so nothing can be lost.
        served.delete("--everything 1 --yes").ends_with(0);
        let mut session = at_a_terminal(served.delete("--partition 1:1000"));
        session.exp_string("Type yes to delete: ").unwrap();
    }

    #[test]
    fn a_preview_that_is_not_possible_stops_before_the_question() {
        for (list, words) in [
            (UNKNOWN_TOPIC, "no such topic"),
            (FORBIDDEN, "to delete without one, add --yes"),
            (BROKEN, "to delete without one, add --yes"),
        ] {
            let (endpoint, requests) = service(list);
            let mut session = at_a_terminal(at(&endpoint, "delete --topic orders --partition 0:1"));
            let shown = session.exp_eof().unwrap();
            assert!(shown.contains(words), "{shown}");
            assert!(!shown.contains("Type"), "{shown}");
            assert_eq!(exit_code(&session), 3);
            assert!(!requests.try_iter().any(|is_deletion| is_deletion));
        }
    }

    #[test]
    fn offsets_and_partitions_that_will_be_refused_are_reported_before_the_question() {
        let served = Served::start();
        for (what, warning) in [
            (
                "--partition 0:5000",
                "partition 0: the offset 5,000 is beyond the end 1,000",
            ),
            ("--partition 7:5", "topic orders has no partition 7"),
            ("--everything 7", "topic orders has no partition 7"),
        ] {
            let mut session = at_a_terminal(served.delete(what));
            session
                .exp_string(&format!("warning: {warning}: the service will refuse it"))
                .unwrap();
            session.exp_string("Type orders to delete: ").unwrap();
        }
    }

    #[test]
    fn the_preview_has_totals_and_a_colour_for_emptied_partitions() {
        let served = Served::with_topics(&["orders:2:1234567"]);
        let what = "--partition 0:400000 --everything 1";
        let mut session = at_a_terminal(served.delete(what));
        let shown = session.exp_string("Type orders").unwrap();
        assert!(
            shown.contains("Total: up to 1,634,567 of 2,469,134 records (66%)"),
            "{shown}"
        );
        let red = shown.lines().filter(|line| line.contains("\u{1b}[31m"));
        assert!(
            red.clone()
                .all(|line| line.contains("everything") || line.contains("Total")),
            "{shown:?}"
        );
        // The partition and the total.
        assert_eq!(red.count(), 2, "{shown:?}");
        assert!(shown.contains("    400,000"), "{shown}");
        assert!(
            shown.contains("Partitions: 2; emptied partitions: 1"),
            "{shown}"
        );
    }

    #[test]
    fn json_reports_the_offsets_of_the_preview() {
        let served = Served::start();
        let mut session =
            at_a_terminal(served.delete("--partition 0:400 --partition 1:5000 -o json"));
        session.exp_string("Type orders to delete: ").unwrap();
        session.send_line("orders").unwrap();
        let shown = session.exp_eof().unwrap();
        let line = shown.lines().find(|line| line.starts_with('{')).unwrap();
        let printed: Value = serde_json::from_str(line).unwrap();
        let rows = printed["partitions"].as_array().unwrap();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| json!([row["start"], row["end"], row["records"]]))
            .collect();
        assert_eq!(rows, [json!([0, 1000, 400]), json!([0, 1000, 0])]);
        assert_eq!(exit_code(&session), 1);
    }

    #[test]
    fn a_table_that_is_wider_than_the_terminal_shows_one_cell_on_each_line() {
        let served = Served::start();
        let narrow = "stty rows 24 columns 30 && exec \"$0\" \"$@\"";
        let delete = served.delete("--partition 0:400 --partition 1:1000 --yes");
        let mut session = at_a_terminal(through_shell(narrow, &delete));
        let shown = session.exp_eof().unwrap();
        assert!(
            shown.lines().all(|line| line.chars().count() <= 70),
            "{shown}"
        );
        for words in ["BEFORE     1,000", "RECORDS    400", "START AFTER  1,000"] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert_eq!(exit_code(&session), 0);
    }
}
