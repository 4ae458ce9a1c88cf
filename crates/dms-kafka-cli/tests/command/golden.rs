//! Pages and outputs as people see them, held against the files in `tests/golden`.
//!
//! After a change that is meant: `UPDATE_EXPECT=1 cargo test -p dms-kafka-cli golden`, and read the difference.

use std::fmt::Write as _;
use std::process::{Command, Output};

use expect_test::{ExpectFile, expect_file};

use crate::folder::Folder;
use crate::support::{command, stderr, stdout};

const COMMANDS: [&str; 7] = [
    "delete",
    "purge",
    "serve",
    "sign",
    "regions",
    "completions",
    "man",
];

fn golden(name: &str) -> ExpectFile {
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/").to_owned() + name]
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// What a command says, and how it ends.
fn transcript(output: &Output) -> String {
    format!(
        "exit code {}\n--- standard output\n{}--- standard error\n{}",
        output.status.code().unwrap(),
        stdout(output),
        stderr(output)
    )
}

/// Ids of requests are made up for each run.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| {
            let end = word
                .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
                .len();
            let (word, rest) = word.split_at(end);
            if is_id(word) {
                format!("ID{rest}")
            } else {
                format!("{word}{rest}")
            }
        })
        .collect()
}

#[test]
fn golden_help_pages() {
    golden("help/dms-kafka.txt").assert_eq(&stdout(&run(command().arg("--help"))));
    for name in COMMANDS {
        let long = run(command().args([name, "--help"]));
        assert_eq!(long.status.code(), Some(0), "{name}");
        golden(&format!("help/{name}.txt")).assert_eq(&stdout(&long));
        golden(&format!("help/{name}-short.txt"))
            .assert_eq(&stdout(&run(command().args([name, "-h"]))));
    }
}

#[test]
fn golden_man_pages() {
    golden("man/dms-kafka.1").assert_eq(&stdout(&run(command().arg("man"))));
    for name in COMMANDS {
        let page = run(command().args(["man", name]));
        assert_eq!(page.status.code(), Some(0), "{name}: {}", stderr(&page));
        golden(&format!("man/dms-kafka-{name}.1")).assert_eq(&stdout(&page));
    }
}

#[test]
fn all_man_pages_at_once() {
    let folder = Folder::new("");
    let written = run(command().args(["man", "--dir", &folder.path("")]));
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    for name in COMMANDS {
        let page = stdout(&run(command().args(["man", name])));
        assert_eq!(folder.read(&format!("dms-kafka-{name}.1")), page, "{name}");
    }
}

#[test]
fn golden_regions() {
    golden("output/regions.txt").assert_eq(&stdout(&run(command().arg("regions"))));
}

#[test]
fn completions_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(command().args(["completions", shell]));
        assert_eq!(script.status.code(), Some(0), "{shell}");
        for word in COMMANDS.into_iter().chain(["offsets-file"]) {
            assert!(stdout(&script).contains(word), "{shell} lacks {word}");
        }
    }
}

const MIXED: &str = "\
{\"topic\":\"bills\",\"partition\":1,\"offset\":10}
{\"topic\":\"orders\",\"partition\":0,\"offset\":400}
{\"topic\":\"orders\",\"partition\":1,\"offset\":5000}
{\"topic\":\"orders\",\"partition\":2,\"offset\":-1}
";

#[test]
fn golden_output_of_delete() {
    let mut delete = command();
    delete.args([
        "delete",
        "--embedded",
        "--topic",
        "orders",
        "--partition",
        "0:400",
    ]);
    delete.args(["--partition", "1:5000", "--everything", "2", "--yes"]);
    golden("output/delete.txt").assert_eq(&without_ids(&transcript(&run(&mut delete))));
}

#[test]
fn golden_outputs_of_purge() {
    let folder = Folder::new(MIXED);
    let purge = |arguments: &[&str]| {
        let mut purge = command();
        purge.args([
            "purge",
            "--embedded",
            "--yes",
            "--allow-everything",
            "--offsets-file",
        ]);
        run(purge.arg(&folder.offsets).args(arguments))
    };
    golden("output/purge.txt").assert_eq(&transcript(&purge(&[])));
    golden("output/purge.json").assert_eq(&without_ids(&stdout(&purge(&["--output", "json"]))));
    let one_by_one = ["--output", "ndjson", "--concurrency", "1"];
    golden("output/purge.ndjson").assert_eq(&without_ids(&stdout(&purge(&one_by_one))));
}

#[test]
fn golden_output_of_a_large_plan() {
    let mut rows = String::new();
    for number in 0..60 {
        let topic = number % 3;
        writeln!(
            rows,
            "{{\"topic\":\"t{topic}\",\"partition\":{number},\"offset\":100}}"
        )
        .unwrap();
    }
    let folder = Folder::new(&rows);
    let mut purge = command();
    purge
        .args(["purge", "--embedded", "--yes", "--offsets-file"])
        .arg(&folder.offsets);
    golden("output/purge-topics.txt").assert_eq(&transcript(&run(&mut purge)));
}

#[test]
fn golden_output_of_sign() {
    let mut sign = command();
    sign.args([
        "sign",
        "--date",
        "20260102T030405Z",
        "-H",
        "Content-Type: application/json",
    ])
    .args(["--data", r#"{"partitions":[{"partition":0,"offset":400}]}"#])
    .arg("https://dms.example.com/v2/p/kafka/instances/i/topics/orders/messages/delete")
    .envs([
        ("HUAWEICLOUD_SDK_AK", "AccessKey"),
        ("HUAWEICLOUD_SDK_SK", "SecretKey"),
    ])
    .env("HUAWEICLOUD_SDK_SECURITY_TOKEN", "a-token");
    golden("output/sign.txt").assert_eq(&stdout(&run(&mut sign)));
    golden("output/sign.json").assert_eq(&stdout(&run(sign.args(["--output", "json"]))));
}

#[test]
fn golden_usage_errors() {
    for (name, arguments) in [
        ("mistyped-command", &["purg"][..]),
        ("mistyped-option", &["delete", "--topik", "orders"]),
        ("nothing-to-delete", &["delete", "--topic", "orders"]),
        (
            "no-place",
            &["delete", "--topic", "orders", "--partition", "0:1", "--yes"],
        ),
        (
            "mistyped-region",
            &[
                "delete",
                "--region",
                "ap-southeast1",
                "--instance-id",
                "i",
                "--topic",
                "t",
                "--partition",
                "0:1",
                "--yes",
            ],
        ),
        ("json", &["purge", "--output", "ndjson"]),
        (
            "plaintext",
            &[
                "delete",
                "--endpoint",
                "http://192.0.2.1",
                "--project-id",
                "p",
                "--instance-id",
                "i",
                "--topic",
                "t",
                "--partition",
                "0:1",
                "--yes",
            ],
        ),
    ] {
        let output = run(command().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{name}");
        golden(&format!("errors/{name}.txt")).assert_eq(&stderr(&output));
    }
}
