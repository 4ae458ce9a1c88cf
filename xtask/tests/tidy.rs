//! `cargo xtask tidy`, on this workspace and on small examples.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::process::Command;

use serde::Deserialize;
use support::Checkout;

/// The files of a workspace with one crate, and the expected errors.
#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    architecture: String,
    files: Vec<(String, String)>,
    #[serde(default)]
    error: String,
}

#[test]
fn this_workspace_is_tidy() {
    let run = support::run(Command::new(env!("CARGO_BIN_EXE_xtask")).arg("tidy"));
    assert!(run.success, "{}", run.stderr);
}

#[test]
fn cycles_repeated_names_and_missing_files_are_named() {
    for case in support::cases::<Case>(include_str!("cases/tidy.toml")) {
        let checkout = Checkout::new();
        checkout.write("Cargo.toml", "[workspace]\nmembers = [\"one\"]\n");
        checkout.write("ARCHITECTURE.md", &case.architecture);
        fs::create_dir_all(checkout.path().join("docs")).unwrap();
        checkout.write("docs/security-model.md", "[a link](../ARCHITECTURE.md)");
        for (file, text) in &case.files {
            let file = format!("one/src/{file}");
            fs::create_dir_all(checkout.path().join(&file).parent().unwrap()).unwrap();
            checkout.write(&file, text);
        }
        let run = checkout.xtask(&["tidy"]);
        assert_eq!(run.stderr, case.error, "{}", case.name);
        assert_eq!(run.success, case.error.is_empty(), "{}", case.name);
    }
}
