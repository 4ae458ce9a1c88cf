//! `dms-kafka purge` from outside: what is refused, what is printed, and what is left.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Served, command, stderr, stdout};

/// A folder with an offsets file.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) offsets: PathBuf,
}

impl Folder {
    pub(crate) fn new(offsets: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        fs::write(&path, offsets).unwrap();
        Self {
            folder,
            offsets: path,
        }
    }

    /// As many partitions of topic `t0`, each to be deleted below 7.
    pub(crate) fn with_partitions(count: u32) -> Self {
        let mut rows = String::new();
        for partition in 0..count {
            writeln!(
                rows,
                "{{\"topic\":\"t0\",\"partition\":{partition},\"offset\":7}}"
            )
            .unwrap();
        }
        Self::new(&rows)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn rows(rows: &[(&str, i32, i64)]) -> String {
    rows.iter()
        .map(|(topic, partition, offset)| {
            json!({"topic": topic, "partition": partition, "offset": offset}).to_string() + "\n"
        })
        .collect()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_file_of_kafka_delete_records_is_carried_out() {
    let served = Served::with_topics(&["orders:3:1000", "bills:2:500"]);
    let folder = Folder::new(
        r#"{"partitions":[{"topic":"orders","partition":0,"offset":400},
            {"topic":"bills","partition":1,"offset":10},{"topic":"orders","partition":2,"offset":7}],"version":1}"#,
    );
    let output = served.purge(&folder.offsets, &["--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = "\
ROWS  DELETED  FAILED  REQUEST FAILED  UNKNOWN  NOT SENT
   3        3       0               0        0         0
";
    assert_eq!(stdout(&output), expected);
    assert!(
        stderr(&output).contains("orders          0  before 400      0  1000                400"),
        "{}",
        stderr(&output)
    );
    assert_eq!(served.starts("orders", 3), [400, 0, 7]);
    assert_eq!(served.starts("bills", 2), [0, 10]);
}

#[test]
fn each_row_has_its_line_and_the_rows_left_can_be_fed_back() {
    let served = Served::with_topics(&["orders:4:1000"]);
    let folder = Folder::new(&rows(&[
        ("orders", 0, 400),
        ("orders", 1, 5000),
        ("nowhere", 0, 1),
        ("orders", 2, -1),
        ("orders", 7, 1),
    ]));
    let left = folder.path("left");
    let arguments = [
        "--yes",
        "--allow-everything",
        "--output",
        "ndjson",
        "--failures-file",
        &left,
    ];
    let output = served.purge(&folder.offsets, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
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
                    "request_id": null, "outcome": "not_applied", "attempts": 1}}),
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
    let again = served
        .purge(left.as_ref(), &["--yes", "--output", "json"])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(3), "{}", stderr(&again));
    let told: Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(
        (&told["rows"], &told["failed"], &told["request_failed"]),
        (&json!(3), &json!(2), &json!(1))
    );
    assert_eq!(told["failures"].as_array().unwrap().len(), 3);
}

#[test]
fn the_rows_left_of_a_document_are_a_document() {
    let folder = Folder::new(
        r#"{"version":1,"partitions":[{"topic":"a","partition":0,"offset":1},{"topic":"a","partition":1,"offset":5000},
            {"topic":"a","partition":2,"offset":6000}]}"#,
    );
    let left = folder.path("left");
    let output = command()
        .args([
            "purge",
            "--embedded",
            "--yes",
            "--failures-file",
            &left,
            "--offsets-file",
        ])
        .arg(&folder.offsets)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = folder.read("left");
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({"version": 1, "partitions": [
            {"topic": "a", "partition": 1, "offset": 5000},
            {"topic": "a", "partition": 2, "offset": 6000}]})
    );
}

