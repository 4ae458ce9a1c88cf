//! `dms-kafka purge`: input that is refused before anything is sent.

use std::process::Stdio;

use crate::support::{
    Folder, Run as _, Served, assert_stderr, at, dms_kafka, ended_with, endpoint_of_nothing,
    json_lines, listener, rows, stderr, stdout, through_shell, words,
};

const ROW: &str = r#"{"topic":"a","partition":0,"offset":1}"#;

/// Exit code, content of the offsets file, arguments, and words of the message. No connection is opened.
const REFUSED: &[(i32, &str, &str, &[&str])] = &[
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
            "--failures-file no/such/folder/f: the file cannot be written: No such file or directory (os error 2); nothing",
        ],
    ),
    (2, ROW, "--failures f", &["--failures-file"]),
    (2, ROW, "--overwrite", &["--failures-file"]),
    (2, ROW, "--allow-other-endpoint", &["--journal"]),
    (2, ROW, "--pause 0", &["'0'", "--pause", "more than 0"]),
    (2, ROW, "--pause -1", &["'-1'", "--pause", "more than 0"]),
    (
        2,
        ROW,
        "--pause x",
        &["'x'", "--pause", "seconds, such as 0.5"],
    ),
    (
        2,
        ROW,
        "--give-up-after inf",
        &["'inf'", "--give-up-after", "at most 86400"],
    ),
    (2, ROW, "--give-up-after NaN", &["'NaN'", "--give-up-after"]),
    (2, ROW, "--pause-after 0", &["'0'", "--pause-after"]),
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
fn an_offsets_file_without_rows_is_not_an_error() {
    let (listener, endpoint) = listener();
    listener.set_nonblocking(true).unwrap();
    for content in [
        "",
        "\n",
        r#"{"partitions":[],"version":1}"#,
        r#"{"partitions":[]}"#,
    ] {
        for form in ["table", "json", "ndjson"] {
            let folder = Folder::new(content);
            let files = format!(
                "--journal {} --failures-file {}",
                folder.path("journal"),
                folder.path("left")
            );
            let output = at(
                &endpoint,
                &format!("purge --yes --output {form} {files} --offsets-file"),
            )
            .arg(&folder.offsets)
            .ends_with(0);
            let printed = stdout(&output) + &stderr(&output);
            let words = if form == "table" {
                "has no rows: nothing to delete"
            } else {
                r#""rows":0"#
            };
            assert!(printed.contains(words), "{content:?} {form}: {printed}");
            // Rows that are left can be sent again, also none.
            at(&endpoint, "purge --yes --offsets-file")
                .arg(folder.path("left"))
                .ends_with(0);
        }
    }
    assert!(listener.accept().is_err(), "a connection was opened");
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

/// The rows that were not deleted are written however the purge ends: without a preview, credentials or connection, and
/// before or after the first request.
#[test]
fn the_failures_file_is_written_when_the_purge_ends_early() {
    let served = Served::start();
    for form in ["table", "json", "ndjson", "json --journal JOURNAL"] {
        let folder = Folder::new(&rows(&[("orders", 0, 10), ("orders", 1, 10)]));
        let left = folder.path("left");
        let form = form.replace("JOURNAL", &folder.path("journal"));
        let line = format!("--yes --output {form} --overwrite --failures-file {left}");
        let mut wrong_key = served.purge(&folder.offsets, &line);
        wrong_key.env("HUAWEICLOUD_SDK_SK", "wrong");
        let mut no_key = served.purge(&folder.offsets, &line);
        no_key.env_remove("HUAWEICLOUD_SDK_SK");
        let mut no_connection = at(&endpoint_of_nothing(), "purge --offsets-file");
        no_connection.arg(&folder.offsets).args(words(&line));
        let mut wrong_instance = dms_kafka("purge --instance-id nowhere --offsets-file");
        wrong_instance
            .arg(&folder.offsets)
            .args(words(&line))
            .args(["--endpoint", served.text("endpoint")])
            .args(["--project-id", served.text("project_id")])
            .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
            .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"));
        for (mut purge, code) in [
            (wrong_key, 3),
            (no_key, 2),
            (no_connection, 3),
            (wrong_instance, 3),
        ] {
            let _ = std::fs::remove_file(&left);
            let _ = std::fs::remove_file(folder.path("journal"));
            let output = purge.output().unwrap();
            assert_eq!(
                output.status.code(),
                Some(code),
                "{form}: {}",
                stderr(&output)
            );
            let left = json_lines(&folder.read("left"));
            assert_eq!(left, json_lines(&folder.read("offsets")), "{form}");
        }
    }
}

#[test]
fn an_existing_failures_file_is_replaced_only_with_overwrite() {
    let folder = Folder::new(&rows(&[("orders", 0, 5000)]));
    let left = folder.path("left");
    std::fs::write(&left, "precious").unwrap();
    let purge = format!("purge --embedded --yes --failures-file {left} --offsets-file");
    let refused = dms_kafka(&purge).arg(&folder.offsets).ends_with(2);
    assert_stderr(&refused, "add --overwrite");
    assert_eq!(folder.read("left"), "precious");
    let mut replacing = dms_kafka(&purge);
    replacing
        .arg(&folder.offsets)
        .arg("--overwrite")
        .ends_with(1);
    assert_eq!(
        json_lines(&folder.read("left")),
        json_lines(&folder.read("offsets"))
    );
    std::fs::write(folder.path("empty"), "").unwrap();
    for (path, cause) in [
        (folder.path("empty"), "add --overwrite"),
        (folder.path(""), "is a folder"),
        ("-".to_owned(), "standard output"),
    ] {
        let purge = format!("purge --embedded --yes --failures-file {path} --offsets-file");
        let refused = dms_kafka(&purge).arg(&folder.offsets).ends_with(2);
        assert_stderr(&refused, cause);
    }
    assert!(!std::fs::exists("-").unwrap());
}

/// A link to nothing would be replaced too.
#[test]
#[cfg(unix)]
fn links_and_standard_streams_are_not_replaced_by_the_failures_file() {
    let folder = Folder::new(&rows(&[("orders", 0, 5000)]));
    let (link, results) = (folder.path("link"), folder.path("results"));
    std::os::unix::fs::symlink(folder.path("nothing"), &link).unwrap();
    for (left, code, redirection) in [
        (link.as_str(), 2, ""),
        ("/dev/stdout", 2, "> \"$RESULTS\""),
        ("/dev/stdout", 2, "| cat > \"$RESULTS\""),
        ("/dev/stderr", 2, "2> \"$RESULTS\""),
        (&results, 2, "> \"$RESULTS\""),
        (&results, 2, "< \"$RESULTS\""),
        ("/dev/null", 1, ""),
    ] {
        let overwrite = if left == link { "" } else { " --overwrite" };
        let mut inner = dms_kafka(&format!(
            "purge --embedded --yes{overwrite} --failures-file {left} --offsets-file"
        ));
        inner.arg(&folder.offsets);
        let shell = format!("exec 4>&1; {{ \"$0\" \"$@\"; echo $? >&4; }} {redirection}");
        let output = through_shell(&shell, &inner)
            .env("RESULTS", &results)
            .output()
            .unwrap();
        let printed = stdout(&output);
        assert!(
            printed.trim_end().ends_with(&code.to_string()),
            "{left} {redirection}: {printed}{}",
            stderr(&output)
        );
    }
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

/// Rows of other tools: the message says what is expected instead.
#[test]
fn an_offsets_file_of_another_tool_is_refused_with_the_two_forms() {
    for content in [
        "orders 0 120\n",
        "orders,0,120\n",
        "topic,partition,offset\norders,0,120\n",
        "TOPIC   PARTITION  OFFSET\norders  0  120\n",
        "[{\"topic\":\"orders\",\"partition\":0,\"offset\":120}]",
        "[\n{\"topic\":\"orders\",\"partition\":0,\"offset\":120}\n]\n",
        "{\n  \"topic\": \"orders\",\n  \"partition\": 0,\n  \"offset\": 120\n}\n",
        "{\"topic\":\"orders\",\"partition\":0,\n\"offset\":120}\n",
        "\"orders\",0,120\n",
        "\"orders\"\n",
        "120\n",
        "null\n",
        "- topic: orders\n  partition: 0\n",
        "partitions:\n- topic: orders\n",
        "orders:0:120\n",
        "\u{1f}\u{8b}",
        "{\"topic\":\"orders\",\"partition\":0,\"offset\":1}{\"topic\":\"orders\",\"partition\":1,\"offset\":1}\n",
        "{\"topic\":\"orders\",\"partition\":0,\"offset\":1},\n",
    ] {
        let folder = Folder::new(content);
        let output = dms_kafka("purge --embedded --yes --offsets-file")
            .arg(&folder.offsets)
            .ends_with(2);
        // The name of the folder is random.
        let printed = stderr(&output).replace(&folder.path(""), "");
        for form in [
            "{\"partitions\":[...],\"version\":1}",
            "{\"topic\":\"orders\",\"partition\":0,\"offset\":400} on each line",
        ] {
            assert!(printed.contains(form), "{content:?}: {printed}");
        }
        for jargon in ["expected ident", "expected value", "EOF", "invalid type"] {
            assert!(!printed.contains(jargon), "{content:?}: {printed}");
        }
    }
}
