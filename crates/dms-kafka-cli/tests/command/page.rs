//! `dms-kafka plan` and `dms-kafka topic` with `--output html`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::plan::{serve_config, with_groups};
use crate::profile::{with_key, with_profiles};
use crate::support::{Folder, Run as _, Served, assert_stderr, at, command, stdout};

fn printed(served: &Served, line: &str) -> String {
    stdout(&served.command(line).ends_with(0))
}

/// The cells of the table with this label: the text, and the time below it.
fn table(page: &str, label: &str) -> Vec<Vec<(String, Option<String>)>> {
    let label = format!(r#"aria-label="{label}""#);
    let Some((_, table)) = page.split_once(&label) else {
        return Vec::new();
    };
    let (table, _) = table.split_once("</tbody>").unwrap();
    let cell = |cell: &str| {
        let cell = cell.trim_end_matches("</small>");
        let (text, time) = cell.rsplit_once("<small>").unzip();
        let text = text.unwrap_or(cell).rsplit('>').next().unwrap();
        (text.trim().to_owned(), time.map(str::to_owned))
    };
    let row = |row: &str| {
        let mut cells: Vec<_> = row.split("</td>").map(cell).collect();
        cells.pop();
        cells
    };
    let table = table.replace("</th>", "</td>");
    table.split("<tr").skip(2).map(row).collect()
}

/// With groups of three digits.
fn number(value: &Value) -> String {
    let digits = value.as_i64().unwrap().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

const GROUPS: [&str; 3] = [
    "billing:orders:0=900,1=800,2=700",
    "audit:orders:0=400,1=400",
    "shoppers:shop:0=249999,1=1234",
];

#[test]
fn the_page_of_a_plan_has_the_numbers_of_the_json() {
    let served = with_groups(&GROUPS);
    for line in [
        "--topic orders --older-than 43206s",
        "--topic orders --up-to-end",
        "--topic shop --before-offset 123456",
        "--topic shop --keep-last 9 --partitions 1-2",
        "--topic quiet --up-to-end",
        "--topic orders --older-than 2d",
    ] {
        let page = printed(&served, &format!("plan {line} --output html"));
        let json = printed(&served, &format!("plan {line} --output json"));
        let plan: Value = serde_json::from_str(&json).unwrap();
        let plan = &plan["plans"][0];
        let expected = items(&plan["partitions"]).iter().map(|row| {
            let of = ["partition", "records", "start", "before", "end"];
            let times = ["oldest_time", "first_kept_time", "newest_time"];
            let time = |field| Some(row[field].as_str()?.get(..19)?.replace('T', " "));
            (of.map(|field| number(&row[field])), times.map(time))
        });
        let shown = table(&page, "Partitions");
        let shown = shown.iter().map(|cells| {
            let of = [0, 2, 4, 5, 6];
            let times = [4, 5, 6].map(|column: usize| cells[column].1.clone());
            (of.map(|column| cells[column].0.clone()), times)
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        let expected = items(&plan["losses"]["groups"]).iter().map(|group| {
            let name = group["group"].as_str().unwrap().to_owned();
            [name, number(&group["unread"]), number(&group["lost"])]
        });
        let shown = table(&page, "Consumer groups");
        let shown = shown
            .iter()
            .map(|cells| [0, 2, 3].map(|column| cells[column].0.clone()));
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        let records = items(&plan["partitions"]).iter();
        let records: i64 = records.map(|row| row["records"].as_i64().unwrap()).sum();
        let total = format!("{} of ", number(&records.into()));
        assert!(page.contains(&total), "{total}");
        // The digest of another plan differs by its time.
        let digest = plan["digest"].as_str().unwrap();
        assert_eq!(digest.len(), 64);
        assert!(page.contains(plan["instance_id"].as_str().unwrap()));
    }
}

#[test]
fn pages_of_topics_and_of_plans_that_delete_nothing_or_lose_nothing_say_so() {
    let served = with_groups(&GROUPS);
    for (line, says) in [
        ("topic orders", "3,000 records in 3 partitions."),
        ("topic quiet", "No consumer group has a committed offset"),
        (
            "plan --topic quiet --up-to-end",
            "No consumer group has a committed offset",
        ),
        (
            "plan --topic orders --older-than 2d",
            "0 of 3,000 records would be deleted (0%).",
        ),
        (
            "plan --topic orders --before-offset 1 --partitions 0",
            "No consumer group loses unread records.",
        ),
        (
            "plan --topic orders --up-to-end",
            "Which consumer groups lose unread records is not known",
        ),
        (
            "plan --topic orders --up-to-end",
            "with <code>latest</code>, the default",
        ),
    ] {
        let page = printed(&served, &format!("{line} --output html"));
        assert!(page.contains(says), "{line}: {says}\n{page}");
        assert!(!page.contains("<script"), "{line}");
        for loads in ["src=", "href=", "@import", "url(http", "url(//"] {
            assert!(!page.contains(loads), "{line}: {loads}");
        }
    }
    let many = served.command("plan --topic orders* --up-to-end --output html");
    let many = { many }.ends_with(2);
    assert_stderr(&many, "the page shows the plan of one topic");
}

/// A name, and its text in HTML without what could be markup or reorder other text.
const HOSTILE: [(&str, &str); 4] = [
    (
        r#"<img src=x onerror="alert(1)">&'"#,
        "&#60;img src=x onerror=&#34;alert(1)&#34;&#62;&#38;&#39;",
    ),
    (
        "a--></style></svg>{{ 7 }}",
        "a--&#62;&#60;/style&#62;&#60;/svg&#62;{{ 7 }}",
    ),
    (
        "\u{202e}txt.\u{2066}\u{200b}a",
        r"\u{202e}txt.\u{2066}\u{200b}a",
    ),
    ("\u{5d0}\u{5d1} 12", "\u{5d0}\u{5d1} 12"),
];

fn assert_is_text(page: &str, name: &str, shown: &str) {
    assert!(page.contains(shown), "{shown}\n{page}");
    assert!(name == shown || !page.contains(name), "{page}");
    assert!(
        !page.contains(['\u{202e}', '\u{2066}', '\u{200b}']),
        "{page}"
    );
}

#[test]
fn names_of_the_service_are_text() {
    let long = "x".repeat(249);
    let names = HOSTILE.into_iter().chain([(&*long, &*long)]);
    let names: Vec<_> = names.collect();
    let groups: Vec<String> = (0..)
        .zip(&names)
        .map(|(offset, (name, _))| format!("{name}:orders:0={offset}"))
        .collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let served = with_groups(&groups);
    for line in ["topic orders", "plan --topic orders --up-to-end"] {
        let page = printed(&served, &format!("{line} --output html"));
        for (name, shown) in &names {
            assert_is_text(&page, name, shown);
        }
    }
}

#[test]
fn names_of_profiles_and_reasons_of_the_service_are_text() {
    let (folder, served) = (Folder::new(""), with_groups(&[]));
    let setting = |name| format!("{name} = '{}'\n", served.text(name));
    let settings = ["endpoint", "project_id", "instance_id"]
        .map(setting)
        .concat();
    let profiles = format!("[profile.\"<b>\u{202e}\"]\n{settings}\n[profile.\"<i>'\"]\n{settings}");
    for (profile, shown) in [
        ("<b>\u{202e}", r"--profile $&#39;&#60;b&#62;\U0000202e&#39;"),
        ("<i>'", r"--profile &#39;&#60;i&#62;&#39;\&#39;&#39;&#39;"),
    ] {
        let line = "plan --topic orders --up-to-end --output html --profile";
        let mut command = with_profiles(&folder, &profiles, line);
        command.arg(profile);
        let page = stdout(&with_key(command, &served).ends_with(0));
        assert_is_text(&page, profile, shown);
    }

    // The first two requests list topics and partitions.
    let config = r#"listen = "127.0.0.1:0"
[[access_key]]
access_key = "AK"
secret_key = { env = "GATEWAY_SK" }
[[instance]]
id = "i"
project_id = "p"
memory.topics = [{ name = "orders", partitions = 3, records = 100 }]
[[faults.rule]]
operation = "groups"
fault = { status = 403, body = { content_type = "application/json", text = '{"error_code":"APIGW.0302","error_msg":"<b>\u202eno"}' } }
[[faults.rule]]
operation = "list"
skip = 2
fault = { status = 403 }
"#;
    for (line, title) in [
        ("topic orders", "The consumer groups are not known:"),
        (
            "plan --topic orders --keep-last 3",
            "Which consumer groups lose unread records is not known:",
        ),
    ] {
        let served = serve_config(&folder, config);
        let line = format!("{line} --output html");
        let page = stdout(&at(served.text("endpoint"), &line).ends_with(0));
        assert_is_text(&page, "<b>", r"&#60;b&#62;\u{202e}no");
        for shown in [title, "They could not be read."] {
            assert!(page.contains(shown), "{line}: {shown}\n{page}");
        }
        assert!(!page.contains("<small>"), "times are unknown: {page}");
    }
}

#[test]
fn the_page_of_a_large_topic_is_small_and_starts_with_the_largest_loss() {
    let mut serve = command();
    serve.args(["serve", "--topic", "large:1000:2000000000"]);
    for group in 0..200 {
        let name = "請".repeat(80);
        let mut commits = format!("{name}-{group}:large:777={group}");
        for partition in (0..700).step_by(20) {
            write!(commits, ",{partition}=2000000000").unwrap();
        }
        serve.args(["--group", &commits]);
    }
    let served = Served::ready(&mut serve);
    let page = printed(
        &served,
        "plan --topic large --before-offset 1999999999 --output html",
    );
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    let partitions = table(&page, "Partitions");
    assert_eq!(partitions[0][0].0, "777");
    let times = partitions[0].iter().filter(|(_, time)| time.is_some());
    assert_eq!(times.count(), 3);
    let mut sections = Vec::new();
    for label in [
        "Consumer groups",
        "Partitions",
        "Other consumer groups",
        "Other partitions",
    ] {
        sections.push((
            page.find(&format!("<h2>{label}</h2>")).unwrap(),
            table(&page, label).len(),
        ));
    }
    let commands = page.find("<h2>Commands</h2>").unwrap();
    let rows: Vec<usize> = sections.iter().map(|(_, rows)| *rows).collect();
    assert_eq!(rows, [20, 20, 180, 980]);
    assert!(sections.is_sorted() && sections[1].0 < commands && commands < sections[2].0);
    let mut numbers: Vec<String> = partitions
        .into_iter()
        .chain(table(&page, "Other partitions"))
        .map(|row| row[0].0.clone())
        .collect();
    numbers.sort_by_key(|number| number.parse::<i32>().unwrap());
    assert!(
        numbers
            .into_iter()
            .eq((0..1000).map(|partition| partition.to_string()))
    );
    assert!(page.contains("has no committed offset in partitions 1-19, 21-39, 41-59 and 907 more"));
    assert!(page.contains("partitions after the first 100 show none"));
}
