//! The command in pipes, and with closed or full standard streams.

#![cfg(unix)]

use std::io::{PipeReader, PipeWriter, Write as _};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use crate::resume::recorded;
use crate::support::{
    Audited, Folder, Reply, Run as _, SLOW, Scripted, Served, assert_stderr, at, command,
    dms_kafka, ended_with, rows, stderr, stdout, through_shell,
};

/// A shell command line in which `$DMS` is the command.
fn shell(line: &str, folder: &Folder) -> Command {
    let inner = command();
    let mut shell = through_shell(line, &inner);
    shell
        .env("DMS", inner.get_program())
        .env("OFFSETS", &folder.offsets)
        .stdin(Stdio::null());
    shell
}

/// The standard output of the line, whatever its exit code.
fn printed(line: &str, folder: &Folder) -> String {
    stdout(&shell(line, folder).output().unwrap())
}

fn three_rows() -> Folder {
    let three = [("orders", 0, 0), ("orders", 1, 5000), ("orders", 2, 10_000)];
    Folder::new(&rows(&three))
}

#[test]
fn a_table_goes_through_cut_and_awk_without_colours() {
    let folder = three_rows();
    let line = r#""$DMS" purge --embedded --yes --offsets-file "$OFFSETS" 2>/dev/null | awk '/failed/ {print $1, $2, $5}'"#;
    assert_eq!(printed(line, &folder), "orders 1 failed\norders 2 failed\n");
    let line = r#""$DMS" regions | cut -d ' ' -f 1 | head -n 2"#;
    assert_eq!(printed(line, &folder), "REGION\nae-ad-1\n");
}

#[test]
fn json_lines_go_through_jq() {
    let folder = three_rows();
    if printed("command -v jq", &folder).is_empty() {
        println!("there is no jq here");
        return;
    }
    let line = r#""$DMS" purge --embedded --yes --output ndjson --offsets-file "$OFFSETS" 2>/dev/null | jq -r 'select(.status != "deleted") | .partition'"#;
    assert_eq!(printed(line, &folder), "1\n2\n");
}

/// Whatever the format: the reader is gone before the first result.
#[test]
#[cfg(target_os = "linux")]
fn a_reader_of_the_results_that_is_gone_stops_the_purge() {
    for form in ["ndjson", "json", "table"] {
        let folder = Folder::with_partitions(400);
        let mut gateway = Audited::start(&folder.path(""), 1, 400, SLOW);
        let (journal, left) = (folder.path("journal"), folder.path("left"));
        let arguments = format!("--output {form} --journal {journal} --failures-file {left}");
        let mut process = gateway.purge(&folder.offsets, &arguments).start();
        drop(process.stdout.take());
        let output = ended_with(process, 5);
        assert_stderr(&output, "standard output");
        let sent = gateway.requested().len();
        assert!(sent < 200, "{form}: {sent} rows were sent");
        // Each request was awaited, and its result recorded.
        assert_eq!(recorded(&journal).len(), sent, "{form}");
        assert_eq!(folder.read("left").lines().count(), 400 - sent, "{form}");
        gateway
            .purge(
                &folder.offsets,
                &format!("--journal {journal} --concurrency 64"),
            )
            .ends_with(0);
        assert_eq!(gateway.requested().len(), 400 - sent, "{form}");
    }
}

