//! `cargo xtask bench`: builds the measured programs, then runs the package `dms-kafka-bench`.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use xshell::Shell;

use crate::failure::{skip, unless_skipped};
use crate::process::{cargo, run_cargo};
use crate::{interop, kafka, python};

/// Measure CPU time, memory and rates and write BENCHMARKS.md, or run one part of the benchmarks.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// `run`, `report`, `instructions`, `build-cost`, `kafka`, `plans`, `long-run` or `exhaustion`, with its options; `--quick` only checks that everything works.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

const PACKAGE: &str = "run --quiet --release --package dms-kafka-bench";
const TOPIC: &str = "bench";

/// Brokers of a cluster, and concurrent deletions.
const RATES: [(u16, u16); 2] = [(1, 64), (3, 256)];

/// The exit code of dms-kafka-bench if it cannot count instructions on this machine.
const SKIPPED: i32 = 77;

impl Bench {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        run(sh, &arguments)
    }
}

/// Runs all parts and writes the report, or runs the part that the arguments name.
pub(crate) fn run(sh: &Shell, arguments: &[&str]) -> Result<()> {
    match arguments {
        [] | ["--quick"] => everything(sh, arguments),
        ["run", ..] => interleaved(sh, arguments),
        ["kafka", quick @ ..] => gateway_and_kafka(sh, quick),
        ["plans", quick @ ..] => plans(sh, quick),
        _ => bench(sh, arguments),
    }
}

/// Writes the report before it reports a failed part.
fn everything(sh: &Shell, quick: &[&str]) -> Result<()> {
    remove_old_results(sh)?;
    let part = |arguments: &[&str]| bench(sh, &[arguments, quick].concat());
    let kafka = gateway_and_kafka(sh, quick).and_then(|()| plans(sh, quick));
    interleaved(sh, &[&["run"], quick].concat())?;
    let parts = [
        kafka,
        part(&["instructions"]),
        part(&["long-run", "--seconds", "120"]),
        part(&["exhaustion"]),
        part(&["build-cost"]),
    ];
    part(&["report"])?;
    // A failure takes precedence over a skip before it.
    let ended: Vec<_> = parts
        .into_iter()
        .map(unless_skipped)
        .collect::<Result<_>>()?;
    Ok(ended.into_iter().collect::<std::result::Result<(), _>>()?)
}

/// A new report must not contain old results.
fn remove_old_results(sh: &Shell) -> Result<()> {
    let folder = sh.current_dir().join("target/bench");
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())
}

/// Builds the command, which is measured too, and the programs on the vendor's SDKs, if they can be installed.
fn interleaved(sh: &Shell, arguments: &[&str]) -> Result<()> {
    run_cargo(sh, "build --release -p dms-kafka-cli")?;
    let mut arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    for (option, name, program) in [
        ("python", "the official Python SDK", python::with_sdk(sh)),
        (
            "go",
            "the official Go SDK",
            interop::go_program(sh, "bench"),
        ),
    ] {
        arguments.push(match unless_skipped(program)? {
            Ok(program) => format!("--{option}={}", program.display()),
            Err(reason) => format!("--skipped={name}: {reason}"),
        });
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    bench(sh, &arguments)
}

fn gateway_and_kafka(sh: &Shell, quick: &[&str]) -> Result<()> {
    kafka::with_topic(sh, TOPIC, |bootstrap_servers| {
        with_kafka(sh, "kafka", bootstrap_servers, quick)
    })?;
    RATES.into_iter().try_for_each(|(brokers, concurrency)| {
        kafka::with_seed(sh, brokers, &[TOPIC, "1", "0"], |bootstrap_servers| {
            let (brokers, concurrency) = (brokers.to_string(), concurrency.to_string());
            let bench = cargo(sh, PACKAGE).args(["--features", "kafka", "--", "kafka-rates"]);
            let bench = bench.args(["--bootstrap-servers", bootstrap_servers]);
            let bench = bench.args(["--brokers", &brokers, "--concurrency", &concurrency]);
            Ok(bench.args(quick).run()?)
        })
    })
}

/// On three brokers: a topic of 100 partitions with 1,000 records in each, and 1,000 consumer groups.
fn plans(sh: &Shell, quick: &[&str]) -> Result<()> {
    let groups = if quick.is_empty() { "1000" } else { "20" };
    let seed = [TOPIC, "100", "1000", groups];
    kafka::with_seed(sh, 3, &seed, |bootstrap_servers| {
        with_kafka(sh, "plans", bootstrap_servers, quick)
    })
}

fn with_kafka(sh: &Shell, part: &str, bootstrap_servers: &str, quick: &[&str]) -> Result<()> {
    let cluster = ["--bootstrap-servers", bootstrap_servers, "--topic", TOPIC];
    let bench = cargo(sh, PACKAGE).args(["--features", "kafka", "--", part]);
    Ok(bench.args(cluster).args(quick).run()?)
}

fn bench(sh: &Shell, arguments: &[&str]) -> Result<()> {
    let command = cargo(sh, PACKAGE).arg("--").args(arguments);
    let line = command.to_string();
    let status = Command::from(command)
        .status()
        .with_context(|| line.clone())?;
    match status.code() {
        Some(0) => Ok(()),
        Some(SKIPPED) => {
            skip("valgrind is not installed, or the baseline is from another compiler")
        }
        _ => bail!("{line}: {status}"),
    }
}
