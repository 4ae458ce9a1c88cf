//! `cargo xtask kafka`: a real Apache Kafka on this machine, for tests.
//!
//! Brokers are Java processes on free loopback ports with their data in a temporary folder. A state file under `target`
//! says what runs, so that `down` and tests find it.

mod broker;
mod cluster;
mod java;
mod suite;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use xshell::Shell;

use cluster::Cluster;
use java::Java;

/// Creates topics and fills them; Java compiles it on its way.
const SEED: &str = "tests/kafka/SeedTopic.java";

/// Run a real Apache Kafka on this machine, for tests.
#[derive(Debug, Args)]
pub(crate) struct Kafka {
    /// File that says which brokers run [default: kafka/cluster.json in the target folder].
    #[arg(long, global = true, value_name = "FILE")]
    state: Option<PathBuf>,

    #[command(subcommand)]
    request: Request,
}

#[derive(Debug, Subcommand)]
enum Request {
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

impl Kafka {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        let state = self.state.clone();
        let state = state.unwrap_or_else(|| java::folder(sh).join("cluster.json"));
        match self.request {
            Request::Up { brokers } => up(&java(sh)?, &state, brokers),
            Request::Down => Cluster::end(&state),
            Request::Broker { id, action } => act(sh, &state, id, action),
            Request::Test { transcript } => test(sh, transcript),
        }
    }
}

/// Runs the tests that need a real cluster, unless this machine cannot run one.
pub(crate) fn test(sh: &Shell, transcript: bool) -> Result<()> {
    suite::run(sh, &Java::find(sh)?, transcript)
}

/// Runs one broker that has a topic of three partitions with a thousand records in each, for as long as
/// `judge` takes; it is given the bootstrap servers.
pub(crate) fn with_topic(
    sh: &Shell,
    name: &str,
    judge: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let java = Java::find(sh)?;
    let state = java::folder(sh).join("topic.json");
    Cluster::end(&state)?;
    let servers = cluster::start(&java, &state, 1)?.bootstrap_servers();
    let seed = sh.current_dir().join(SEED).display().to_string();
    let seeded = java.run(&seed, &[&servers, name, "3", "1000"]);
    let judged = seeded.and_then(|()| judge(&servers));
    Cluster::end(&state)?;
    judged
}

fn up(java: &Java, state: &Path, brokers: u16) -> Result<()> {
    let cluster = match Cluster::read(state)? {
        Some(cluster) if cluster.is_whole(brokers) => cluster,
        Some(cluster) if cluster.is_running() => bail!(
            "kafka up: another cluster runs already, or part of one; end it with `cargo xtask kafka down`"
        ),
        _ => {
            Cluster::end(state)?;
            eprintln!("starting Apache Kafka {} on {}", java.kafka, java.version);
            cluster::start(java, state, brokers)?
        }
    };
    println(&cluster.bootstrap_servers());
    Ok(())
}

fn act(sh: &Shell, state: &Path, id: u16, action: Action) -> Result<()> {
    let mut cluster = Cluster::read(state)?
        .context("kafka broker: no cluster runs; start one with `cargo xtask kafka up`")?;
    match action {
        Action::Start => cluster.start_broker(&java(sh)?, state, id),
        Action::Kill => cluster.broker(id)?.kill(),
        Action::Pause => cluster.broker(id)?.signal("STOP"),
        Action::Resume => cluster.broker(id)?.signal("CONT"),
    }
}

/// Who asks for a broker is not content with a skip.
fn java(sh: &Shell) -> Result<Java> {
    Java::find(sh).map_err(|error| anyhow::anyhow!("kafka: {error}"))
}

#[allow(clippy::print_stdout, reason = "what a script reads")]
fn println(line: &str) {
    println!("{line}");
}
