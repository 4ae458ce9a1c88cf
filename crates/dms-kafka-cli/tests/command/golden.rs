//! Compares help, man pages, output and errors with the files in `tests/golden`.
//!
//! After an intended change, run `UPDATE_EXPECT=1 cargo test -p dms-kafka-cli golden` and review the diff.

use std::fs;
use std::process::Output;

use expect_test::{ExpectFile, expect_file};

use crate::support::{Folder, Run as _, command, dms_kafka, rows, stderr, stdout, words};

pub(crate) const COMMANDS: [&str; 10] = [
    "topics",
    "topic",
    "plan",
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

/// Exit code, standard output and standard error.
fn transcript(output: &Output) -> String {
    format!(
        "exit code {}\n--- standard output\n{}--- standard error\n{}",
        output.status.code().unwrap(),
        stdout(output),
        stderr(output)
    )
}

/// Replaces request IDs, which are random.
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
    golden("help/dms-kafka.txt").assert_eq(&stdout(&dms_kafka("--help").ends_with(0)));
    for name in COMMANDS {
        for (flag, form) in [("--help", ""), ("-h", "-short")] {
            let help = dms_kafka(&format!("{name} {flag}")).ends_with(0);
            golden(&format!("help/{name}{form}.txt")).assert_eq(&stdout(&help));
        }
    }
}

#[test]
fn golden_man_pages() {
    golden("man/dms-kafka.1").assert_eq(&stdout(&dms_kafka("man").ends_with(0)));
    let folder = Folder::new("");
    dms_kafka(&format!("man --dir {}", folder.path(""))).ends_with(0);
    for name in COMMANDS {
        let page = stdout(&dms_kafka(&format!("man {name}")).ends_with(0));
        golden(&format!("man/dms-kafka-{name}.1")).assert_eq(&page);
        assert_eq!(folder.read(&format!("dms-kafka-{name}.1")), page, "{name}");
    }
}

#[test]
fn golden_regions() {
    golden("output/regions.txt").assert_eq(&stdout(&dms_kafka("regions").ends_with(0)));
}

#[test]
fn completions_for_each_shell() {
    let folder = Folder::new("");
    fs::create_dir(folder.path("dms-kafka")).unwrap();
    let profiles = "[profile.production]\n[profile.'$(echo x)']\n";
    fs::write(folder.path("dms-kafka/config.toml"), profiles).unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = dms_kafka(&format!("completions {shell}"))
            .env("XDG_CONFIG_HOME", folder.path(""))
            .ends_with(0);
        assert!(!stdout(&script).contains("echo x"), "{shell}");
        let offered = ["offsets-file", "older-than", "consumed-by-all"];
        // The scripts for these two shells have no values.
        let values = match shell {
            "elvish" | "powershell" => [].iter(),
            _ => ["ap-southeast-1", "production"].iter(),
        };
        for word in COMMANDS.iter().chain(&offered).chain(values) {
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
    let what = "--partition 0:400 --partition 1:5000 --everything 2";
    let output = dms_kafka(&format!("delete --embedded --topic orders {what} --yes")).ends_with(1);
    golden("output/delete.txt").assert_eq(&without_ids(&transcript(&output)));
}

#[test]
fn golden_outputs_of_purge() {
    let folder = Folder::new(MIXED);
    let purge = |line: &str| {
        dms_kafka("purge --embedded --yes --allow-everything --offsets-file")
            .arg(&folder.offsets)
            .args(words(line))
            .ends_with(1)
    };
    golden("output/purge.txt").assert_eq(&transcript(&purge("")));
    golden("output/purge.json").assert_eq(&without_ids(&stdout(&purge("--output json"))));
    let one_by_one = purge("--output ndjson --concurrency 1");
    golden("output/purge.ndjson").assert_eq(&without_ids(&stdout(&one_by_one)));
}

#[test]
fn golden_output_of_a_preview_by_topic() {
    let three = |n: i32| [("t0", n, 100), ("t1", n + 1, 100), ("t2", n + 2, 100)];
    let sixty: Vec<_> = (0..60).step_by(3).flat_map(three).collect();
    let folder = Folder::new(&rows(&sixty));
    let output = dms_kafka("purge --embedded --yes --offsets-file")
        .arg(&folder.offsets)
        .ends_with(0);
    golden("output/purge-topics.txt").assert_eq(&transcript(&output));
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
    ]);
    golden("output/sign-without-token.txt").assert_eq(&stdout(&sign.ends_with(0)));
    sign.env("HUAWEICLOUD_SDK_SECURITY_TOKEN", "a-token");
    golden("output/sign.txt").assert_eq(&stdout(&sign.ends_with(0)));
    golden("output/sign.json").assert_eq(&stdout(&sign.args(["--output", "json"]).ends_with(0)));
}

#[test]
fn golden_usage_errors() {
    let deletion = "--topic t --partition 0:1 --yes";
    for (name, line) in [
        ("mistyped-command", "purg"),
        ("mistyped-option", "delete --topik orders"),
        ("nothing-to-delete", "delete --topic orders"),
        ("no-endpoint", &format!("delete {deletion}")),
        (
            "mistyped-region",
            &format!("delete --region ap-southeast1 --instance-id i {deletion}"),
        ),
        ("json", "purge --output ndjson"),
        (
            "plaintext",
            &format!(
                "delete --endpoint http://192.0.2.1 --project-id p --instance-id i {deletion}"
            ),
        ),
    ] {
        let output = dms_kafka(line).ends_with(2);
        golden(&format!("errors/{name}.txt")).assert_eq(&stderr(&output));
    }
}
