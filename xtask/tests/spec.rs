//! `cargo xtask spec`: contract, recorded facts, page and deviations.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use serde::Deserialize;
use support::{CONTRACT, Checkout};

const PAGE: &str = "page.txt";

/// One edit of one file, and the expected errors.
#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
    find: String,
    replace: String,
    /// Lines between the beginning of the edit and the line in the first message.
    #[serde(default)]
    below: isize,
    messages: Vec<String>,
}

/// A checkout with a page that has the vendor's layout and the recorded facts, but other text.
fn checkout_with_page() -> Checkout {
    let checkout = Checkout::new();
    checkout.write(PAGE, include_str!("cases/page.txt"));
    checkout
}

fn spec_with_page(checkout: &Checkout) -> support::Run {
    let page = checkout.path().join(PAGE);
    checkout.xtask(&["spec", "--page", page.to_str().unwrap()])
}

#[test]
fn contract_reference_page_and_deviations_agree() {
    let run = spec_with_page(&checkout_with_page());
    assert!(run.success, "{}", run.stderr);
    assert!(run.stderr.contains("named deviations"), "{}", run.stderr);
    assert!(
        run.stderr.contains("openapi/reference.toml agrees with "),
        "{}",
        run.stderr
    );
}

#[test]
fn without_the_page_its_comparison_is_skipped_with_a_reason() {
    let run = Checkout::new().xtask(&["spec"]);
    assert!(run.success, "{}", run.stderr);
    assert!(run.stderr.contains("skipped: page: "), "{}", run.stderr);
}

#[test]
fn a_missing_page_is_an_error() {
    let run = Checkout::new().xtask(&["spec", "--page", "no-such-page.txt"]);
    assert!(!run.success);
    assert!(
        run.stderr.contains("error: no-such-page.txt: "),
        "{}",
        run.stderr
    );
}

#[test]
fn every_disagreement_is_reported() {
    for case in support::cases::<Case>(include_str!("cases/spec.toml")) {
        let checkout = checkout_with_page();
        let line = checkout.edit(&case.file, &case.find, &case.replace);
        let line = line.saturating_add_signed(case.below).to_string();
        let page = checkout.path().join(PAGE);
        let fill = |message: &String| {
            message
                .replace("{line}", &line)
                .replace("{page}", page.to_str().unwrap())
        };
        let expected: Vec<String> = case.messages.iter().map(fill).collect();

        let run = spec_with_page(&checkout);
        assert!(!run.success, "{} passes", case.name);
        let found = run
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("error: "));
        let found: Vec<String> = found
            .map(|message| without_line(message, &case.file))
            .collect();
        assert_eq!(found, expected, "{}", case.name);
    }
}

/// Removes line and column of a message about the contract, unless the contract was edited.
fn without_line(message: &str, edited: &str) -> String {
    let place = message
        .strip_prefix(CONTRACT)
        .filter(|_| edited != CONTRACT);
    match place.and_then(|place| place.split_once(": ")) {
        Some((_, cause)) => format!("{CONTRACT}: {cause}"),
        None => message.to_owned(),
    }
}

/// `cargo xtask ci` runs the linters, which need a package registry.
#[test]
fn without_node_the_linters_are_skipped_with_a_reason() {
    let checkout = Checkout::new();
    let run = support::run(checkout.command(&["spec", "--lint"]).env("PATH", ""));
    assert!(run.success, "{}", run.stderr);
    let message = "skipped: lint: npx is not installed; it comes with Node.js\n";
    assert!(run.stderr.ends_with(message), "{}", run.stderr);
}
