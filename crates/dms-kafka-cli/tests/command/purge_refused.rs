//! `dms-kafka purge`: input that is refused before anything is sent.

use std::process::Stdio;

use crate::support::{
    Folder, Run as _, Served, assert_stderr, at, dms_kafka, ended_with, listener, rows, stdout,
    words,
};

const ROW: &str = r#"{"topic":"a","partition":0,"offset":1}"#;

/// Exit code, content of the offsets file, arguments, and words of the message. No connection is opened.
const REFUSED: &[(i32, &str, &str, &[&str])] = &[
    (2, "", "", &["has no rows"]),
    (2, r#"{"partitions":[],"version":1}"#, "", &["has no rows"]),
    (
        2,
        ROW,
        "--output json --concurrncy 2",
        &["found; tip: a similar argument exists: '--concurrency'\""],
    ),
    (
        2,
        ROW,
        "--output json --max-failures x",
        &["whole number from 1 to"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"a\",\"partition\":0,\"offset\":2}\n",
        "",
        &["row 2: ", "topic a, partition 0 is already in row 1"],
    ),
    (
        2,
        "{\"partitions\":[\n{\"topic\":\"a\",\"partition\":0,\"offset\":1},\n{\"topic\":\"a\",\"partition\":0,\"offset\":1}]}",
        "",
        &["row 2: ", "already in row 1"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"a\",\"partition\":1,\"offset\":-1}\n",
        "",
        &["row 2", "--allow-everything"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"partition\":0,\"offset\":1}\nx",
        "",
        &["line 2, column 1: "],
    ),
    (2, ROW, "--concurrency 0", &["--concurrency"]),
    (
        2,
        ROW,
        "--journal /dev/full",
        &["/dev/full", "not a regular file"],
    ),
    (5, ROW, "--journal no/such/folder/j", &["no/such/folder/j"]),
    (
        5,
        ROW,
        "--failures-file no/such/folder/f",
        &[
            "the failures file no/such/folder/f cannot be written: No such file or directory (os error 2); nothing",
        ],
    ),
    (2, ROW, "--failures f", &["--failures-file"]),
    (
        2,
        ROW,
        "--progress-every 18446744073709551615",
        &["--progress-every"],
    ),
    (
        2,
        "{\"topic\":\"a\",\"\\u001b[31m\":0,\"offset\":1}",
        "",
        &["line 1, column ", "unknown field `\\u{1b}[31m`"],
    ),
];

#[test]
fn nothing_is_sent_if_the_file_or_a_flag_is_not_valid() {
    let (listener, endpoint) = listener();
    listener.set_nonblocking(true).unwrap();
    for (code, content, line, expected) in REFUSED {
        let folder = Folder::new(content);
        let output = at(&endpoint, "purge --yes --offsets-file")
            .arg(&folder.offsets)
            .args(words(line))
            .ends_with(*code);
        for word in *expected {
            assert_stderr(&output, word);
        }
        assert_eq!(stdout(&output), "");
        assert!(
            listener.accept().is_err(),
            "{content} {line}: a connection was opened"
        );
    }
}

#[test]
fn rows_from_standard_input_are_validated_before_any_is_sent() {
    let served = Served::start();
    let run = |input: &str, line: &str, code| {
        let mut process = served.purge("-", line).stdin(Stdio::piped()).start();
        // A command that refuses at once does not read.
        let _ = std::io::Write::write_all(&mut process.stdin.take().unwrap(), input.as_bytes());
        ended_with(process, code)
    };
    let bad = run(&(rows(&[("orders", 0, 10)]) + "x"), "--yes", 2);
    assert_stderr(&bad, "standard input, line 2, column 1");
    let unasked = run(&rows(&[("orders", 0, 10)]), "", 2);
    assert_stderr(&unasked, "--yes");
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
    run(&rows(&[("orders", 0, 10)]), "--yes", 0);
    assert_eq!(served.starts("orders", 3), [10, 0, 0]);
}

#[test]
fn without_a_terminal_nothing_is_sent_unless_yes_is_given() {
    let served = Served::start();
    let folder = Folder::new(&rows(&[("orders", 0, 10)]));
    let output = served.purge(&folder.offsets, "").ends_with(2);
    assert_stderr(&output, "--yes");
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

#[test]
fn the_failures_file_replaces_neither_the_offsets_file_nor_the_journal() {
    let folder = Folder::with_partitions(1);
    let offsets = folder.path("offsets");
    let journal = folder.path("journal");
    std::fs::create_dir(folder.path("more")).unwrap();
    for failures in ["./offsets", "journal", "more/../journal"].map(|name| folder.path(name)) {
        let files =
            format!("--offsets-file {offsets} --journal {journal} --failures-file {failures}");
        let output = at("http://127.0.0.1:9", &format!("purge --yes {files}")).ends_with(2);
        assert_stderr(&output, "would replace");
        assert!(!std::fs::exists(&journal).unwrap(), "a journal was begun");
    }
}

#[test]
fn missing_credentials_end_with_exit_code_2() {
    let folder = Folder::new(&rows(&[("a", 0, 1)]));
    let output = at(
        "http://127.0.0.1:9",
        "purge --yes --output json --offsets-file",
    )
    .arg(&folder.offsets)
    .env_remove("HUAWEICLOUD_SDK_SK")
    .ends_with(2);
    assert_stderr(&output, "HUAWEICLOUD_SDK_SK");
}

#[test]
fn a_folder_is_not_an_offsets_file() {
    let folder = Folder::new("");
    let output = dms_kafka("purge --embedded --yes --offsets-file")
        .arg(folder.path(""))
        .ends_with(5);
    assert_stderr(&output, "cannot be read: Is a directory");
}
