//! `cargo xtask generate`: output, errors, and files that stay unchanged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::process::Stdio;

use serde::Deserialize;
use support::{CONTRACT, Checkout, GENERATED, SERVED, workspace};

const COMMAND: &str = "run `cargo xtask generate`";

/// An edit that makes the contract invalid, and the expected error.
#[derive(Deserialize)]
struct Case {
    name: String,
    find: String,
    replace: String,
    /// Lines between the beginning of the edit and the line in the message.
    #[serde(default)]
    below: isize,
    message: String,
}

#[test]
fn the_checked_in_file_is_what_the_generator_writes() {
    let checkout = Checkout::new();
    fs::remove_file(checkout.path().join(GENERATED)).unwrap();
    let run = checkout.xtask(&["generate"]);
    assert!(run.success, "{}", run.stderr);
    let expected = fs::read_to_string(workspace().join(GENERATED)).unwrap();
    assert_eq!(checkout.read(GENERATED), expected.replace("\r\n", "\n"));
}

#[test]
fn check_accepts_any_line_ends() {
    let checkout = Checkout::new();
    for file in [CONTRACT, GENERATED] {
        let text = checkout.read(file).replace("\r\n", "\n");
        checkout.write(file, &text.replace('\n', "\r\n"));
    }
    let run = checkout.xtask(&["generate", "--check"]);
    assert!(run.success, "{}", run.stderr);
}

#[test]
fn check_shows_a_manual_edit_and_how_to_undo_it() {
    let checkout = Checkout::new();
    checkout.edit(GENERATED, "pub partition: ", "pub partition_number: ");
    let edited = checkout.read(GENERATED);
    let run = checkout.xtask(&["generate", "--check"]);
    assert!(!run.success);
    assert!(run.stderr.contains(COMMAND), "{}", run.stderr);
    assert!(
        run.stderr.contains("\n-        pub partition_number: "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("\n+        pub partition: "),
        "{}",
        run.stderr
    );
    assert_eq!(checkout.read(GENERATED), edited, "a check writes nothing");
}

#[test]
fn a_changed_contract_makes_the_file_stale_until_it_is_generated_again() {
    let checkout = Checkout::new();
    checkout.edit(CONTRACT, "Kafka instance of the topic.", "The instance.");
    let stale = checkout.xtask(&["generate", "--check"]);
    assert!(!stale.success);
    assert!(stale.stderr.contains(COMMAND), "{}", stale.stderr);
    assert!(
        stale.stderr.contains("`instance_id`: The instance."),
        "{}",
        stale.stderr
    );

    assert!(checkout.xtask(&["generate"]).success);
    assert!(
        checkout
            .read(GENERATED)
            .contains("`instance_id`: The instance.")
    );
    assert!(checkout.xtask(&["generate", "--check"]).success);
}

#[test]
fn an_invalid_contract_gives_one_error_and_changes_no_file() {
    for case in support::cases::<Case>(include_str!("cases/contract.toml")) {
        let checkout = Checkout::new();
        let generated = checkout.read(GENERATED);
        let line = checkout.edit(CONTRACT, &case.find, &case.replace);
        let line = line.saturating_add_signed(case.below);
        let expected = case.message.replace("{line}", &line.to_string());
        for arguments in [["generate"].as_slice(), &["generate", "--check"]] {
            let run = checkout.xtask(arguments);
            assert!(!run.success, "{} passes", case.name);
            assert_eq!(run.stderr, format!("error: {expected}\n"), "{}", case.name);
        }
        assert_eq!(checkout.read(GENERATED), generated, "{}", case.name);
        let files = fs::read_dir(checkout.path().join("crates/dms-kafka-client/src")).unwrap();
        assert_eq!(files.count(), 1, "{} leaves a file behind", case.name);
    }
}

#[test]
fn the_copy_that_the_gateway_serves_is_checked_and_written() {
    let checkout = Checkout::new();
    checkout.edit(SERVED, "Topic name.", "Name.");
    let run = checkout.xtask(&["generate", "--check"]);
    assert!(!run.success);
    let message = format!("error: {SERVED}: out of date; {COMMAND}\n");
    assert!(run.stderr.contains(&message), "{}", run.stderr);
    assert!(checkout.xtask(&["generate"]).success);
    assert_eq!(checkout.read(SERVED), checkout.read(CONTRACT));
}

#[test]
fn a_missing_contract_is_named() {
    let checkout = Checkout::new();
    fs::remove_file(checkout.path().join(CONTRACT)).unwrap();
    let run = checkout.xtask(&["generate"]);
    assert!(!run.success);
    assert!(
        run.stderr.starts_with("error: openapi/dms-kafka.yaml: "),
        "{}",
        run.stderr
    );
}

#[test]
fn a_client_that_does_not_compile_is_not_written() {
    let checkout = Checkout::with_crates();
    checkout.edit(
        "crates/dms-kafka-client/src/partition_result.rs",
        "pub enum ErrorCode {",
        "enum ErrorCode {",
    );
    checkout.edit(CONTRACT, "Topic name.", "Name of the topic.");
    let before = checkout.read(GENERATED);
    let run = checkout.xtask(&["generate"]);
    assert!(!run.success);
    let message = "error: openapi/dms-kafka.yaml: the client that it describes does not compile without warnings: ";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(checkout.read(GENERATED), before);
}

#[test]
fn a_check_that_cannot_run_does_not_blame_the_contract() {
    let checkout = Checkout::with_crates();
    checkout.edit(CONTRACT, "Topic name.", "Name of a topic.");
    let before = checkout.read(GENERATED);
    let empty = checkout.path().join("empty");
    let no_folder = checkout.path().join("Cargo.toml");
    let no_place = format!("error: {}", no_folder.display());
    for (variable, value, message) in [
        (
            "CARGO_HOME",
            &empty,
            "error: cannot compile the new client: ",
        ),
        ("CARGO_TARGET_DIR", &no_folder, &no_place),
    ] {
        let mut command = checkout.command(&["generate"]);
        command.env("CARGO_NET_OFFLINE", "true");
        let run = support::run(command.env(variable, value));
        assert!(
            !run.success && run.stderr.contains(message),
            "{}",
            run.stderr
        );
        assert_eq!(checkout.read(GENERATED), before);
    }
}

#[test]
fn commands_that_run_at_once_check_their_own_code() {
    let good = Checkout::with_crates();
    let bad = Checkout::with_crates();
    for checkout in [&good, &bad] {
        checkout.edit(CONTRACT, "Topic name.", "The topic's name.");
    }
    bad.edit(
        "crates/dms-kafka-client/src/partition_result.rs",
        "pub enum ErrorCode {",
        "enum ErrorCode {",
    );
    let before = bad.read(GENERATED);
    let started = [&good, &bad, &good, &bad].map(|checkout| {
        let mut command = checkout.command(&["generate"]);
        command.stderr(Stdio::piped()).spawn().unwrap()
    });
    let ended = started.map(|run| run.wait_with_output().unwrap());
    for (run, is_good) in ended.iter().zip([true, false, true, false]) {
        let messages = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.success(), is_good, "{messages}");
        assert_eq!(
            messages.contains("does not compile"),
            !is_good,
            "{messages}"
        );
    }
    assert!(good.read(GENERATED).contains("The topic's name."));
    assert_eq!(bad.read(GENERATED), before);
}
