//! `cargo xtask bench`: builds what is measured, then hands over to the package that measures.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Failures, Outcome};
use crate::{cargo, interop, kafka, python};

const PACKAGE: [&str; 5] = [
    "run",
    "--quiet",
    "--release",
    "--package",
    "dms-kafka-bench",
];
const TOPIC: &str = "bench";

/// How the measuring program ends when it cannot count instructions here.
const SKIPPED: i32 = 77;

/// Measures everything and writes the report; with arguments, what they ask for.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Outcome, Failures> {
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match given.first() {
        None => everything(root),
        Some(&"run") => interleaved(root, &given),
        Some(&"kafka") => in_front_of_kafka(root),
        Some(_) => bench(root, &given),
    }
}

/// The report is written before a part that failed is complained of.
fn everything(root: &Path) -> Result<Outcome, Failures> {
    forget(root)?;
    let counts = ["instructions", "--json", "target/bench/instructions.json"];
    let kafka = in_front_of_kafka(root);
    interleaved(root, &["run"])?;
    let parts = [
        kafka,
        bench(root, &counts),
        bench(root, &["long-run"]),
        bench(root, &["build-cost"]),
    ];
    bench(root, &["report"])?;
    let ended: Vec<Outcome> = parts.into_iter().collect::<Result<_, _>>()?;
    let skipped = ended.into_iter().find(|part| *part != Outcome::Passed);
    Ok(skipped.unwrap_or(Outcome::Passed))
}

/// What was measured before has no place in a new report.
fn forget(root: &Path) -> Result<(), Failures> {
    let folder = root.join("target/bench");
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&folder).map_err(|error| Failure::file(folder.display(), error).into())
}

/// The command is one of what is measured; the vendor's SDKs are, where they can be had.
fn interleaved(root: &Path, arguments: &[&str]) -> Result<Outcome, Failures> {
    cargo::cargo(root, &["build", "--release", "-p", "dms-kafka-cli"], &[])?;
    let official = [
        ("python", "the official Python SDK", python::with_sdk(root)),
        (
            "go",
            "the official Go SDK",
            interop::go_program(root, "bench")?,
        ),
    ];
    let official = official.map(|(option, name, program)| match program {
        Ok(program) => format!("--{option}={}", program.display()),
        Err(reason) => format!("--skipped={name}: {reason}"),
    });
    let official = official.iter().map(String::as_str);
    let arguments: Vec<&str> = arguments.iter().copied().chain(official).collect();
    bench(root, &arguments)
}

fn in_front_of_kafka(root: &Path) -> Result<Outcome, Failures> {
    kafka::with_topic(root, TOPIC, |bootstrap_servers| {
        let feature = ["--features", "kafka", "--", "kafka"];
        let cluster = ["--bootstrap-servers", bootstrap_servers, "--topic", TOPIC];
        cargo::cargo(root, &[&PACKAGE[..], &feature, &cluster].concat(), &[])?;
        Ok(Outcome::Passed)
    })
}

fn bench(root: &Path, arguments: &[&str]) -> Result<Outcome, Failures> {
    let arguments = [&PACKAGE, &["--"][..], arguments].concat();
    let status = cargo::status(root, &arguments, &[])?;
    match status.code() {
        Some(SKIPPED) => {
            let reason = "no valgrind, or the baseline is another compiler's";
            Ok(Outcome::Skipped(reason.to_owned()))
        }
        _ => cargo::check(&arguments, status).map(|()| Outcome::Passed),
    }
}
