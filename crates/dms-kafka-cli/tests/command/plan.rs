//! `dms-kafka plan` and `dms-kafka delete` with selectors and stored plans.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    Folder, Run as _, Served, assert_stderr, at, command, dms_kafka, stderr, stdout,
};

/// Topics of 3 partitions with 1,000 records of the last day each, and groups.
pub(crate) fn with_groups(groups: &[&str]) -> Served {
    let mut serve = command();
    serve.args([
        "serve",
        "--control",
        "--topic",
        "orders:3:1000",
        "--topic",
        "orders-eu:2:500",
        "--topic",
        "bills:1:10",
        "--topic",
        "quiet:1:10",
        "--topic",
        "shop:4:250000",
    ]);
    for group in groups {
        serve.args(["--group", group]);
    }
    Served::ready(&mut serve)
}

pub(crate) fn printed(served: &Served, line: &str) -> Value {
    let output = served
        .command(&format!("{line} --output json"))
        .ends_with(0);
    serde_json::from_str(&stdout(&output)).unwrap()
}

pub(crate) fn befores(partitions: &Value) -> Vec<i64> {
    let partitions = partitions.as_array().unwrap().iter();
    partitions
        .map(|row| row["before"].as_i64().unwrap())
        .collect()
}

/// Selectors, and the offsets before which partitions 0 to 2 are deleted.
const SELECTORS: &[(&str, &[i64])] = &[
    ("--older-than 43206s", &[500, 500, 500]),
    ("--older-than 2d", &[0, 0, 0]),
    ("--before-time 2020-01-01T00:00:00Z", &[0, 0, 0]),
    ("--keep-last 300", &[700, 700, 700]),
    ("--keep-last 0", &[1000, 1000, 1000]),
    ("--keep-last 5000", &[0, 0, 0]),
    ("--consumed-by billing", &[900, 800, 700]),
    (
        "--consumed-by billing --consumed-by audit",
        &[400, 400, 400],
    ),
    ("--consumed-by-all", &[400, 400, 400]),
    ("--up-to-end", &[1000, 1000, 1000]),
    ("--before-offset 250", &[250, 250, 250]),
    ("--before-offset 5000", &[1000, 1000, 1000]),
    ("--keep-last 150 --consumed-by billing", &[850, 800, 700]),
    (
        "--older-than 43206s --consumed-by audit --before-offset 450",
        &[400, 400, 400],
    ),
    ("--up-to-end --partitions 0,2", &[1000, 1000]),
    (
        "--up-to-end --partitions 1-2 --older-than 1h --trust-timestamps --before-time 2020-01-01T00:00:00Z",
        &[0, 0],
    ),
];

pub(crate) const GROUPS: [&str; 2] = [
    "billing:orders:0=900,1=800,2=700",
    "audit:orders:0=400,1=400,2=400",
];

#[test]
fn selectors_are_resolved_into_the_offsets_that_delete_sends() {
    for (selectors, expected) in SELECTORS {
        let served = with_groups(&GROUPS);
        let plan = printed(&served, &format!("plan --topic orders {selectors}"));
        assert_eq!(
            befores(&plan["plans"][0]["partitions"]),
            *expected,
            "{selectors}"
        );
        assert!(plan["plans"][0]["selectors"].is_object());
        assert_eq!(served.starts("orders", 3), [0, 0, 0], "{selectors}");
        let deleted = printed(&served, &format!("delete --topic orders {selectors} --yes"));
        // Partitions of which nothing is deleted are not sent.
        let expected: Vec<i64> = expected
            .iter()
            .copied()
            .filter(|before| *before > 0)
            .collect();
        assert_eq!(befores(&deleted["partitions"]), expected, "{selectors}");
        assert_eq!(deleted["losses"], plan["plans"][0]["losses"], "{selectors}");
        for row in deleted["partitions"].as_array().unwrap() {
            assert_eq!(row["status"], "deleted", "{selectors}");
            assert_eq!(row["offset"], row["before"]);
            assert_eq!(
                (&row["start"], &row["end"], &row["records"]),
                (&json!(0), &json!(1000), &row["before"])
            );
        }
    }
}

#[test]
fn an_embedded_gateway_has_old_records_and_groups_that_have_not_read_all() {
    let output = dms_kafka("delete --embedded --topic orders --older-than 7d --yes --output json")
        .ends_with(0);
    let deleted: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let befores = befores(&deleted["partitions"]);
    assert!(
        befores.iter().all(|before| (760..770).contains(before)),
        "{befores:?}"
    );
    assert!(deleted["losses"]["records"].as_i64().unwrap() > 1000);
}

