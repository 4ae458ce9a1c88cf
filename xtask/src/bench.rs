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
    /// `run`, `report`, `instructions`, `build-cost`, `kafka`, `kafka-rates`, `kafka-tools`, `plans`, `long-run` or `exhaustion`, with its options; `--quick` only checks that everything works.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

const PACKAGE: &str = "run --quiet --release --package dms-kafka-bench";
const TOPIC: &str = "bench";

/// Clusters, each with the number of its brokers, what is written to a topic first, and the parts that measure it. Plans are
/// for 100 partitions, with 1,000 consumer groups.
const CLUSTERS: [(u16, &[&str], &[&str]); 3] = [
    (1, &["3", "1000"], &["kafka", "kafka-rates", "kafka-tools"]),
    (3, &["1", "0"], &["kafka-rates", "kafka-tools"]),
    (3, &["100", "100000", "1000"], &["plans"]),
];
/// For a quick run, the records and groups of the last one.
const QUICK: &[&str] = &["100", "1000", "20"];

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
        [
            part @ ("kafka" | "kafka-rates" | "kafka-tools" | "plans"),
            quick @ ..,
        ] => on_kafka(sh, Some(part), quick),
        _ => bench(sh, arguments),
    }
}

/// Writes the report before it reports a failed part.
fn everything(sh: &Shell, quick: &[&str]) -> Result<()> {
    remove_old_results(sh)?;
    let part = |arguments: &[&str]| bench(sh, &[arguments, quick].concat());
    let kafka = on_kafka(sh, None, quick);
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

/// Runs one part on the clusters that it measures, or all parts.
fn on_kafka(sh: &Shell, only: Option<&str>, quick: &[&str]) -> Result<()> {
    run_cargo(sh, "build --release -p dms-kafka-cli --features kafka")?;
    for (brokers, seed, parts) in CLUSTERS {
        let chosen = |part: &&&str| only.is_none_or(|only| only == **part);
        let parts: Vec<_> = parts.iter().filter(chosen).collect();
        if parts.is_empty() {
            continue;
        }
        let has_groups = seed.len() == QUICK.len();
        let seed = if has_groups && !quick.is_empty() {
            QUICK
        } else {
            seed
        };
        kafka::with_seed(sh, brokers, &[&[TOPIC], seed].concat(), |cluster| {
            let processes: Vec<_> = cluster.processes().map(|id| id.to_string()).collect();
            for part in parts {
                let bench = cargo(sh, PACKAGE).args(["--features", "kafka", "--", part]);
                let bench = bench.args(["--bootstrap-servers", &cluster.bootstrap_servers()]);
                let bench = bench.args(["--processes", &processes.join(","), "--topic", TOPIC]);
                bench.args(quick).run()?;
            }
            Ok(())
        })?;
    }
    Ok(())
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
