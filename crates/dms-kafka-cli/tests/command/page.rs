//! `dms-kafka plan` and `dms-kafka topic` with `--output html`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::plan::with_groups;
use crate::support::{Run as _, Served, assert_stderr, command, stdout};

fn printed(served: &Served, line: &str) -> String {
    stdout(&served.command(line).ends_with(0))
}

/// The cells of the table with this label, without tags.
fn table(page: &str, label: &str) -> Vec<Vec<String>> {
    let label = format!(r#"aria-label="{label}""#);
    let Some((_, table)) = page.split_once(&label) else {
        return Vec::new();
    };
    let (table, _) = table.split_once("</tbody>").unwrap();
    let row = |row: &str| {
        let mut cells: Vec<_> = row.split("</td>").map(text).collect();
        cells.pop();
        cells
    };
    let table = table.replace("</th>", "</td>");
    table.split("<tr").skip(2).map(row).collect()
}

/// The text after the last tag.
fn text(html: &str) -> String {
    html.rsplit('>').next().unwrap().trim().to_owned()
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
            of.map(|field| number(&row[field]))
        });
        let shown = table(&page, "Partitions");
        let shown = shown.iter().map(|cells| {
            let of = [0, 2, 4, 5, 6];
            of.map(|column| cells[column].clone())
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        let expected = items(&plan["losses"]["groups"]).iter().map(|group| {
            let name = group["group"].as_str().unwrap().to_owned();
            [name, number(&group["unread"]), number(&group["lost"])]
        });
        let shown = table(&page, "Consumer groups");
        let shown = shown
            .iter()
            .map(|cells| [0, 2, 3].map(|column| cells[column].clone()));
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

#[test]
fn names_of_the_service_are_text() {
    let hostile = r#"<img src=x onerror="alert(1)">&'"#;
    let served = with_groups(&[&format!("{hostile}:orders:0=5")]);
    for line in ["topic orders", "plan --topic orders --up-to-end"] {
        let page = printed(&served, &format!("{line} --output html"));
        assert!(!page.contains("<img"), "{page}");
        assert!(page.contains("&#60;img src=x onerror=&#34;alert(1)&#34;&#62;&#38;&#39;"));
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
    assert_eq!(table(&page, "Consumer groups").len(), 200);
    let partitions = table(&page, "Partitions");
    assert_eq!(partitions.len(), 1000);
    assert_eq!(partitions[0][0], "777");
    assert!(page.contains("has no committed offset in partitions 1-19, 21-39, 41-59 and 907 more"));
    assert!(page.contains("partitions after the first 100 show none"));
}
