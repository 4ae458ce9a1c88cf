//! Measures CPU time, memory and rates of dms-kafka and of other clients and servers.
//!
//! One process starts the others: servers, one peer at a time, a load. Each part writes its results as a flat list of
//! metrics, from which `report` writes BENCHMARKS.md.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a maintainers' tool that reports on the terminal"
)]

mod build_cost;
mod exhaustion;
mod instructions;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kafka")]
mod kafka_rates;
#[cfg(feature = "kafka")]
mod kafka_tools;
mod load;
mod long_run;
mod metrics;
mod peers;
#[cfg(feature = "kafka")]
mod plans;
mod plot;
mod process;
mod report;
mod run;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use metrics::Scale;
use process::{Job, Result, print};

/// Measure CPU time, memory and rates of dms-kafka.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    scale: Scale,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure clients, command and gateway in one interleaved run.
    Run(run::Run),
    /// Write BENCHMARKS.md and the plots from the results of the other parts.
    Report,
    /// Count instructions of fixed workloads under callgrind and compare them with the baseline.
    Instructions(instructions::Instructions),
    /// Count the crates and measure clean release builds of a program on the facade and of one on reqwest.
    BuildCost(build_cost::BuildCost),
    /// Measure what the gateway adds to a deletion on a real Kafka, and its first deletion.
    #[cfg(feature = "kafka")]
    Kafka(kafka::Cluster),
    /// Measure deletions per second on a real Kafka, directly and through the gateway.
    #[cfg(feature = "kafka")]
    KafkaRates(kafka::Cluster),
    /// Measure deletions from many partitions by the command and by kafka-delete-records.sh.
    #[cfg(feature = "kafka")]
    KafkaTools(kafka::Cluster),
    /// Measure plans through the gateway, on a real Kafka and in memory.
    #[cfg(feature = "kafka")]
    Plans(kafka::Cluster),
    /// Check that cost and memory do not grow over a million calls and under full load on the gateway.
    LongRun(long_run::LongRun),
    /// Attack the gateway's memory, threads and connections, and check what other clients notice.
    Exhaustion,
    /// Do one job in this process.
    #[command(hide = true)]
    Job { job: String },
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { command, scale }: &Cli) -> Result<()> {
    match command {
        Command::Run(options) => run::run(options, scale),
        Command::Report => report::write(scale),
        Command::Instructions(options) => instructions::run(options, scale),
        Command::BuildCost(options) => build_cost::run(options, scale),
        #[cfg(feature = "kafka")]
        Command::Kafka(cluster) => kafka::run(cluster, scale),
        #[cfg(feature = "kafka")]
        Command::KafkaRates(cluster) => kafka_rates::run(cluster, scale),
        #[cfg(feature = "kafka")]
        Command::KafkaTools(cluster) => kafka_tools::run(cluster, scale),
        #[cfg(feature = "kafka")]
        Command::Plans(cluster) => plans::run(cluster, scale),
        Command::LongRun(options) => long_run::run(options, scale),
        Command::Exhaustion => exhaustion::run(scale),
        Command::Job { job } => match serde_json::from_str(job)? {
            Job::Serve(kind) => print(&server::serve(kind)?),
            Job::Call(peer, work, endpoint) => print(&peers::call(peer, work, endpoint)?),
            Job::Load(seconds, endpoint) => print(&load::load(seconds, &endpoint)?),
            Job::LargeBodies(seconds, endpoint) => {
                print(&exhaustion::send_large_bodies(seconds, &endpoint)?)
            }
            Job::Command(command) => print(&process::command(&command)?),
            Job::Sign { sign, bytes, times } => print(&peers::sign(sign, bytes, times)?),
        },
    }
}
