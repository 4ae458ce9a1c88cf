//! What `dms-kafka purge` refuses before anything is sent.

use std::path::PathBuf;
use std::process::Stdio;

use crate::folder::Folder;
use crate::purge::rows;
use crate::support::{Served, command, stderr, stdout};

/// Exit code, content of the offsets file, arguments, and words of the message. No connection is opened.
const REFUSED: &[(i32, &str, &[&str], &[&str])] = &[
    (2, "", &[], &["holds no row"]),
    (
        2,
        r#"{"partitions":[],"version":1}"#,
        &[],
        &["holds no row"],
    ),
    (
        2,
        r#"{"partitions":[],"version":2}"#,
        &[],
        &["line 1, column ", "it must be 1"],
    ),
    (
        2,
        r#"{"partitions":[],"version":"1"}"#,
        &[],
        &["line 1, column ", "string \"1\", expected the version 1"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--output", "json", "--concurrncy", "2"],
        &["found; tip: a similar argument exists: '--concurrency'\""],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--output", "json", "--max-failures", "x"],
        &["found in string\""],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"a\",\"partition\":0,\"offset\":2}\n",
        &[],
        &[
            "row 2: ",
            "topic a, partition 0 is named again",
            "first in row 1",
        ],
    ),
    (
        2,
        "{\"partitions\":[\n{\"topic\":\"a\",\"partition\":0,\"offset\":1},\n{\"topic\":\"a\",\"partition\":0,\"offset\":1}]}",
        &[],
        &["row 2: ", "named again", "first in row 1"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"a\",\"partition\":1,\"offset\":-1}\n",
        &[],
        &["line 2", "--allow-everything"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\nx",
        &[],
        &["line 2, column 1: "],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--concurrency", "0"],
        &["--concurrency"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--journal", "/dev/full"],
        &["/dev/full", "not a regular file"],
    ),
    (
        5,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--journal", "no/such/folder/j"],
        &["no/such/folder/j"],
    ),
    (
        5,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--failures-file", "no/such/folder/f"],
        &["no/such/folder/f"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--failures", "f"],
        &["--failures-file"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}",
        &["--progress-every", "18446744073709551615"],
        &["--progress-every"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"\\u001b[31m\":0,\"offset\":1}",
        &[],
        &["line 1, column ", "unknown field `\\u{1b}[31m`"],
    ),
];

#[test]
fn nothing_is_sent_of_a_file_that_breaks_a_rule() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    for (code, content, arguments, words) in REFUSED {
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
            Some(*code),
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
fn the_rows_left_replace_neither_the_offsets_nor_the_journal() {
    let folder = Folder::with_partitions(1);
    let offsets = folder.path("offsets");
    let journal = folder.path("journal");
    std::fs::create_dir(folder.path("more")).unwrap();
    for failures in ["./offsets", "journal", "more/../journal"].map(|name| folder.path(name)) {
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
                &journal,
                "--failures-file",
                &failures,
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("would replace"),
            "{}",
            stderr(&output)
        );
        assert!(!PathBuf::from(&journal).exists(), "a journal was begun");
    }
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

#[test]
fn a_folder_is_no_offsets_file() {
    let folder = Folder::new("");
    let output = command()
        .args(["purge", "--embedded", "--yes", "--offsets-file"])
        .arg(folder.path(""))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("cannot be read: Is a directory"),
        "{}",
        stderr(&output)
    );
}
