//! `cargo xtask spec`: contract, recorded facts, page and deviations.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use serde::Deserialize;
use support::{CONTRACT, Checkout};

const DEVIATIONS: &str = "openapi/deviations.toml";
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

#[test]
fn the_entry_in_a_message_names_the_difference() {
    let cases = support::cases::<Case>(include_str!("cases/spec.toml"));
    let is_one = |case: &&Case| case.file == CONTRACT && case.messages.len() == 1;
    for case in cases.iter().filter(is_one) {
        let checkout = Checkout::new();
        checkout.edit(&case.file, &case.find, &case.replace);
        let run = checkout.xtask(&["spec"]);
        let entry = entry(&run.stderr);
        let listed = checkout.read(DEVIATIONS);
        checkout.write(DEVIATIONS, &format!("{listed}\n{entry}"));
        let run = checkout.xtask(&["spec"]);
        assert!(run.stderr.contains("no reason given"), "{}", run.stderr);
        let entry = entry.replace("reason = \"\"", "reason = \"A test.\"");
        checkout.write(DEVIATIONS, &format!("{listed}\n{entry}"));
        let run = checkout.xtask(&["spec"]);
        assert!(run.success, "{}: {}", case.name, run.stderr);
    }
}

/// The entry that a message shows.
fn entry(message: &str) -> String {
    message.split_once("\n\n").unwrap().1.to_owned()
}

#[test]
fn an_operation_that_the_contract_does_not_have_can_be_named() {
    let checkout = Checkout::new();
    checkout.edit(CONTRACT, "/messages/delete:", "/messages/deletion:");
    let run = checkout.xtask(&["generate"]);
    let entry = entry(&run.stderr).replace("reason = \"\"", "reason = \"A test.\"");
    assert!(!entry.contains("contract ="), "{entry}");
    let listed = checkout.read(DEVIATIONS);
    checkout.write(DEVIATIONS, &format!("{listed}\n{entry}"));
    let run = checkout.xtask(&["generate"]);
    assert!(run.success, "{}", run.stderr);
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
