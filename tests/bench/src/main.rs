//! What dms-kafka costs, beside what it could cost.
//!
//! One process runs everything and starts the others: servers, one peer at a time, a load. What it prints are ratios of
//! one interleaved run; absolute figures depend on the machine and on what else it does.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a maintainers' tool that reports on the terminal and may stop at a broken machine"
)]

mod bounds;
mod build_cost;
mod cold_start;
mod gateway_load;
mod instructions;
#[cfg(feature = "kafka")]
mod kafka;
mod kafka_cost;
mod load;
mod long_run;
mod peers;
mod plot;
mod processes;
mod purge_of_a_file;
mod report;
mod results;
mod run;
mod server;
mod signing;
mod statistics;
mod usage;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

/// A failure is told to whoever started the command, nothing more.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What cannot be measured here, and why.
#[derive(Debug)]
struct Skipped(String);

impl Skipped {
    /// The exit status that test programs use for it.
    const STATUS: u8 = 77;
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Measure what dms-kafka costs.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure everything in one interleaved run.
    Run(run::Options),
    /// Write BENCHMARKS.md and the plots from what a run has measured.
    Report(report::Options),
    /// Count instructions of fixed workloads under callgrind and compare them with the baseline.
    Instructions(instructions::Options),
    /// Count crates and time clean release builds of a program on the facade and of one on reqwest.
    BuildCost(build_cost::Options),
    /// What the gateway adds to a deletion on a real Kafka.
    #[cfg(feature = "kafka")]
    Kafka(kafka::Options),
    /// A million calls, and five minutes of full load on the gateway: memory and cost must stay.
    LongRun(long_run::Options),

    /// Serve, until standard input ends.
    #[command(hide = true)]
    Serve(server::Options),
    /// Make calls and print what they cost.
    #[command(hide = true)]
    Peer(peers::Options),
    /// Load a server and print what it answered.
    #[command(hide = true)]
    Load(load::Options),
    /// Run another command once and print what it cost.
    #[command(hide = true)]
    Once(cold_start::Options),
    /// Sign requests.
    #[command(hide = true)]
    Sign(signing::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Report(options) => report::write(&options),
        Command::Instructions(options) => instructions::run(&options),
        Command::BuildCost(options) => build_cost::run(&options),
        #[cfg(feature = "kafka")]
        Command::Kafka(options) => kafka::run(&options),
        Command::LongRun(options) => long_run::run(&options),
        Command::Serve(options) => server::run(&options),
        Command::Peer(options) => peers::run(&options),
        Command::Load(options) => load::run(&options),
        Command::Once(options) => cold_start::once(&options),
        Command::Sign(options) => signing::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Skipped>() => {
            eprintln!("skipped: {error}");
            ExitCode::from(Skipped::STATUS)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes what was measured as JSON, at a path within the checkout.
fn write_json(path: &Path, measured: &impl Serialize) -> Result<()> {
    let file = root().join(path);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, serde_json::to_string_pretty(measured)? + "\n")?;
    println!("written: {}", path.display());
    Ok(())
}

/// The checkout that this was built from.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
