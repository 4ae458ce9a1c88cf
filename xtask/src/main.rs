//! Maintainers' commands, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stderr, reason = "a command line tool reports on stderr")]
#![allow(
    clippy::expect_used,
    reason = "a maintainers' tool may stop at a broken checkout"
)]

mod bench;
mod cargo;
mod ci;
mod conformance;
mod contract;
mod described;
mod deviations;
mod diff;
mod facts;
mod failure;
mod format;
mod generate;
mod interop;
mod kafka;
mod lint;
mod nightly;
mod page;
mod public_api;
mod python;
mod reference;
mod reports;
mod seeded;
mod spec;
mod steps;
mod tidy;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{Failures, Outcome};

/// Maintainers' commands of dms-kafka.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    /// Checkout to work on.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."),
        hide_default_value = true
    )]
    root: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what dms-kafka costs and write BENCHMARKS.md, or another of the benchmark's commands.
    #[command(disable_help_flag = true)]
    Bench {
        /// `run`, `report`, `instructions`, `build-cost` or `long-run`, with their options; see `--help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },

    /// Run everything a change must pass.
    Ci {
        /// Text of the vendor's page, to compare the recorded facts with.
        #[arg(long, value_name = "FILE", env = "DMS_KAFKA_PAGE")]
        page: Option<PathBuf>,
    },

    /// Judge an implementation: the conformance kit, with its arguments (see `-- --help`).
    Conformance {
        /// Such as --coverage, --endpoint URL, --listen ADDRESS; of its own --faults and --reports.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },

    /// Generate the client from the contract.
    Generate {
        /// Write nothing; fail when the generated file is out of date.
        #[arg(long)]
        check: bool,
    },

    /// Run clients that others wrote against a gateway.
    #[command(subcommand)]
    Interop(interop::Client),

    /// Run a real Apache Kafka on this machine, for tests.
    Kafka(kafka::Kafka),

    /// Run what takes too long for every change: fuzzing, long loads.
    Nightly {
        /// Seconds for each fuzz target.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        fuzz_seconds: u32,
    },

    /// Compare the contract with the facts of the vendor's page.
    Spec {
        /// Text of the vendor's page, to compare the recorded facts with.
        #[arg(long, value_name = "FILE", env = "DMS_KAFKA_PAGE")]
        page: Option<PathBuf>,

        /// Run Spectral and Redocly too, which needs Node.js.
        #[arg(long)]
        lint: bool,
    },

    /// Check the structure of the code: import cycles, names of types, files named in ARCHITECTURE.md.
    Tidy,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failures) => {
            eprint!("{failures}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { root, command }: &Cli) -> Result<(), Failures> {
    match command {
        Command::Bench { arguments } => {
            tell("kafka", &bench::run(root, arguments)?);
            Ok(())
        }
        Command::Ci { page } => ci::run(root, page.as_deref()),
        Command::Conformance { arguments } => conformance::run(root, arguments),
        Command::Generate { check: false } => generate::write(root),
        Command::Generate { check: true } => generate::check(root),
        Command::Interop(client) => {
            tell("interop", &interop::run(root, *client)?);
            Ok(())
        }
        Command::Kafka(kafka) => {
            tell("kafka", &kafka::run(root, kafka)?);
            Ok(())
        }
        Command::Nightly { fuzz_seconds } => nightly::run(root, *fuzz_seconds),
        Command::Spec { page, lint } => {
            spec::contract(root)?;
            tell("page", &spec::page(root, page.as_deref())?);
            if *lint {
                tell("lint", &lint::run(root)?);
            }
            Ok(())
        }
        Command::Tidy => tidy::run(root),
    }
}

/// Says why something was not done. What was done speaks for itself.
fn tell(what: &str, outcome: &Outcome) {
    if let Outcome::Skipped(reason) = outcome {
        eprintln!("skipped: {what}: {reason}");
    }
}
