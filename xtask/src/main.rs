//! Maintainers' commands, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stderr, reason = "a command line tool reports on stderr")]
#![allow(
    clippy::expect_used,
    reason = "a maintainers' tool may stop at a broken checkout"
)]

mod contract;
mod diff;
mod failure;
mod format;
mod generate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Maintainers' commands of dms-kafka.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    /// Checkout to work on.
    #[arg(long, global = true, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."), hide_default_value = true)]
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
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Generate { check: false } => generate::write(&cli.root),
        Command::Generate { check: true } => generate::check(&cli.root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
