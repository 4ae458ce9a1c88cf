//! Maintainers' commands, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stderr, reason = "a command line tool reports on stderr")]
#![allow(
    clippy::expect_used,
    reason = "a maintainers' tool may stop at a broken checkout"
)]

mod contract;
mod described;
mod deviations;
mod diff;
mod facts;
mod failure;
mod format;
mod generate;
mod page;
mod reference;
mod spec;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failures;

/// Maintainers' commands of dms-kafka.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", arg_required_else_help = true)]
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
    /// Generate the client from the contract.
    Generate {
        /// Write nothing; fail when the generated file is out of date.
        #[arg(long)]
        check: bool,
    },

    /// Compare the contract with the facts of the vendor's page.
    Spec {
        /// Text of the vendor's page, to compare the recorded facts with.
        #[arg(long, value_name = "FILE", env = "DMS_KAFKA_PAGE")]
        page: Option<PathBuf>,
    },
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
        Command::Generate { check: false } => generate::write(root),
        Command::Generate { check: true } => generate::check(root),
        Command::Spec { page } => {
            spec::contract(root)?;
            match page {
                Some(file) => spec::page(root, file),
                None => {
                    eprintln!("skipped: the vendor's page (give --page FILE or DMS_KAFKA_PAGE)");
                    Ok(())
                }
            }
        }
    }
}
