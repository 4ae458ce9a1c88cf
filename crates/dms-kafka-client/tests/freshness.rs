//! `generated.rs` is unchanged, and was generated from the current contract.
//!
//! The test compares hashes, so it needs no generator. `cargo xtask generate --check` generates the file again.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// The header of the generated file, and the code after it.
fn generated() -> (String, String) {
    let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated.rs"));
    let (header, code) = text
        .split_once("\n\n")
        .expect("an empty line ends the header");
    (header.to_owned(), code.to_owned())
}

fn field<'a>(header: &'a str, name: &str) -> &'a str {
    let prefix = format!("// {name}:");
    let mut values = header.lines().filter_map(|line| line.strip_prefix(&prefix));
    let value = values.next().map(str::trim);
    value.unwrap_or_else(|| panic!("the header of generated.rs has no {name:?}"))
}

/// Reads a text file, with LF line ends.
fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .replace("\r\n", "\n")
}

fn sha256(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[test]
fn the_code_is_not_edited_by_hand() {
    let (header, code) = generated();
    assert!(
        header.lines().count() == 6 && header.lines().all(|line| line.starts_with("//")),
        "the header of src/generated.rs was edited; run `cargo xtask generate`"
    );
    assert_eq!(
        sha256(&code),
        field(&header, "code sha256"),
        "src/generated.rs was edited; change the contract instead and run `cargo xtask generate`"
    );
}

#[test]
fn the_contract_has_not_changed_since() {
    let (header, _) = generated();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !workspace.join("openapi").exists() {
        println!("skipped: the published crate does not contain the contract");
        return;
    }
    assert_eq!(
        sha256(&read(&workspace.join(field(&header, "contract")))),
        field(&header, "contract sha256"),
        "the contract changed after src/generated.rs was written; run `cargo xtask generate`"
    );
}
