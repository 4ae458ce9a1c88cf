//! `cargo xtask kafka`: a real Apache Kafka on this machine, for tests.
//!
//! Brokers are Java processes on free loopback ports with their data in a temporary folder. A state file under `target`
//! says what runs, so that `down` and tests find it.

mod broker;
mod cluster;
mod jars;
mod protocol;
mod signal;
mod suite;
mod topic;
mod transcript;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use crate::cargo;
use crate::failure::{Failure, Failures, Outcome};
use cluster::Cluster;
use jars::Java;

/// What `cargo xtask kafka` is asked for.
#[derive(Debug, Args)]
pub(crate) struct Kafka {
    /// File that says which brokers run [default: kafka/cluster.json in the target folder].
    #[arg(long, global = true, value_name = "FILE")]
    state: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a cluster, and print its bootstrap servers when it answers.
    Up {
        /// Number of brokers; the first one is the controller too.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
        brokers: u16,
    },

    /// Stop the cluster and remove its data.
    Down,

    /// Do something to one broker of the cluster.
    Broker {
        /// Its id, counted from 1.
        id: u16,
        action: Action,
    },

    /// Run the tests that need a real cluster, on one broker and on three.
    Test {
        /// Write what was run, and against what, to tests/kafka/TRANSCRIPT.md.
        #[arg(long)]
        transcript: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Action {
    /// Start it again, with its data.
    Start,
    /// End it without warning (SIGKILL).
    Kill,
    /// Let it hang (SIGSTOP).
    Pause,
    /// Let it go on (SIGCONT).
    Resume,
}

/// Does what was asked for.
pub(crate) fn run(root: &Path, kafka: &Kafka) -> Result<Outcome, Failures> {
    let state = kafka
        .state
        .clone()
        .unwrap_or_else(|| folder(root).join("cluster.json"));
    match kafka.command {
        Command::Up { brokers } => up(root, &state, brokers)?,
        Command::Down => down(&state)?,
        Command::Broker { id, action } => act(root, &state, id, action)?,
        Command::Test { transcript } => return test(root, transcript),
    }
    Ok(Outcome::Passed)
}

/// Runs the tests that need a real cluster, unless this machine cannot run one.
pub(crate) fn test(root: &Path, transcript: bool) -> Result<Outcome, Failures> {
    match Java::find(root) {
        Ok(java) => suite::run(root, &java, transcript).map(|()| Outcome::Passed),
        Err(jars::Absent(reason)) => Ok(Outcome::Skipped(reason)),
    }
}

/// Runs one broker that has a topic of three partitions with a thousand records in each, for as long as
/// `judge` takes; it is told the bootstrap servers.
pub(crate) fn with_topic(
    root: &Path,
    name: &str,
    judge: impl FnOnce(&str) -> Result<Outcome, Failures>,
) -> Result<Outcome, Failures> {
    let java = match Java::find(root) {
        Ok(java) => java,
        Err(jars::Absent(reason)) => return Ok(Outcome::Skipped(reason)),
    };
    let state = folder(root).join("topic.json");
    down(&state)?;
    let cluster = cluster::start(&java, &state, 1)?;
    let bootstrap = cluster.bootstrap_servers();
    let judged = match topic::create(root, &java, &bootstrap, (name, 3, 1000)) {
        Ok(()) => judge(&bootstrap),
        Err(failure) => Err(failure.into()),
    };
    down(&state)?;
    judged
}

fn up(root: &Path, state: &Path, brokers: u16) -> Result<(), Failure> {
    let java = java(root, "kafka up")?;
    let cluster = match Cluster::read(state)? {
        Some(cluster) if cluster.is_whole(brokers) => cluster,
        Some(cluster) if cluster.is_running() => {
            let cause = "another cluster runs already, or part of one; end it with `cargo xtask kafka down`";
            return Err(Failure::file("kafka up", cause));
        }
        _ => {
            down(state)?;
            eprintln!("starting Apache Kafka {} on {}", java.kafka, java.version);
            cluster::start(&java, state, brokers)?
        }
    };
    println(&cluster.bootstrap_servers());
    Ok(())
}

fn down(state: &Path) -> Result<(), Failure> {
    match Cluster::read(state)? {
        Some(cluster) => cluster.stop(state),
        None => Ok(()),
    }
}

fn act(root: &Path, state: &Path, id: u16, action: Action) -> Result<(), Failure> {
    let Some(mut cluster) = Cluster::read(state)? else {
        let cause = "no cluster runs; start one with `cargo xtask kafka up`";
        return Err(Failure::file("kafka broker", cause));
    };
    match action {
        Action::Start => {
            let java = java(root, "kafka broker")?;
            cluster.start_broker(&java, state, id)
        }
        Action::Kill => cluster.broker(id)?.kill(),
        Action::Pause => cluster.broker(id)?.signal("STOP"),
        Action::Resume => cluster.broker(id)?.signal("CONT"),
    }
}

fn java(root: &Path, command: &str) -> Result<Java, Failure> {
    Java::find(root).map_err(|jars::Absent(reason)| Failure::file(command, reason))
}

/// Where jars and state files are kept.
fn folder(root: &Path) -> PathBuf {
    cargo::target(root).join("kafka")
}

#[allow(clippy::print_stdout, reason = "what a script reads")]
fn println(line: &str) {
    println!("{line}");
}
