//! In pipes, and where there is neither pipe nor terminal.

#![cfg(unix)]

use std::fmt::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::audited::Audited;
use crate::folder::Folder;
use crate::support::{Served, command, stderr, stdout};

/// Runs a line of shell in which `$DMS` is the command.
fn shell(line: &str, folder: &Folder) -> Output {
    let inner = command();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .env("DMS", inner.get_program())
        .env("OFFSETS", &folder.offsets);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null()).output().unwrap()
}

fn three_rows() -> Folder {
    let mut rows = String::new();
    for partition in 0..3 {
        writeln!(
            rows,
            "{{\"topic\":\"orders\",\"partition\":{partition},\"offset\":{}}}",
            5000 * partition
        )
        .unwrap();
    }
    Folder::new(&rows)
}

#[test]
fn a_table_goes_through_cut_and_awk_without_colours() {
    let folder = three_rows();
    let line = r#""$DMS" purge --embedded --yes --offsets-file "$OFFSETS" 2>/dev/null | awk '/failed/ {print $1, $2, $5}'"#;
    assert_eq!(
        stdout(&shell(line, &folder)),
        "orders 1 failed\norders 2 failed\n"
    );
    let line = r#""$DMS" regions | cut -d ' ' -f 1 | head -n 2"#;
    assert_eq!(stdout(&shell(line, &folder)), "REGION\nae-ad-1\n");
}