/// Another test may have the reader too, for a moment: between fork and exec.
fn close(reader: PipeReader, mut writer: &PipeWriter) {
    drop(reader);
    while writer.write(b"\n").is_ok() {
        std::thread::yield_now();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_sent_if_the_reader_of_the_results_is_gone_before() {
    for form in ["ndjson", "json", "table"] {
        let folder = Folder::with_partitions(20);
        let mut gateway = Audited::start(&folder.path(""), 1, 20, "");
        let (reader, writer) = std::io::pipe().unwrap();
        close(reader, &writer);
        let mut purge = gateway.purge(&folder.offsets, &format!("--output {form}"));
        purge.stdout(writer);
        let printed = purge.stderr(Stdio::piped()).spawn().unwrap();
        let output = ended_with(printed, 5);
        assert_stderr(&output, "standard output was closed by its reader");
        assert!(gateway.requested().is_empty(), "{form}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_deletion_without_a_reader_is_not_sent_or_says_what_was_deleted() {
    for form in ["table", "json"] {
        for is_gone_before in [true, false] {
            let (reader, writer) = std::io::pipe().unwrap();
            let end = (reader, writer.try_clone().unwrap());
            let closing = Mutex::new(Some(end));
            let close = move || {
                if let Some((reader, writer)) = closing.lock().unwrap().take() {
                    close(reader, &writer);
                }
            };
            if is_gone_before {
                close();
            }
            let service = Scripted::start(move |_| {
                close();
                Reply::Code(0)
            });
            let line = format!("delete --topic t --partition 0:1 --yes --output {form}");
            let mut delete = at(&service.endpoint, &line);
            delete.stdout(writer).stderr(Stdio::piped());
            let output = ended_with(delete.spawn().unwrap(), 5);
            let (sent, words) = if is_gone_before {
                (0, "nothing was deleted, and standard output")
            } else {
                (1, "all requested records were deleted, but standard output")
            };
            assert_stderr(&output, words);
            assert_eq!(service.received().len(), sent, "{form}");
        }
    }
}

#[test]
fn a_reader_that_wants_one_result_stops_the_purge() {
    let folder = Folder::with_partitions(400);
    let mut gateway = Audited::start(&folder.path(""), 1, 400, SLOW);
    let purge = gateway.purge(&folder.offsets, "--output ndjson");
    let line = "{ \"$0\" \"$@\"; echo $? >&2; } | head -n 1";
    let output = through_shell(line, &purge).ends_with(0);
    assert_eq!(stdout(&output).lines().count(), 1);
    assert_eq!(stderr(&output).lines().last(), Some("5"));
    let sent = gateway.requested().len();
    assert!(sent < 200, "{sent} rows were sent");
}

/// Progress, notes, log and preview cannot be written.
#[test]
fn a_closed_pipe_on_standard_error_does_not_stop_the_purge() {
    for line in ["-vv", "-vv --output ndjson", "-v --progress-every 1"] {
        let folder = Folder::with_partitions(300);
        let mut gateway = Audited::start(&folder.path(""), 1, 300, "");
        let mut process = gateway
            .purge(&folder.offsets, line)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stderr.take());
        assert_eq!(process.wait().unwrap().code(), Some(0), "{line}");
        assert_eq!(gateway.requested().len(), 300);
    }
    let folder = Folder::new("");
    for line in [
        "\"$DMS\" purg 2>&-",
        "\"$DMS\" delete --embedded --topic t --partition 0:5000 --yes 2>&-",
    ] {
        let code = shell(line, &folder).output().unwrap().status.code();
        assert!(matches!(code, Some(1 | 2)), "{line}: {code:?}");
    }
}

#[test]
fn standard_input_or_output_is_closed() {
    let folder = three_rows();
    let unasked = r#""$DMS" purge --embedded --offsets-file "$OFFSETS" <&-"#;
    assert_stderr(&shell(unasked, &folder).ends_with(2), "--yes");
    let purge = r#""$DMS" purge --embedded --yes --offsets-file"#;
    shell(&format!(r#"{purge} "$OFFSETS" <&-"#), &folder).ends_with(1);
    let rows_from_nowhere = format!("{purge} - <&-");
    shell(&rows_from_nowhere, &folder).ends_with(2);
    for form in ["table", "json", "ndjson"] {
        let line = format!(r#"{purge} "$OFFSETS" --output {form} >&-"#);
        shell(&line, &folder).ends_with(1);
    }
    for line in ["--help >&-", "--version >&-", "--help | true"] {
        shell(&format!(r#""$DMS" {line}"#), &folder).ends_with(0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_stop_the_purge() {
    let folder = three_rows();
    for form in ["table", "json", "ndjson"] {
        let line = format!(
            r#""$DMS" purge --embedded --yes --output {form} --offsets-file "$OFFSETS" >/dev/full"#
        );
        let output = shell(&line, &folder).ends_with(5);
        assert_stderr(
            &output,
            "records were deleted from some partitions, but standard output cannot be written: No space left",
        );
    }
    let line =
        r#""$DMS" purge --embedded --yes --failures-file /dev/full --offsets-file "$OFFSETS""#;
    let output = shell(line, &folder).ends_with(5);
    assert_stderr(&output, "the failures file cannot be written");
    // The purge ends early: the topic is unknown.
    let served = Served::with_topics(&["other:1:1"]);
    let early = "--yes --failures-file /dev/full";
    let output = served.purge(&folder.offsets, early).ends_with(5);
    assert_stderr(&output, "the failures file cannot be written");
    assert_stderr(&output, "no deletion was sent");
    let output = shell(&format!("{line} --output json"), &folder).ends_with(5);
    let printed = stderr(&output);
    let error: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!(error["kind"], "output", "{printed}");
    assert_eq!(error["outcome"], "partial", "{printed}");
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_not_bad_input() {
    let folder = three_rows();
    let dry_run = r#""$DMS" purge --embedded --dry-run --offsets-file "$OFFSETS""#;
    for (line, kind) in [
        (r#""$DMS" regions --output json > /dev/full"#, "output"),
        (&format!("{dry_run} --output json > /dev/full"), "output"),
        (
            r#""$DMS" delete --embedded --topic t --partition 0:1 --dry-run --output json > /dev/full"#,
            "output",
        ),
        (
            r#""$DMS" purge --embedded --yes --output json --offsets-file no/such/file"#,
            "input",
        ),
    ] {
        let output = shell(line, &folder).ends_with(5);
        let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(
            (&error["kind"], &error["outcome"]),
            (&kind.into(), &"not_applied".into()),
            "{error}"
        );
    }
    for line in [
        r#""$DMS" man > /dev/full"#,
        r#""$DMS" completions bash > /dev/full"#,
        r#""$DMS" --help > /dev/full"#,
        r#""$DMS" --version > /dev/full"#,
        r#""$DMS" delete --help > /dev/full"#,
        r#""$DMS" delete --output json --help > /dev/full"#,
    ] {
        let output = shell(line, &folder).ends_with(5);
        assert_stderr(&output, "cannot be written: No s");
    }
}

/// The message does not contradict the outcome, and neither hides that partitions failed.
#[test]
#[cfg(target_os = "linux")]
fn a_deletion_whose_result_cannot_be_written_says_what_was_deleted() {
    let folder = Folder::new("");
    for (what, outcome, message) in [
        (
            "--partition 0:1 --everything 2",
            "applied",
            "all requested records were deleted, but",
        ),
        (
            "--partition 0:1 --partition 1:5000",
            "partial",
            "records were deleted from some partitions, but",
        ),
        (
            "--partition 1:5000",
            "not_applied",
            "nothing was deleted, and",
        ),
    ] {
        let delete = format!(r#""$DMS" delete --embedded --topic t {what} --yes > /dev/full"#);
        let text = shell(&delete, &folder).ends_with(5);
        let json = shell(&format!("{delete} -o json"), &folder).ends_with(5);
        let error: Value = serde_json::from_str(&stderr(&json)).unwrap();
        assert_eq!(
            (&error["kind"], &error["outcome"]),
            (&"output".into(), &outcome.into())
        );
        let message = format!("{message} standard output cannot be written: No space left");
        assert_stderr(&json, &message);
        assert_stderr(&text, &message);
    }
}

#[test]
fn offsets_file_and_failures_file_can_be_pipes() {
    let folder = three_rows();
    let line = r#"cat "$OFFSETS" | { "$DMS" purge --embedded --yes --failures-file /dev/fd/3 --offsets-file - 3>&1 >/dev/null 2>&1; } | cat"#;
    let left = printed(line, &folder);
    let partitions: Vec<Value> = left
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["partition"].take())
        .collect();
    assert_eq!(partitions, [1, 2]);
}

#[test]
fn progress_is_printed_in_lines_without_a_terminal() {
    let folder = Folder::with_partitions(300);
    let slow = "[[faults.rule]]\nfault = { delay_seconds = 0.15 }\n";
    let gateway = Audited::start(&folder.path(""), 1, 300, slow);
    let arguments = "--concurrency 2 --progress-every 1";
    let output = gateway.purge(&folder.offsets, arguments).ends_with(0);
    let printed = stderr(&output);
    let line = printed
        .lines()
        .find(|line| line.contains("of 300 rows"))
        .unwrap();
    assert!(
        line.contains("0 failed") && line.contains("/s") && line.contains("left"),
        "{line}"
    );
    let output = gateway
        .purge(&folder.offsets, &format!("{arguments} --output ndjson"))
        .ends_with(0);
    let printed: Value = serde_json::from_str(stderr(&output).lines().next().unwrap()).unwrap();
    assert_eq!(printed["progress"]["rows"], 300, "{printed}");
}

#[test]
fn sources_of_settings_are_logged_without_secrets() {
    let served = Served::start();
    let output = dms_kafka("delete -v --topic orders --partition 0:1 --yes")
        .args(["--instance-id", served.text("instance_id")])
        .env("DMS_KAFKA_ENDPOINT", served.text("endpoint"))
        .env("HUAWEICLOUD_SDK_PROJECT_ID", served.text("project_id"))
        .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
        .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"))
        .ends_with(0);
    let printed = stderr(&output);
    let access_key = served.text("access_key");
    for words in [
        format!(
            "endpoint {} from DMS_KAFKA_ENDPOINT",
            served.text("endpoint")
        ),
        format!(
            "project {} from HUAWEICLOUD_SDK_PROJECT_ID",
            served.text("project_id")
        ),
        "from --instance-id".to_owned(),
        format!(
            "access key …{} from environment",
            &access_key[access_key.len() - 4..]
        ),
    ] {
        assert!(printed.contains(&words), "{words}: {printed}");
    }
    assert!(
        !printed.contains(served.text("secret_key")) && !printed.contains(access_key),
        "{printed}"
    );
}
