//! Small documents, each added to a copy of the contract: their clients are called on the wire, or they are refused with one
//! message.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use support::documents::{Case, add, call};
use support::{CONTRACT, Checkout, GENERATED};

#[test]
fn a_refused_document_gives_one_error_at_its_place_and_changes_no_file() {
    let mut failures = Vec::new();
    let refused: Vec<Case> = support::cases(include_str!("cases/refused.toml"));
    for (number, case) in refused.iter().enumerate() {
        let checkout = Checkout::new();
        let before = checkout.read(GENERATED);
        add(&checkout, &[case.parts(number)]);
        let text = checkout.read(CONTRACT);
        let place = |part: &Option<String>| place(&text, part.as_deref().unwrap_or("no text"));
        let message = case.error.as_deref().unwrap_or_default();
        let message = message.replace("{earlier}", &place(&case.earlier));
        let expected = format!("error: {CONTRACT}:{}: {message}\n", place(&case.at));
        let run = checkout.xtask(&["generate"]);
        if run.stderr != expected || run.success || checkout.read(GENERATED) != before {
            failures.push(format!("{}:\n  {expected}  {}", case.name, run.stderr));
        }
    }
    assert!(failures.is_empty(), "{}", failures.concat());
    assert!(refused.len() >= 25);
}

/// Line and column of the last occurrence.
fn place(text: &str, part: &str) -> String {
    let before = &text[..text.rfind(part).unwrap_or_default()];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("{line}:{column}")
}

#[test]
fn accepted_documents_give_a_client_that_sends_and_decodes_what_they_say() {
    let accepted: Vec<Case> = support::cases(include_str!("cases/documents.toml"));
    let accepted: Vec<(usize, &Case)> = accepted.iter().enumerate().collect();
    let calls = accepted.iter().filter(|(_, case)| !case.calls.is_empty());
    assert!(calls.count() >= 25);
    call(&accepted);
}