#[test]
fn json_lines_go_through_jq() {
    let folder = three_rows();
    if shell("command -v jq", &folder).stdout.is_empty() {
        println!("there is no jq here");
        return;
    }
    let line = r#""$DMS" purge --embedded --yes --output ndjson --offsets-file "$OFFSETS" 2>/dev/null | jq -r 'select(.status != "deleted") | .partition'"#;
    assert_eq!(stdout(&shell(line, &folder)), "1\n2\n");
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let folder = Folder::with_partitions(2000);
    let mut gateway = Audited::start(&folder.path(""), 1, 2000, "");
    let mut process = gateway
        .purge(&folder.path("offsets"), &["--output", "ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(gateway.asked().len(), 2000);
}

/// Progress, notes, the log and the plan are told to nobody, who is no reason to stop in the middle.
#[test]
fn a_listener_on_standard_error_that_goes_away_changes_nothing() {
    for more in [
        &["-vv"][..],
        &["-vv", "--output", "ndjson"],
        &["-v", "--progress-every", "1"],
    ] {
        let folder = Folder::with_partitions(300);
        let mut gateway = Audited::start(&folder.path(""), 1, 300, "");
        let mut process = gateway
            .purge(&folder.path("offsets"), more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stderr.take());
        assert_eq!(process.wait().unwrap().code(), Some(0), "{more:?}");
        assert_eq!(gateway.asked().len(), 300);
    }
    let folder = Folder::new("");
    for line in [
        "\"$DMS\" purg 2>&-",
        "\"$DMS\" delete --embedded --topic t --partition 0:5000 --yes 2>&-",
    ] {
        let code = shell(line, &folder).status.code();
        assert!(matches!(code, Some(1 | 2)), "{line}: {code:?}");
    }
}

#[test]
fn with_standard_input_or_output_closed() {
    let folder = three_rows();
    let closed_input = shell(
        r#""$DMS" purge --embedded --offsets-file "$OFFSETS" <&-"#,
        &folder,
    );
    assert_eq!(
        closed_input.status.code(),
        Some(2),
        "{}",
        stderr(&closed_input)
    );
    assert!(
        stderr(&closed_input).contains("--yes"),
        "{}",
        stderr(&closed_input)
    );
    let closed_input = shell(
        r#""$DMS" purge --embedded --yes --offsets-file "$OFFSETS" <&-"#,
        &folder,
    );
    assert_eq!(
        closed_input.status.code(),
        Some(1),
        "{}",
        stderr(&closed_input)
    );
    let rows_from_nowhere = shell(
        r#""$DMS" purge --embedded --yes --offsets-file - <&-"#,
        &folder,
    );
    assert_eq!(
        rows_from_nowhere.status.code(),
        Some(2),
        "{}",
        stderr(&rows_from_nowhere)
    );
    for form in ["table", "json", "ndjson"] {
        let line = format!(
            r#""$DMS" purge --embedded --yes --output {form} --offsets-file "$OFFSETS" >&-"#
        );
        let closed_output = shell(&line, &folder);
        assert_eq!(
            closed_output.status.code(),
            Some(1),
            "{form}: {}",
            stderr(&closed_output)
        );
    }
    let help = shell(r#""$DMS" --help >&-"#, &folder);
    assert_eq!(help.status.code(), Some(0), "{}", stderr(&help));
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_stop_the_purge() {
    let folder = three_rows();
    for form in ["table", "json", "ndjson"] {
        let line = format!(
            r#""$DMS" purge --embedded --yes --output {form} --offsets-file "$OFFSETS" >/dev/full"#
        );
        let output = shell(&line, &folder);
        assert_eq!(output.status.code(), Some(5), "{form}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("records were deleted from some partitions, but standard output cannot be written: No space left"),
            "{form}: {}",
            stderr(&output)
        );
    }
    let line =
        r#""$DMS" purge --embedded --yes --failures-file /dev/full --offsets-file "$OFFSETS""#;
    let output = shell(line, &folder);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("the failures file cannot be written"),
        "{}",
        stderr(&output)
    );
    let output = shell(&format!("{line} --output json"), &folder);
    let told = stderr(&output);
    let error: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(error["kind"], "output", "{told}");
    assert_eq!(error["outcome"], "partial", "{told}");
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
        let output = shell(line, &folder);
        assert_eq!(output.status.code(), Some(5), "{line}: {}", stderr(&output));
        let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(
            (&error["kind"], &error["outcome"]),
            (&kind.into(), &"not_applied".into()),
            "{error}"
        );
    }
    for line in [
        r#""$DMS" man --dir no/such/folder"#,
        r#""$DMS" man > /dev/full"#,
        r#""$DMS" completions bash > /dev/full"#,
    ] {
        let output = shell(line, &folder);
        assert_eq!(output.status.code(), Some(5), "{line}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("cannot be written: No s"),
            "{line}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn rows_and_rows_left_go_through_pipes() {
    let folder = three_rows();
    let line = r#"cat "$OFFSETS" | "$DMS" purge --embedded --yes --failures-file /dev/stdout --output ndjson --offsets-file - 2>/dev/null | tail -n 2"#;
    let left = stdout(&shell(line, &folder));
    let partitions: Vec<Value> = left
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["partition"].take())
        .collect();
    assert_eq!(partitions, [1, 2]);
}

#[test]
fn progress_is_told_in_lines_where_there_is_no_terminal() {
    let folder = Folder::with_partitions(300);
    let slow = "[[faults.rule]]\nfault = { delay_seconds = 0.15 }\n";
    let gateway = Audited::start(&folder.path(""), 1, 300, slow);
    let arguments = ["--concurrency", "2", "--progress-every", "1"];
    let output = gateway
        .purge(&folder.path("offsets"), &arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stderr(&output);
    let line = told
        .lines()
        .find(|line| line.contains("of 300 rows"))
        .unwrap();
    assert!(
        line.contains("0 failed") && line.contains("/s") && line.contains("left"),
        "{line}"
    );
    let output = gateway
        .purge(
            &folder.path("offsets"),
            &[&arguments[..], &["--output", "ndjson"]].concat(),
        )
        .output()
        .unwrap();
    let told: Value = serde_json::from_str(stderr(&output).lines().next().unwrap()).unwrap();
    assert_eq!(told["progress"]["rows"], 300, "{told}");
}

#[test]
fn where_things_come_from_is_told_and_secrets_are_not() {
    let served = Served::start();
    let output = command()
        .args([
            "delete",
            "-v",
            "--instance-id",
            served.text("instance_id"),
            "--topic",
            "orders",
        ])
        .args(["--partition", "0:1", "--yes"])
        .env("DMS_KAFKA_ENDPOINT", served.text("endpoint"))
        .env("HUAWEICLOUD_SDK_PROJECT_ID", served.text("project_id"))
        .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
        .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stderr(&output);
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
        assert!(told.contains(&words), "{words}: {told}");
    }
    assert!(
        !told.contains(served.text("secret_key")) && !told.contains(access_key),
        "{told}"
    );
}
