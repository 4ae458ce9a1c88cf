//! `cargo xtask nightly`: runs checks that take too long for every change.

use anyhow::{Result, anyhow};
use clap::Args;
use xshell::{Cmd, Shell, cmd};

use crate::archive::Archive;
use crate::failure::{skip, unless_empty};
use crate::mutants::Mutants;
use crate::process::{cargo, run_cargo, succeeds};
use crate::steps::{self, Step};
use crate::tools::{self, FUZZ};
use crate::{kafka, reports};

/// Run checks that take too long for every change: fuzzing, mutants, long loads.
#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// Seconds for each fuzz target.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    fuzz_seconds: u32,
    /// Names of the steps to run, as the summary prints them; all if none is given.
    #[arg(value_name = "STEP")]
    steps: Vec<String>,
}

const STEPS: &[Step<Nightly>] = &[
    ("tools", |sh, _| tools::install_all(sh)),
    ("conformance reports", |sh, _| reports::run(sh, &[])),
    ("release archive", |sh, _| Archive::release(sh)?.run(sh)),
    ("clippy, Kafka with TLS", |sh, _| {
        run_cargo(
            sh,
            "clippy -p dms-kafka-gateway --features=kafka-tls,tls --all-targets -- -Dwarnings",
        )
    }),
    ("kafka, TLS", |sh, _| kafka::test(sh, false, false)),
    ("fuzz", fuzz),
    ("mutants", |sh, _| Mutants::default().run(sh)),
    ("ten kills", |sh, _| {
        let million = "test --release -p dms-kafka-cli --test command -- --ignored --nocapture a_million_rows";
        run_cargo(sh, million)
    }),
    ("random plans", |sh, _| {
        run_cargo(
            sh,
            "test -p dms-kafka --test api -- --ignored a_thousand_plans",
        )
    }),
    ("random documents", |sh, _| {
        (1..=20).try_for_each(|run| {
            let test = cargo(sh, "test -p xtask --test random_documents");
            Ok(test.env("SEED", (run * 1000).to_string()).run()?)
        })
    }),
    ("long run", |sh, _| {
        run_cargo(sh, "run --release -p dms-kafka-bench -- long-run")
    }),
    ("exhaustion", |sh, _| {
        run_cargo(sh, "run --release -p dms-kafka-bench -- exhaustion")
    }),
];

impl Nightly {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        steps::run(sh, self, STEPS, &self.steps)
    }
}

/// Runs every fuzz target of every crate.
fn fuzz(sh: &Shell, options: &Nightly) -> Result<()> {
    if !succeeds(cmd!(sh, "rustup run nightly rustc --version")) {
        return skip("a nightly toolchain is not installed");
    }
    let mut failures = Vec::new();
    for folder in sh.read_dir("crates")? {
        if !folder.join("fuzz/Cargo.toml").exists() {
            continue;
        }
        let _there = sh.push_dir(&folder);
        for target in cargo_fuzz(sh, "list")?.read()?.lines() {
            // The fuzzer writes new inputs to the first folder.
            sh.create_dir(format!("fuzz/corpus/{target}"))?;
            let words = format!(
                "run {target} fuzz/corpus/{target} tests/fuzz/seeds/{target} -- -max_total_time={}",
                options.fuzz_seconds
            );
            if cargo_fuzz(sh, &words)?.run().is_err() {
                failures.push(anyhow!("{}: {target} failed", folder.display()));
            }
        }
    }
    unless_empty(failures)
}

fn cargo_fuzz<'a>(sh: &'a Shell, words: &str) -> Result<Cmd<'a>> {
    Ok(FUZZ.command(sh, words)?.env("RUSTUP_TOOLCHAIN", "nightly"))
}
