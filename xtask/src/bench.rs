//! `cargo xtask bench`: builds what is measured, then hands over to the package that measures.

use std::path::Path;

use crate::cargo::cargo;
use crate::failure::{Failures, Outcome};
use crate::{interop, kafka, python};

const PACKAGE: [&str; 5] = [
    "run",
    "--quiet",
    "--release",
    "--package",
    "dms-kafka-bench",
];
const TOPIC: &str = "bench";

/// Measures everything and writes the report; with arguments, what they ask for.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Outcome, Failures> {
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match given.first() {
        None => everything(root),
        Some(&"run") => interleaved(root, &given).map(|()| Outcome::Passed),
        Some(&"kafka") => in_front_of_kafka(root),
        Some(_) => bench(root, &given).map(|()| Outcome::Passed),
    }
}

fn everything(root: &Path) -> Result<Outcome, Failures> {
    let kafka = in_front_of_kafka(root)?;
    interleaved(root, &["run"])?;
    let counts = "target/bench/instructions.json";
    bench(root, &["instructions", "--json", counts])?;
    bench(root, &["build-cost", "--count"])?;
    bench(root, &["report"])?;
    Ok(kafka)
}

/// The command is one of what is measured; the vendor's SDKs are, where they can be had.
fn interleaved(root: &Path, arguments: &[&str]) -> Result<(), Failures> {
    cargo(root, &["build", "--release", "-p", "dms-kafka-cli"], &[])?;
    let python = python::with_sdk(root).map(|python| format!("--python={}", python.display()));
    let go = interop::go_program(root, "bench")?;
    let go = go.map(|program| format!("--go={}", program.display()));
    let official: Vec<&str> = python.iter().chain(&go).map(String::as_str).collect();
    bench(root, &[arguments, &official].concat())
}

fn in_front_of_kafka(root: &Path) -> Result<Outcome, Failures> {
    kafka::with_topic(root, TOPIC, |bootstrap_servers| {
        let feature = ["--features", "kafka", "--", "kafka"];
        let cluster = ["--bootstrap-servers", bootstrap_servers, "--topic", TOPIC];
        cargo(root, &[&PACKAGE[..], &feature, &cluster].concat(), &[])?;
        Ok(Outcome::Passed)
    })
}

fn bench(root: &Path, arguments: &[&str]) -> Result<(), Failures> {
    cargo(root, &[&PACKAGE, &["--"][..], arguments].concat(), &[])
}
