//! Compares what a terminal shows at 60, 80 and 120 columns with `tests/golden/screens`, and with the images in
//! `docs/images`. `cargo xtask screens` writes them.

#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use anstream::adapter::strip_str;
use anstyle_svg::Term;
use expect_test::{ExpectFile, expect_file};
use rexpect::session::PtySession;
use unicode_width::UnicodeWidthStr as _;

use crate::plan::with_groups;
use crate::support::{Run as _, Served, through_shell};
use crate::terminal::{at_a_terminal, exit_code};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/screens");
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images");

fn file(path: &str) -> ExpectFile {
    expect_file![path]
}

fn with_columns(columns: usize, inner: &Command) -> PtySession {
    let line = format!("stty rows 50 columns {columns} && exec \"$0\" \"$@\"");
    at_a_terminal(through_shell(&line, inner))
}

/// rexpect reads bytes as characters.
fn utf8(text: &str) -> String {
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// Asserts that no line is wider than the terminal, except those for another terminal, and the digest of a plan.
#[track_caller]
fn assert_fits(shown: &str, columns: usize) {
    for line in strip_str(shown).to_string().lines() {
        let is_long = line.contains("HOST:PORT") || line.len() == 64;
        assert!(is_long || line.width() <= columns, "{columns}: {line}");
    }
}

/// Replaces what differs in each run, by text of the same length.
fn without_ids(shown: &str, served: &Served) -> String {
    let (port, key) = (served.text("endpoint"), served.text("access_key"));
    shown
        .replace(port, "http://127.0.0.1:40000")
        .replace(
            served.text("project_id"),
            "0123456789abcdef0123456789abcdef",
        )
        .replace(
            served.text("instance_id"),
            "11111111-2222-3333-4444-555555555555",
        )
        .replace(&key[key.len() - 4..], "ABCD")
}

#[track_caller]
fn check(name: &str, shown: &str, columns: usize) {
    assert_fits(shown, columns);
    let plain = strip_str(shown).to_string();
    file(&format!("{GOLDEN}/{name}-{columns}.txt")).assert_eq(&plain);
    // A package has no images.
    if columns == 80 && Path::new(IMAGES).exists() {
        let image = Term::new().min_width_px(720).render_svg(shown);
        file(&format!("{IMAGES}/{name}.svg")).assert_eq(&image);
    }
}

/// A topic whose partitions and groups differ.
fn orders() -> Served {
    let served = with_groups(&[
        "billing:shop:0=130000,1=150000,2=220000,3=250000",
        "audit:shop:0=250000,1=250000,2=250000,3=250000",
    ]);
    served
        .command("delete --topic shop --yes --partition 1:100000 --partition 2:200000")
        .ends_with(0);
    served
}

#[test]
fn golden_screens_of_topic_confirmation_and_result() {
    for columns in [60, 80, 120] {
        let served = orders();
        let mut session = with_columns(columns, &served.command("topic shop"));
        check("topic", &utf8(&session.exp_eof().unwrap()), columns);
        let what = "--partition 0:120000 --partition 1:190000 --partition 2:200001 --everything 3";
        let mut session = with_columns(
            columns,
            &served.command(&format!("delete --topic shop {what}")),
        );
        let question = session.exp_string("to delete: ").unwrap() + "to delete: ";
        check(
            "confirmation",
            &without_ids(&utf8(&question), &served),
            columns,
        );
        session.send_line("shop").unwrap();
        check("result", &utf8(&session.exp_eof().unwrap()), columns);
        assert_eq!(exit_code(&session), 0);
    }
}

/// Names of groups, as they are shown.
const HOSTILE: &[(&str, &str)] = &[
    ("\u{1b}[31mred\u{1b}[2J", r"\u{1b}[31mred"),
    ("evil\u{202e}txt", r"evil\u{202e}txt"),
    (
        "請求請求請求請求請求請求請求請求請求",
        "請求請求請求請求請求請…",
    ),
    ("👩‍👩‍👧‍👦 family", "👩"),
    ("a\nwarning: everything is fine", r"a\n"),
    ("x; rm -rf ~", "x; rm -rf ~"),
];

#[test]
fn names_of_groups_neither_break_tables_nor_control_the_terminal() {
    let group = |(name, _): &(&str, &str)| format!("{name}:shop:0=5,1=5,2=5,3=5");
    let mut groups: Vec<String> = HOSTILE.iter().map(group).collect();
    groups.push(format!("{}:shop:0=5,1=5,2=5,3=5", "long".repeat(63)));
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let served = with_groups(&groups);
    for columns in [20, 60, 80] {
        for line in ["topic shop", "delete --topic shop --up-to-end"] {
            let mut session = with_columns(columns, &served.command(line));
            let shown = if line.starts_with("topic") {
                session.exp_eof().unwrap()
            } else {
                session.exp_string("Type ").unwrap()
            };
            let shown = utf8(&shown);
            for (_, expected) in HOSTILE {
                assert!(shown.contains(expected), "{columns} {expected}: {shown}");
            }
            for escape in shown.split('\u{1b}').skip(1) {
                assert!(
                    ["[0m", "[1m", "[31m"]
                        .iter()
                        .any(|own| escape.starts_with(own)),
                    "{escape:?}"
                );
            }
            if columns >= 60 {
                assert_fits(&shown, columns);
            }
        }
    }
}