#[test]
fn an_unread_loss_is_refused_only_where_records_are_lost() {
    let served = with_groups(&GROUPS);
    for (what, code) in [
        ("--partition 0:400", 0),
        ("--partition 0:401", 2),
        ("--consumed-by-all", 0),
        ("--consumed-by billing", 2),
        ("--before-offset 400", 0),
        ("--keep-last 5000", 0),
    ] {
        let line = format!("delete --topic orders {what} --refuse-unread-loss --yes --output json");
        let output = served.command(&line).ends_with(code);
        if code != 0 {
            let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
            assert_eq!(
                (&error["kind"], &error["outcome"]),
                (&json!("unread_loss"), &json!("not_applied"))
            );
        }
    }
}

#[test]
fn a_partition_without_a_commit_is_skipped_and_reported() {
    let skipped = "partition 1 is skipped: no committed offset of \"half\"";
    for output in ["table", "json"] {
        let served = with_groups(&["half:orders-eu:0=500"]);
        let line = format!("--topic orders-eu --consumed-by half --output {output}");
        let plan = served.command(&format!("plan {line}")).ends_with(0);
        assert!(
            stdout(&plan).replace('\\', "").contains(skipped),
            "{}",
            stdout(&plan)
        );
        let deleted = served.command(&format!("delete {line} --yes")).ends_with(0);
        assert!(
            stderr(&deleted).replace('\\', "").contains(skipped),
            "{}",
            stderr(&deleted)
        );
        assert_eq!(served.starts("orders-eu", 2), [500, 0]);
    }
}

