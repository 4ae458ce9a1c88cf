//! `cargo xtask kafka`: runs a real Apache Kafka on this machine, for tests.
//!
//! Brokers are Java processes on free loopback ports with their data in a temporary folder. A state file under `target`
//! lists them for `down` and for tests.

mod broker;
mod cluster;
mod java;
mod suite;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use xshell::Shell;

pub(crate) use cluster::Cluster;
use java::Java;

/// Creates topics and fills them. Java compiles it on the fly.
const SEED: &str = "tests/kafka/SeedTopic.java";

/// Run a real Apache Kafka on this machine, for tests.
#[derive(Debug, Args)]
pub(crate) struct Kafka {
    /// State file, which lists the brokers that run [default: kafka/cluster.json in the target folder].
    #[arg(long, global = true, value_name = "FILE")]
    state: Option<PathBuf>,

    #[command(subcommand)]
    command: KafkaCommand,
}

#[derive(Debug, Subcommand)]
enum KafkaCommand {
    /// Start a cluster and print its bootstrap servers once all brokers serve.
    Up {
        /// Number of brokers. The first one is also the controller.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
        brokers: u16,
        /// Also listen with TLS. The folder has the file ca.pem, and for each listener NAME.pem with a private key and its
        /// certificate: `scram.pem` with a password, `mtls.pem` with client certificates, `expired.pem` and `other_host.pem`.
        #[arg(long, value_name = "FOLDER")]
        certificates: Option<PathBuf>,
    },

    /// Stop the cluster and delete its data.
    Down,

    /// Start, kill, pause or resume one broker.
    Broker {
        /// Broker id, counted from 1.
        id: u16,
        action: Action,
    },

    /// Run one of Kafka's command line tools.
    Tool {
        /// Its class, such as `org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`.
        class: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },

    /// Run the tests that need a real cluster, on one broker and on three.
    Test {
        /// Write versions, tests and their output to tests/kafka/TRANSCRIPT.md.
        #[arg(long)]
        transcript: bool,
        /// Without TLS, and without the compilation of OpenSSL and the slowest tests: what CI runs for every change.
        #[arg(long, conflicts_with = "transcript")]
        quick: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Action {
    /// Start the broker again, with its data.
    Start,
    /// Send SIGKILL.
    Kill,
    /// Send SIGSTOP.
    Pause,
    /// Send SIGCONT.
    Resume,
}

impl Kafka {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        let state = self.state.clone();
        let state = state.unwrap_or_else(|| java::folder(sh).join("cluster.json"));
        match &self.command {
            KafkaCommand::Tool { class, arguments } => tool(sh, class, arguments),
            KafkaCommand::Up {
                brokers,
                certificates,
            } => up(&java(sh)?, &state, *brokers, certificates.as_deref()),
            KafkaCommand::Down => Cluster::end(&state),
            &KafkaCommand::Broker { id, action } => act(sh, &state, id, action),
            &KafkaCommand::Test { transcript, quick } => test(sh, transcript, quick),
        }
    }
}

/// Runs the tests that need a real cluster, or skips them if this machine cannot run one.
pub(crate) fn test(sh: &Shell, transcript: bool, quick: bool) -> Result<()> {
    suite::run(sh, &Java::find(sh)?, transcript, quick)
}

/// Calls `run` with the bootstrap servers of one broker, which has a topic of three partitions with 1,000 records in each, and
/// two consumer groups.
pub(crate) fn with_topic(
    sh: &Shell,
    name: &str,
    run: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let seed = [name, "3", "1000", "2"];
    with_seed(sh, 1, &seed, |cluster| run(&cluster.bootstrap_servers()))
}

/// Calls `run` with a new cluster, which has what [`SEED`] creates for these arguments.
pub(crate) fn with_seed(
    sh: &Shell,
    brokers: u16,
    seed: &[&str],
    run: impl FnOnce(&Cluster) -> Result<()>,
) -> Result<()> {
    let java = Java::find(sh)?;
    let state = java::folder(sh).join("topic.json");
    Cluster::end(&state)?;
    let cluster = cluster::start(&java, &state, brokers, None)?;
    let class = sh.current_dir().join(SEED).display().to_string();
    let servers = cluster.bootstrap_servers();
    let seeded = java.run(&class, &[&[servers.as_str()], seed].concat());
    let result = seeded.and_then(|()| run(&cluster));
    Cluster::end(&state)?;
    result
}

fn up(java: &Java, state: &Path, brokers: u16, certificates: Option<&Path>) -> Result<()> {
    let cluster = match Cluster::read(state)? {
        Some(cluster) if cluster.is_whole(brokers) => cluster,
        Some(cluster) if cluster.is_running() => bail!(
            "kafka up: another cluster, or a part of one, already runs; stop it with `cargo xtask kafka down`"
        ),
        _ => {
            Cluster::end(state)?;
            eprintln!("starting Apache Kafka {} on {}", java.kafka, java.version);
            cluster::start(java, state, brokers, certificates)?
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

fn tool(sh: &Shell, class: &str, arguments: &[String]) -> Result<()> {
    let status = java(sh)?.class(class).args(arguments).status();
    if !status.context("java")?.success() {
        bail!("kafka tool: {class} failed");
    }
    Ok(())
}

/// For `up`, `broker` and `tool`, a missing Java is an error, not a reason to skip.
fn java(sh: &Shell) -> Result<Java> {
    Java::find(sh).map_err(|error| anyhow::anyhow!("kafka: {error}"))
}

#[allow(clippy::print_stdout, reason = "for scripts")]
fn println(line: &str) {
    println!("{line}");
}
