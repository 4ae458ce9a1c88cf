//! `generated.rs` is what the generator wrote from the contract as it is now.
//!
//! Hashes alone tell, so this test costs nothing and runs everywhere; `cargo xtask generate --check`
//! really generates again.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// The generated file as the generator wrote it: a header, an empty line, the code.
struct Generated {
    header: String,
    code: String,
}

impl Generated {
    fn read() -> Self {
        let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated.rs"));
        let (header, code) = text
            .split_once("\n\n")
            .expect("an empty line ends the header");
        Self {
            header: header.to_owned(),
            code: code.to_owned(),
        }
    }

    fn field(&self, name: &str) -> &str {
        self.header
            .lines()
            .find_map(|line| {
                line.strip_prefix("// ")?
                    .strip_prefix(name)?
                    .strip_prefix(':')
            })
            .unwrap_or_else(|| panic!("the header of generated.rs has no {name:?}"))
            .trim()
    }
}

/// Reads a text file, whatever line ends the checkout gave it.
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
    let generated = Generated::read();
    assert_eq!(
        sha256(&generated.code),
        generated.field("code sha256"),
        "src/generated.rs was edited; change the contract instead and run `cargo xtask generate`"
    );
}

#[test]
fn the_contract_has_not_changed_since() {
    let generated = Generated::read();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !workspace.join("openapi").exists() {
        println!("skipped: the published crate comes without the contract");
        return;
    }
    assert_eq!(
        sha256(&read(&workspace.join(generated.field("contract")))),
        generated.field("contract sha256"),
        "the contract changed after src/generated.rs was written; run `cargo xtask generate`"
    );
}