#[test]
fn plans_of_several_topics_are_an_offsets_file_for_purge() {
    let served = with_groups(&GROUPS);
    let folder = Folder::new("");
    let path = folder.path("all.json");
    let plans = printed(
        &served,
        &format!("plan --topic orders* --keep-last 400 --offsets-file {path}"),
    );
    let topics: Vec<_> = plans["plans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| &plan["topic"])
        .collect();
    assert_eq!(topics, ["orders", "orders-eu"]);
    let one = served
        .command("plan --topic orders* --up-to-end --out one.json")
        .ends_with(2);
    assert_stderr(&one, "2 topics match");
    served.purge(&path, "--yes").ends_with(0);
    assert_eq!(served.starts("orders", 3), [600, 600, 600]);
    assert_eq!(served.starts("orders-eu", 2), [100, 100]);
}

#[test]
fn a_plan_of_many_partitions_is_sent_in_requests_of_ten() {
    let served = Served::with_topics(&["many:25:100"]);
    let deleted = printed(&served, "delete --topic many --keep-last 1 --yes");
    assert_eq!(deleted["request_id"], Value::Null);
    assert_eq!(befores(&deleted["partitions"]), [99; 25]);
    let dry_run = served
        .command("delete --topic many --up-to-end --dry-run")
        .ends_with(0);
    assert_eq!(stdout(&dry_run).matches("POST").count(), 3);
    assert_eq!(served.starts("many", 25), [99; 25]);
}

#[test]
fn a_refused_request_of_several_does_not_say_that_nothing_was_deleted() {
    let folder = Folder::new("");
    let config = r#"listen = "127.0.0.1:0"
[[access_key]]
access_key = "AK"
secret_key = { env = "GATEWAY_SK" }
[[instance]]
id = "i"
project_id = "p"
memory.topics = [{ name = "many", partitions = 25, records = 100 }]
[[faults.rule]]
operation = "delete"
skip = 1
times = 1
fault = { status = 403 }
"#;
    for output in ["table", "json"] {
        let served = serve_config(&folder, config);
        let mut delete = at(
            served.text("endpoint"),
            &format!("delete --topic many --keep-last 1 --yes --output {output}"),
        );
        let delete = delete.ends_with(3);
        let text = stderr(&delete);
        assert!(!text.contains("nothing was deleted"), "{text}");
        assert_stderr(&delete, "other requests deleted records: see the results");
        if output == "json" {
            assert_stderr(&delete, r#""outcome":"partial""#);
        }
    }
}

#[test]
fn topics_and_topic_show_what_there_is() {
    let served = with_groups(&GROUPS);
    served.delete("--partition 0:1000 --yes").ends_with(0);
    let listed = printed(&served, "topics orders*");
    assert_eq!(
        listed["topics"],
        json!([
            {"topic": "orders", "partitions": 3, "records": 2000, "groups": ["audit", "billing"]},
            {"topic": "orders-eu", "partitions": 2, "records": 1000, "groups": []},
        ])
    );
    assert_eq!(
        stdout(&served.command("topics *-eu").ends_with(0)),
        "TOPIC      PARTITIONS  RECORDS, UP TO  CONSUMER GROUPS\norders-eu           2           1,000                0\n"
    );
    assert_eq!(printed(&served, "topics nothing*"), json!({"topics": []}));
    let topic = printed(&served, "topic orders");
    assert_eq!(topic["partitions"][0]["start"], 1000);
    assert_eq!(topic["losses"]["groups"][0]["unread"], 1200);
    let unknown = served.command("topic order").output().unwrap();
    assert_eq!(unknown.status.code(), Some(3));
    assert_stderr(&unknown, "did you mean \"orders\"");
    let many: Vec<String> = (0..21).map(|n| format!("t{n}:1:5")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many = printed(&Served::with_topics(&many), "topics");
    assert_eq!(many["topics"][20]["groups"], Value::Null);
    assert_eq!(many["topics"].as_array().unwrap().len(), 21);
}

#[test]
fn a_plan_that_selects_nothing_is_not_an_error() {
    let served = with_groups(&GROUPS);
    for line in [
        "delete --topic orders --older-than 2d --yes",
        "plan --topic orders --older-than 2d",
    ] {
        let output = served.command(line).ends_with(0);
        assert!(
            stdout(&output)
                .to_lowercase()
                .contains("nothing was deleted"),
            "{}",
            stdout(&output)
        );
    }
    let deleted = printed(&served, "delete --topic orders --older-than 2d --yes");
    assert_eq!(deleted["partitions"], json!([]));
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}

/// For a program: exit code 0 in each step.
#[test]
fn a_plan_that_selects_nothing_is_an_offsets_file_that_deletes_nothing() {
    let served = with_groups(&GROUPS);
    let folder = Folder::new("");
    let (plan, offsets) = (folder.path("plan.json"), folder.path("offsets.json"));
    let files = format!("--out {plan} --offsets-file {offsets}");
    served
        .command(&format!("plan --topic orders --older-than 2d {files}"))
        .ends_with(0);
    assert_eq!(
        folder.read("offsets.json"),
        "{\"partitions\":[],\"version\":1}\n"
    );
    let purged = served.purge(&offsets, "--yes").ends_with(0);
    assert!(
        stdout(&purged).contains("nothing to delete"),
        "{}",
        stdout(&purged)
    );
    let deleted = served
        .command(&format!("delete --plan {plan} --yes"))
        .ends_with(0);
    assert!(
        stdout(&deleted).contains("nothing was deleted"),
        "{}",
        stdout(&deleted)
    );
}

/// A service cannot tell which offsets have no record, such as those of a compacted or transactional topic.
#[test]
fn numbers_of_records_are_upper_bounds() {
    let served = with_groups(&GROUPS);
    let offsets = Folder::new(r#"{"topic":"orders","partition":0,"offset":950}"#);
    let purge = format!("purge --yes --offsets-file {}", offsets.offsets.display());
    for (line, code, words) in [
        ("topics orders", 0, "RECORDS, UP TO"),
        ("topic orders", 0, "Total: up to 3,000 records"),
        (
            "plan --topic orders --keep-last 300",
            0,
            "Total: up to 2,100 of 3,000 records",
        ),
        (
            "plan --topic orders --keep-last 50",
            0,
            "Unread records lost: up to 2,100;",
        ),
        (
            "delete --topic orders --keep-last 50 --yes --refuse-unread-loss",
            2,
            "up to 2,100 unread records of",
        ),
        (&purge, 0, "Total: up to 950 records"),
        (
            "delete --topic orders --up-to-end --yes",
            0,
            "Deleted: up to 2,050 records",
        ),
    ] {
        let output = served.command(line).ends_with(code);
        let shown = stdout(&output) + &stderr(&output);
        assert!(shown.contains(words), "{line}: {words}: {shown}");
    }
}

/// The selectors in a page, from the flags.
#[test]
fn a_page_repeats_selectors_as_they_were_typed() {
    for typed in [
        "--older-than 7d",
        "--older-than 36h",
        "--older-than 500ms",
        "--older-than 1w2d",
        "--before-time 2026-01-01T00:00:00Z",
        "--older-than P1D --keep-last 5 --consumed-by billing --consumed-by audit --before-offset 9 --partitions 0,2 \
         --trust-timestamps",
        "--consumed-by-all --up-to-end",
    ] {
        let line = format!("plan --embedded --topic orders {typed} --output html");
        let page = stdout(&dms_kafka(&line).ends_with(0));
        let words = format!("--topic orders {typed}<");
        assert!(page.contains(&words), "{words}: {page}");
    }
}

/// Partitions of a topic with 1,200, arguments, and what the hint for a group says.
#[test]
fn the_hint_for_a_group_stays_short() {
    let commits = |name: &str, partitions: &mut dyn Iterator<Item = u32>| {
        let commits: Vec<String> = partitions.map(|of| format!("{of}=5")).collect();
        format!("{name}:large:{}", commits.join(","))
    };
    let every = commits("every", &mut (0..1200));
    let odd = commits("odd", &mut (1..1200).step_by(2));
    for (group, line, expected) in [
        (&every, "--up-to-end", &["--topic large \\\n"][..]),
        (
            &every,
            "--up-to-end --partitions 0-3",
            &["--topic large:0,1,2,3 \\\n"],
        ),
        (
            &every,
            "--up-to-end --partitions 0-99,300",
            &[
                "--topic large:PARTITIONS \\\n",
                "PARTITIONS, a list with commas: 0-99, 300\n",
            ],
        ),
        (
            &odd,
            "--up-to-end",
            &[
                "--topic large:PARTITIONS \\\n",
                "PARTITIONS, a list with commas: 1, 3, 5 and 597 more",
            ],
        ),
    ] {
        let mut serve = command();
        serve.args(["serve", "--topic", "large:1200:10", "--group", group]);
        let served = Served::ready(&mut serve);
        let plan = served
            .command(&format!("plan --topic large {line}"))
            .ends_with(0);
        let shown = stdout(&plan);
        for words in expected {
            assert!(shown.contains(words), "{line}: {words}: {shown}");
        }
        assert!(shown.lines().all(|line| line.len() < 160), "{shown}");
    }
    let mut serve = command();
    serve.args(["serve", "--topic", "large:1200:10", "--group", &odd]);
    let served = Served::ready(&mut serve);
    let skipped = served
        .command("plan --topic large --consumed-by odd")
        .ends_with(0);
    let shown = stdout(&skipped);
    let words = "partitions 0, 2, 4 and 597 more are skipped: no committed offset of \"odd\"";
    assert!(shown.contains(words), "{shown}");
    assert_eq!(shown.matches("warning: ").count(), 1);
}

#[cfg(unix)]
#[test]
fn files_are_private_and_replace_the_file_of_a_link() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = Folder::new("");
    let mode = |name: &str| {
        fs::metadata(folder.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    fs::write(folder.path("old"), "old").unwrap();
    fs::create_dir(folder.path("dated")).unwrap();
    // Links to a file, to nothing, to such a link, and to itself.
    for (link, target) in [
        ("to-old", "old"),
        ("to-nothing", "dated/today"),
        ("to-link", "to-other"),
        ("to-other", "dated/tomorrow"),
        ("to-itself", "to-itself"),
    ] {
        symlink(target, folder.path(link)).unwrap();
    }
    for (out, written) in [
        ("new", "new"),
        ("to-old", "old"),
        ("to-nothing", "dated/today"),
        ("to-link", "dated/tomorrow"),
    ] {
        let files = format!(
            "--out {} --offsets-file {} --overwrite",
            folder.path(out),
            folder.path("all")
        );
        dms_kafka(&format!(
            "plan --embedded --topic orders --up-to-end {files}"
        ))
        .ends_with(0);
        assert!(folder.read(written).contains("\"before\": 1000"), "{out}");
        assert_eq!((mode(written), mode("all")), (0o600, 0o600), "{out}");
        let is_link = fs::symlink_metadata(folder.path(out)).unwrap().is_symlink();
        assert_eq!(is_link, out != written, "{out}");
    }
    let itself = format!("--out {} --overwrite", folder.path("to-itself"));
    let refused = dms_kafka(&format!(
        "plan --embedded --topic orders --up-to-end {itself}"
    ))
    .ends_with(2);
    assert_stderr(&refused, "a link that leads nowhere");
    let same = format!(
        "--out {} --offsets-file {} --overwrite",
        folder.path("to-nothing"),
        folder.path("dated/today")
    );
    let refused = dms_kafka(&format!(
        "plan --embedded --topic orders --up-to-end {same}"
    ))
    .ends_with(2);
    assert_stderr(&refused, "are the same file");
    assert_eq!(folder.files().len(), 10, "{:?}", folder.files());
}

/// A gateway with one key that may only do these operations.
fn with_operations(folder: &Folder, operations: &str) -> Served {
    let config = format!(
        r#"listen = "127.0.0.1:0"
[[access_key]]
access_key = "AK"
secret_key = {{ env = "GATEWAY_SK" }}
operations = {operations}
[[instance]]
id = "i"
project_id = "p"
[instance.memory]
topics = [{{ name = "orders", partitions = 3, records = 1000 }}]
"#
    );
    serve_config(folder, &config)
}

pub(crate) fn serve_config(folder: &Folder, config: &str) -> Served {
    let path = folder.path("gateway.toml");
    fs::write(&path, config).unwrap();
    let mut serve = command();
    serve
        .args(["serve", "--config", &path])
        .env("GATEWAY_SK", "SK");
    Served::ready(&mut serve)
}

/// Operations of the key, arguments of delete, exit code, and words of standard error.
const PERMISSIONS: &[(&str, &str, i32, &str)] = &[
    (
        r#"["list", "delete"]"#,
        "--keep-last 300 --yes",
        0,
        "Which consumer groups lose unread records is not known:",
    ),
    (
        r#"["list", "delete"]"#,
        "--keep-last 300 --yes --refuse-unread-loss",
        2,
        "it is not known which consumer groups",
    ),
    (
        r#"["list", "delete"]"#,
        "--partition 0:1 --yes --refuse-unread-loss",
        2,
        "it is not known which consumer groups",
    ),
    (
        r#"["list", "delete"]"#,
        "--partition 0:1 --yes",
        0,
        "Which consumer groups lose unread records is not known:",
    ),
    (
        r#"["list", "delete"]"#,
        "--consumed-by billing --yes",
        3,
        "consumer group",
    ),
    (
        r#"["list", "delete"]"#,
        "--consumed-by-all --yes",
        3,
        "consumer groups",
    ),
    (r#"["delete"]"#, "--keep-last 300 --yes", 3, "error: "),
    (
        r#"["delete"]"#,
        "--keep-last 300 --yes --output json",
        3,
        "not_applied",
    ),
    (
        r#"["delete"]"#,
        "--partition 0:1 --yes --refuse-unread-loss",
        3,
        "error: ",
    ),
    (
        r#"["delete"]"#,
        "--partition 0:1 --yes --output json --refuse-unread-loss",
        3,
        "not_applied",
    ),
    (
        r#"["delete"]"#,
        "--partition 0:1 --yes",
        0,
        "warning: there is no preview",
    ),
    (
        r#"["delete"]"#,
        "--partition 0:1 --yes --output json",
        0,
        "",
    ),
];

#[test]
fn an_unknown_loss_is_shown_as_unknown_and_selectors_need_permission_to_read() {
    for (operations, line, code, words) in PERMISSIONS {
        let folder = Folder::new("");
        let served = with_operations(&folder, operations);
        let mut delete = at(
            served.text("endpoint"),
            &format!("delete --topic orders {line}"),
        );
        let output = delete.ends_with(*code);
        assert_stderr(&output, words);
        assert_eq!(
            stdout(&output).is_empty(),
            *code != 0,
            "{operations} {line}"
        );
    }
}

#[test]
fn after_a_failed_deletion_nothing_else_is_requested() {
    let folder = Folder::new("");
    let served = with_operations(&folder, r#"["list", "groups"]"#);
    let line = "delete -vv --topic orders --partition 0:1 --yes";
    let output = at(served.text("endpoint"), line).ends_with(3);
    let log = stderr(&output);
    let mut attempts = log.lines().filter(|line| line.contains("http_request{"));
    let last = attempts.next_back().unwrap();
    assert!(last.contains("delete"), "{last}");
}

#[cfg(unix)]
mod at_a_terminal {
    use super::*;
    use crate::terminal::{at_a_terminal, ends_with};

    /// What to delete, and the word that confirms.
    const WORDS: &[(&str, &str)] = &[
        ("--topic orders --consumed-by-all", "yes"),
        ("--topic orders --before-offset 400", "yes"),
        ("--topic orders --partition 0:400", "yes"),
        ("--topic orders --partition 0:401", "orders"),
        ("--topic orders --keep-last 300", "orders"),
        ("--topic orders --up-to-end", "orders"),
        ("--topic orders --before-offset 1 --partitions 0-1", "yes"),
        // No group, but the partition is emptied.
        ("--topic quiet --up-to-end", "quiet"),
        ("--topic quiet --keep-last 1", "yes"),
        // The group has no committed offset in partition 1.
        ("--topic orders-eu --keep-last 400 --partitions 0", "yes"),
        (
            "--topic orders-eu --keep-last 400 --partitions 1",
            "orders-eu",
        ),
        ("--topic orders-eu --partition 1:1", "orders-eu"),
    ];

    #[test]
    fn the_word_that_confirms_depends_on_what_is_lost() {
        let served = with_groups(&[GROUPS[0], GROUPS[1], "half:orders-eu:0=500"]);
        for (what, word) in WORDS {
            let mut session = at_a_terminal(served.command(&format!("delete {what}")));
            session
                .exp_string(&format!("Type {word} to delete: "))
                .unwrap();
            session.send_line("no").unwrap();
            session.exp_string("nothing was deleted").unwrap();
            ends_with(&mut session, 2);
        }
        assert_eq!(served.starts("orders", 3), [0, 0, 0]);
        let folder = Folder::new("");
        let unknown = with_operations(&folder, r#"["list", "delete"]"#);
        for what in ["--partition 0:1", "--before-offset 1"] {
            let delete = at(
                unknown.text("endpoint"),
                &format!("delete --topic orders {what}"),
            );
            let mut session = at_a_terminal(delete);
            session.exp_string("is not known:").unwrap();
            session.exp_string("Type orders to delete: ").unwrap();
        }
    }

    #[test]
    fn nothing_is_asked_if_nothing_is_selected_or_the_loss_is_refused() {
        let served = with_groups(&GROUPS);
        for (what, code, words) in [
            ("--older-than 2d", 0, "No record is selected"),
            ("--up-to-end --refuse-unread-loss", 2, "unread records of"),
            ("--consumed-by nobody", 2, "does not exist"),
        ] {
            let mut session =
                at_a_terminal(served.command(&format!("delete --topic orders {what}")));
            let shown = session.exp_eof().unwrap();
            assert!(shown.contains(words), "{shown}");
            assert!(!shown.contains("Type "), "{shown}");
            assert_eq!(crate::terminal::exit_code(&session), code);
        }
    }

    #[test]
    fn what_is_refused_in_a_pipe_is_refused_in_a_terminal_without_a_question() {
        let served = with_groups(&crate::plan_refused::REFUSED_GROUPS);
        for (line, words) in crate::plan_refused::REFUSED
            .iter()
            .filter(|(line, _)| line.starts_with("delete"))
        {
            let code = served.command(&format!("{line} --yes")).output().unwrap();
            let mut session = at_a_terminal(served.command(line));
            let shown = session.exp_eof().unwrap();
            assert!(shown.contains(words), "{line}: {words}: {shown}");
            assert!(!shown.contains("Type "), "{line}: {shown}");
            let in_terminal = crate::terminal::exit_code(&session);
            assert_eq!(Some(in_terminal), code.status.code(), "{line}");
        }
        assert_eq!(served.starts("orders", 3), [0, 0, 0]);
    }

    #[test]
    fn a_plan_whose_topic_changes_during_the_question_is_refused() {
        let served = with_groups(&["billing:orders:0=900,1=800,2=700"]);
        let folder = Folder::new("");
        let path = folder.path("plan.json");
        served
            .command(&format!(
                "plan --topic orders --consumed-by billing --out {path}"
            ))
            .ends_with(0);
        for line in [
            format!("--plan {path}"),
            "--topic orders --consumed-by billing".to_owned(),
        ] {
            let served = if line.starts_with("--plan") {
                &served
            } else {
                &with_groups(&["billing:orders:0=900,1=800,2=700"])
            };
            let mut session = at_a_terminal(served.command(&format!("delete {line}")));
            session.exp_string("Type yes to delete: ").unwrap();
            served
                .command("delete --topic orders --partition 2:701 --yes")
                .ends_with(0);
            session.send_line("yes").unwrap();
            session.exp_string("beyond the planned offset 700").unwrap();
            ends_with(&mut session, 2);
            assert_eq!(served.starts("orders", 3), [0, 0, 701]);
        }
    }
}
