//! `cargo xtask bench`: builds what is measured, then hands over to the package that measures.

use std::path::Path;

use crate::cargo::cargo;
use crate::failure::Failures;
use crate::python;

const BENCH: [&str; 6] = ["run", "--quiet", "--release", "-p", "dms-kafka-bench", "--"];

/// Measures everything and writes the report; with arguments, what they ask for.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failures> {
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if given.first().is_some_and(|first| *first != "run") {
        return bench(root, &given);
    }
    cargo(root, &["build", "--release", "-p", "dms-kafka-cli"], &[])?;
    let mut run = if given.is_empty() { vec!["run"] } else { given };
    let sdk = python::with_sdk(root).map(|python| format!("--python={}", python.display()));
    run.extend(sdk.as_deref());
    bench(root, &run)?;
    bench(
        root,
        &["instructions", "--json", "target/bench/instructions.json"],
    )?;
    bench(root, &["build-cost", "--count"])?;
    bench(root, &["report"])
}

fn bench(root: &Path, arguments: &[&str]) -> Result<(), Failures> {
    cargo(root, &[&BENCH, arguments].concat(), &[])
}
