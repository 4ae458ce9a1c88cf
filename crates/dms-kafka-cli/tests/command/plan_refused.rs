//! Selectors and plans that are refused before anything is sent.

use crate::plan::{GROUPS, with_groups};
use crate::support::{assert_stderr, stdout};

/// Arguments of `plan` or `delete`, and words of the message. Exit code 2.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    (
        "delete --topic orders --older-than 1h --partition 0:1",
        "cannot be used with",
    ),
    (
        "delete --topic orders --everything 0 --up-to-end",
        "cannot be used with",
    ),
    (
        "delete --topic orders --everything 0 --partitions 0",
        "cannot be used with",
    ),
    (
        "delete --topic orders --partitions 0",
        "required arguments were not provided",
    ),
    (
        "delete --topic orders --trust-timestamps",
        "required arguments were not provided",
    ),
    ("delete --older-than 1h", "--topic"),
    (
        "delete --topic orders-* --older-than 1h",
        "not a Kafka topic name",
    ),
    ("delete --topic orders --plan p", "cannot be used with"),
    ("delete --plan p --up-to-end", "cannot be used with"),
    ("delete --topic orders --up-to-end --digest 00", "--digest"),
    ("delete --plan p --digest 00", "64 hexadecimal digits"),
    ("delete --plan p --plan q", "cannot be used multiple times"),
    ("delete --topic orders --older-than 7", "such as 7d"),
    ("delete --topic orders --older-than -7d", "more than 0"),
    ("delete --topic orders --before-time yesterday", "time zone"),
    (
        "delete --topic orders --before-time 9999-01-01T00:00:00Z",
        "in the future",
    ),
    ("delete --topic orders --keep-last -1", "number of records"),
    ("delete --topic orders --before-offset -1", "start at 0"),
    (
        "delete --topic orders --up-to-end --partitions 5-2",
        "falls",
    ),
    (
        "delete --topic orders --up-to-end --partitions 9",
        "has no partition 9",
    ),
    (
        "delete --topic orders --up-to-end --partitions 0,0",
        "given twice",
    ),
    (
        "delete --topic orders --consumed-by biling",
        "did you mean \"billing\"?",
    ),
    (
        "delete --topic orders --consumed-by idle",
        "has no committed offset in topic orders",
    ),
    (
        "delete --topic orders --consumed-by ahead",
        "which ends at 1000",
    ),
    (
        "delete --topic quiet --consumed-by-all",
        "no consumer group has a committed offset",
    ),
    (
        "delete --topic orders --up-to-end --refuse-unread-loss",
        "\"ahead\" has a committed offset beyond the end, perhaps of an earlier topic with this name, in partition 1",
    ),
    (
        "delete --topic orders --partition 0:950 --refuse-unread-loss",
        "unread records of",
    ),
    (
        "delete --topic orders --everything 0 --refuse-unread-loss",
        "unread records of",
    ),
    (
        "delete --topic orders-eu --up-to-end --refuse-unread-loss",
        "no committed offset in partition 1",
    ),
    (
        "delete --topic orders-eu --everything 1 --refuse-unread-loss",
        "no committed offset in partition 1",
    ),
    (
        "plan --topic orders",
        "required arguments were not provided",
    ),
    ("plan --topic a/b --up-to-end", "not a Kafka topic name"),
    (
        "plan --topic no-* --up-to-end",
        "no topic has a name like no-*",
    ),
    (
        "plan --topic orders* --up-to-end --out no/such/folder/f",
        "--out",
    ),
    (
        "plan --topic orders --up-to-end --out same --offsets-file ./same",
        "--out and --offsets-file are the same file",
    ),
    (
        "plan --topic orders --older-than 1h --older-than 2h",
        "cannot be used multiple times",
    ),
    ("delete --topic orders --older-than 0d", "more than 0"),
    ("delete --topic orders --older-than -1d", "more than 0"),
    ("delete --topic orders --older-than 1e3d", "such as 7d"),
    ("delete --topic orders --older-than 1y", "such as 7d"),
    (
        "delete --topic orders --older-than 99999999999d",
        "such as 7d",
    ),
    (
        "delete --topic orders --before-time 2026-11-19",
        "time zone",
    ),
    (
        "delete --topic orders --partition 0:400 --plan p",
        "cannot be used with",
    ),
];

pub(crate) const REFUSED_GROUPS: [&str; 5] = [
    GROUPS[0],
    GROUPS[1],
    "idle:bills:0=10",
    "ahead:orders:0=900,1=5000,2=1000",
    "half:orders-eu:0=500",
];

#[test]
fn what_cannot_be_deleted_as_selected_is_refused_and_nothing_is_deleted() {
    let served = with_groups(&REFUSED_GROUPS);
    for (line, words) in REFUSED {
        let more: &[&str] = if line.starts_with("delete") {
            &[" --yes", " --dry-run"]
        } else {
            &[""]
        };
        // A dry run ends as the deletion would.
        let codes = more.iter().map(|more| {
            let output = served.command(&format!("{line}{more}")).output().unwrap();
            assert_stderr(&output, words);
            assert_eq!(stdout(&output), "", "{line}{more}");
            output.status.code()
        });
        let codes: Vec<_> = codes.collect();
        assert!(matches!(codes[0], Some(2 | 3 | 5)), "{line}: {codes:?}");
        assert!(
            codes.iter().all(|code| *code == codes[0]),
            "{line}: {codes:?}"
        );
    }
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
    assert_eq!(served.starts("orders-eu", 2), [0, 0]);
}
