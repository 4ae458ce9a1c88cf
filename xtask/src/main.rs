//! Maintainers' commands, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stderr, reason = "a command line tool reports on stderr")]
#![allow(
    clippy::expect_used,
    reason = "a maintainers' tool may stop at a broken checkout"
)]

mod archive;
mod bench;
mod ci;
mod conformance;
mod contract;
mod contract_facts;
mod diff;
mod draft;
mod facts;
mod failure;
mod generate;
mod interop;
mod kafka;
mod lint;
mod lowering;
mod materials;
mod mutants;
mod nightly;
mod openapi;
mod package;
mod page;
mod process;
mod public_api;
mod python;
mod reference;
mod reports;
mod snippets;
mod spec;
mod steps;
mod syntax;
mod tidy;
mod tools;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xshell::Shell;

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
    Archive(archive::Archive),
    #[command(disable_help_flag = true)]
    Bench(bench::Bench),
    Ci(ci::Ci),
    Conformance(conformance::Conformance),
    Generate(generate::Generate),
    #[command(subcommand)]
    Interop(interop::Interop),
    Kafka(kafka::Kafka),
    Mutants(mutants::Mutants),
    Nightly(nightly::Nightly),
    /// Package every public crate and test the packages outside of the workspace.
    Package,
    /// Run the snippets of the guides.
    Snippets,
    /// Write what the command shows on a terminal: golden files, and the images in docs/images
    Screens,
    Spec(spec::Spec),
    /// Check the structure of the code: import cycles, names of types, files that documents name.
    Tidy,
    /// Install the tools of cargo that some steps of ci and nightly need.
    Tools,
}

fn main() -> ExitCode {
    let Cli { root, command } = Cli::parse();
    if let Err(error) = run(root, &command) {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(root: PathBuf, command: &Command) -> anyhow::Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(root);
    match command {
        Command::Archive(archive) => archive.run(&sh),
        Command::Bench(bench) => failure::report_skip("bench", bench.run(&sh)),
        Command::Ci(ci) => ci.run(&sh),
        Command::Conformance(conformance) => conformance.run(&sh),
        Command::Generate(generate) => generate.run(&sh),
        Command::Interop(interop) => failure::report_skip("interop", interop.run(&sh)),
        Command::Kafka(kafka) => failure::report_skip("kafka", kafka.run(&sh)),
        Command::Mutants(mutants) => failure::report_skip("mutants", mutants.run(&sh)),
        Command::Nightly(nightly) => nightly.run(&sh),
        Command::Package => package::run(&sh),
        Command::Snippets => failure::report_skip("snippets", snippets::run(&sh)),
        Command::Screens => {
            let test = "test --quiet --package dms-kafka-cli --test command golden_screens";
            Ok(process::cargo(&sh, test).env("UPDATE_EXPECT", "1").run()?)
        }
        Command::Spec(spec) => spec.run(&sh),
        Command::Tidy => tidy::check(&sh),
        Command::Tools => failure::report_skip("tools", tools::install_all(&sh)),
    }
}
