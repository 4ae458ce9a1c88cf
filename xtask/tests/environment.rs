//! `docs/environment.md` lists the variables that the code reads.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use support::workspace;

const PREFIXES: [&str; 3] = ["DMS_KAFKA_", "HUAWEICLOUD_", "HC_"];

/// The variables of a text, such as those in the string literals of code. The crates read others, such as `NO_COLOR`, in libraries.
fn variables(text: &str, quote: char) -> BTreeSet<String> {
    let words = text.split(quote);
    let is_name = |c: char| c.is_ascii_uppercase() || "_<>0123456789".contains(c);
    let known = |word: &&str| PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    let names = words.filter(known).filter(|word| word.chars().all(is_name));
    names.map(str::to_owned).collect()
}

/// The code of a folder, without the tests below it.
fn code(folder: &Path) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.extension() {
        None if path.is_dir() => code(&path),
        Some(extension) if extension == "rs" => {
            let text = fs::read_to_string(&path).unwrap();
            let (code, _) = text
                .split_once("#[cfg(test)]\nmod tests {")
                .unwrap_or((&text, ""));
            let lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            lines.fold(String::new(), |text, line| text + line + "\n")
        }
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn the_reference_lists_the_variables_that_the_code_reads() {
    let crates = fs::read_dir(workspace().join("crates")).unwrap();
    let sources = crates.map(|entry| code(&entry.unwrap().path().join("src")));
    let mut read = variables(&sources.collect::<String>(), '"');
    assert!(read.len() > 20, "{read:?}");
    // Its name is composed.
    read.insert("HUAWEICLOUD_SDK_REGION_<SERVICE>_<REGION>".to_owned());
    let reference = fs::read_to_string(workspace().join("docs/environment.md")).unwrap();
    let mut listed = variables(&reference, '`');
    // Examples of names that users choose.
    listed.remove("HUAWEICLOUD_SDK_REGION_KAFKA_AP_SOUTHEAST_1");
    assert_eq!(read, listed);
}