/// Content of the offsets file, arguments, and words of the message. Exit code 2, and no connection is opened.
const REFUSED: &[(&str, &[&str], &[&str])] = &[
    ("", &[], &["holds no row"]),
    (r#"{"partitions":[],"version":1}"#, &[], &["holds no row"]),
    (
        r#"{"partitions":[],"version":2}"#,
        &[],
        &["line 1, column ", "it must be 1"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"a\",\"partition\":0,\"offset\":2}\n",
        &[],
        &[
            "line 2, column 38: ",
            "topic a, partition 0 is named again",
            "first in line 1",
        ],
    ),
    (
        "{\"partitions\":[\n{\"topic\":\"a\",\"partition\":0,\"offset\":1},\n{\"topic\":\"a\",\"partition\":0,\"offset\":1}]}",
        &[],
        &["line 3, column ", "named again", "first in line 2"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"a\",\"partition\":1,\"offset\":-1}\n",
        &[],
        &["line 2", "--allow-everything"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\nx",
        &[],
        &["line 2, column 1: "],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--concurrency", "0"],
        &["--concurrency"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--journal", "/dev/full"],
        &["/dev/full", "not a regular file"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--journal", "no/such/folder/j"],
        &["no/such/folder/j"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--failures-file", "no/such/folder/f"],
        &["no/such/folder/f"],
    ),
    (
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--failures", "f"],
        &["--failures-file"],
    ),
];

#[test]
fn nothing_is_sent_of_a_file_that_breaks_a_rule() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    for (content, arguments, words) in REFUSED {
        let folder = Folder::new(content);
        let output = command()
            .args([
                "purge",
                "--endpoint",
                &endpoint,
                "--project-id",
                "p",
                "--instance-id",
                "i",
                "--yes",
            ])
            .arg("--offsets-file")
            .arg(&folder.offsets)
            .args(*arguments)
            .envs([
                ("HUAWEICLOUD_SDK_AK", "key"),
                ("HUAWEICLOUD_SDK_SK", "secret"),
            ])
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{content} {arguments:?}: {}",
            stderr(&output)
        );
        for word in *words {
            assert!(
                stderr(&output).contains(word),
                "{content} {arguments:?}: {} lacks {word}",
                stderr(&output)
            );
        }
        assert_eq!(stdout(&output), "");
        assert!(
            listener.accept().is_err(),
            "{content} {arguments:?}: a connection was opened"
        );
    }
}

#[test]
fn rows_from_standard_input_are_checked_as_a_whole_too() {
    let served = Served::start();
    let run = |input: &str, arguments: &[&str]| {
        let mut process = served
            .purge("-".as_ref(), arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses at once does not read.
        let _ = std::io::Write::write_all(&mut process.stdin.take().unwrap(), input.as_bytes());
        process.wait_with_output().unwrap()
    };
    let bad = run(&(rows(&[("orders", 0, 10)]) + "x"), &["--yes"]);
    assert_eq!(bad.status.code(), Some(2), "{}", stderr(&bad));
    assert!(
        stderr(&bad).contains("standard input, line 2, column 1"),
        "{}",
        stderr(&bad)
    );
    let unasked = run(&rows(&[("orders", 0, 10)]), &[]);
    assert_eq!(unasked.status.code(), Some(2), "{}", stderr(&unasked));
    assert!(stderr(&unasked).contains("--yes"), "{}", stderr(&unasked));
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
    let good = run(&rows(&[("orders", 0, 10)]), &["--yes"]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert_eq!(served.starts("orders", 3), [10, 0, 0]);
}

#[test]
fn without_a_terminal_nothing_is_sent_unless_yes_is_given() {
    let served = Served::start();
    let folder = Folder::new(&rows(&[("orders", 0, 10)]));
    let output = served.purge(&folder.offsets, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn a_dry_run_prints_each_request_and_sends_nothing() {
    let folder = Folder::new(&rows(&[
        ("a", 0, 5),
        ("b", 0, -1),
        ("a", 1, 6),
        ("a", 2, 7),
    ]));
    let output = command()
        .args([
            "purge",
            "--endpoint",
            "https://192.0.2.1",
            "--project-id",
            "p",
            "--instance-id",
            "i",
        ])
        .args([
            "--dry-run",
            "--allow-everything",
            "--partitions-per-request",
            "2",
            "--offsets-file",
        ])
        .arg(&folder.offsets)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
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
fn a_topic_that_is_not_there_hides_no_other_in_the_plan() {
    let served = Served::start();
    let folder = Folder::new(&rows(&[("absent", 0, 5), ("orders", 0, 5)]));
    let output = served.purge(&folder.offsets, &["--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let plan = "\
TOPIC   PARTITION  DELETE    START   END  RECORDS TO DELETE
absent          0  before 5      -     -                  -
orders          0  before 5      0  1000                  5
";
    assert!(stderr(&output).contains(plan), "{}", stderr(&output));
}

/// A service with nothing but the deletion, as the vendor's page has it.
#[test]
fn without_the_companion_there_is_no_preview_and_the_deletion_goes_on() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            std::thread::spawn(move || answer_deletions_only(&connection));
        }
    });
    let folder = Folder::new(&rows(&[("a", 0, 5)]));
    let output = command()
        .args([
            "purge",
            "--endpoint",
            &endpoint,
            "--project-id",
            "p",
            "--instance-id",
            "i",
            "--yes",
        ])
        .arg("--offsets-file")
        .arg(&folder.offsets)
        .envs([
            ("HUAWEICLOUD_SDK_AK", "key"),
            ("HUAWEICLOUD_SDK_SK", "secret"),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("before 5      -    -                  -"),
        "{}",
        stderr(&output)
    );
}

fn answer_deletions_only(connection: &std::net::TcpStream) -> Option<()> {
    let mut lines = BufReader::new(connection);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            (lines.read_line(&mut head).ok()? > 0).then_some(())?;
            let line = head[start..].to_ascii_lowercase();
            length = line
                .strip_prefix("content-length:")
                .map_or(length, |text| text.trim().parse().unwrap());
        }
        lines.read_exact(&mut vec![0; length]).ok()?;
        let (status, body) = if head.starts_with("POST") {
            (
                "200 OK",
                r#"{"partitions":[{"partition":0,"error_code":0,"result":"success"}]}"#,
            )
        } else {
            ("405 Method Not Allowed", "")
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        std::io::Write::write_all(&mut &*connection, answer.as_bytes()).ok()?;
    }
}

#[test]
fn wrong_credentials_stop_at_the_first_request() {
    let served = Served::with_topics(&["orders:200:1000"]);
    let all: Vec<_> = (0..200).map(|partition| ("orders", partition, 5)).collect();
    let folder = Folder::new(&rows(&all));
    let output = served
        .purge(
            &folder.offsets,
            &["--yes", "--output", "json", "--concurrency", "8"],
        )
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&told["request_failed"], &told["not_sent"]),
        (&json!(10), &json!(190)),
        "{told}"
    );
    assert!(
        stderr(&output).contains("APIGW.0301"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_service_out_of_reach_and_an_instance_that_is_not_there_stop_at_the_first_request() {
    let served = Served::with_topics(&["t0:30:1000"]);
    let folder = Folder::with_partitions(30);
    // A port that was free a moment ago; nothing listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let journal = folder.path("journal");
    for more in [
        ["--endpoint", nowhere.as_str()],
        ["--instance-id", "nowhere"],
    ] {
        let mut purge = command();
        purge.args([
            "purge",
            "--yes",
            "--output",
            "json",
            "--project-id",
            served.text("project_id"),
        ]);
        if more[0] == "--endpoint" {
            purge.args(["--instance-id", "i"]);
        } else {
            purge.args(["--endpoint", served.text("endpoint"), "--journal", &journal]);
        }
        purge
            .args(more)
            .arg("--offsets-file")
            .arg(&folder.offsets)
            .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
            .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"));
        let output = purge.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(3),
            "{more:?}: {}",
            stderr(&output)
        );
        let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            (&told["request_failed"], &told["not_sent"]),
            (&json!(10), &json!(20)),
            "{told}"
        );
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
    let arguments = [
        "--yes",
        "--output",
        "json",
        "--max-failures",
        "15",
        "--concurrency",
        "1",
    ];
    let output = served.purge(&folder.offsets, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&told["failed"], &told["not_sent"]),
        (&json!(20), &json!(180)),
        "{told}"
    );
    assert!(
        stderr(&output).contains("too many rows have failed"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_rows_left_replace_neither_the_offsets_nor_the_journal() {
    let folder = Folder::with_partitions(1);
    let offsets = folder.path("offsets");
    let same = [folder.path("./offsets"), folder.path("journal")];
    for failures in &same {
        let output = command()
            .args([
                "purge",
                "--endpoint",
                "http://127.0.0.1:9",
                "--project-id",
                "p",
                "--instance-id",
                "i",
                "--yes",
            ])
            .args([
                "--offsets-file",
                &offsets,
                "--journal",
                &same[1],
                "--failures-file",
                failures,
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("would replace"),
            "{}",
            stderr(&output)
        );
        assert!(!PathBuf::from(&same[1]).exists(), "a journal was begun");
    }
}

#[test]
fn failures_of_earlier_runs_count_for_the_end_but_not_for_stopping() {
    let served = Served::with_topics(&["t0:30:5"]);
    let folder = Folder::with_partitions(30);
    let journal = folder.path("journal");
    let arguments = [
        "--yes",
        "--output",
        "json",
        "--max-failures",
        "10",
        "--concurrency",
        "1",
        "--journal",
        &journal,
    ];
    for (not_sent, failed) in [(20, 10), (10, 20), (0, 30), (0, 30)] {
        let output = served.purge(&folder.offsets, &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            (&told["not_sent"], &told["failed"]),
            (&json!(not_sent), &json!(failed))
        );
    }
}

/// A service that is away for a while is no reason to give rows up.
#[test]
fn rows_that_never_reached_the_service_are_sent_when_the_purge_is_taken_up_again() {
    let served = Served::with_topics(&["t0:30:1000"]);
    let folder = Folder::with_partitions(30);
    let (journal, left) = (folder.path("journal"), folder.path("left"));
    let arguments = [
        "--yes",
        "--output",
        "json",
        "--journal",
        &journal,
        "--failures-file",
        &left,
    ];
    let refused = served
        .purge(&folder.offsets, &arguments)
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert_eq!(folder.read("left").lines().count(), 30);
    let again = served.purge(&folder.offsets, &arguments).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(folder.read("left"), "");
    assert!(served.starts("t0", 30).iter().all(|start| *start == 7));
}

#[test]
fn missing_credentials_are_bad_usage() {
    let folder = Folder::new(&rows(&[("a", 0, 1)]));
    let output = command()
        .args([
            "purge",
            "--endpoint",
            "http://127.0.0.1:9",
            "--project-id",
            "p",
            "--instance-id",
            "i",
            "--yes",
        ])
        .args(["--output", "json", "--offsets-file"])
        .arg(&folder.offsets)
        .env("HUAWEICLOUD_SDK_AK", "half-set")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("HUAWEICLOUD_SDK_SK"),
        "{}",
        stderr(&output)
    );
}

/// A proxy that hangs up after a request has reached it: nobody knows what became of it.
#[test]
fn an_unknown_outcome_ends_with_4_and_everything_is_not_left_to_be_repeated() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let mut begun = [0];
            let _ = std::io::Read::read_exact(&mut connection, &mut begun);
        }
    });
    let folder = Folder::new(&rows(&[("a", 0, -1)]));
    let left = folder.path("left");
    let output = command()
        .args([
            "purge",
            "--endpoint",
            &endpoint,
            "--project-id",
            "p",
            "--instance-id",
            "i",
            "--yes",
        ])
        .args([
            "--allow-everything",
            "--output",
            "ndjson",
            "--failures-file",
            &left,
            "--offsets-file",
        ])
        .arg(&folder.offsets)
        .envs([
            ("HUAWEICLOUD_SDK_AK", "key"),
            ("HUAWEICLOUD_SDK_SK", "secret"),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(json_lines(&stdout(&output))[0]["outcome"], "unknown");
    assert_eq!(folder.read("left"), "");
}
