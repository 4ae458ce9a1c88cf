//! What a process costs from its start to its end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;
use crate::peers::Cost;
use crate::processes::{read, this_program};
use crate::server::{Ready, TOPIC};
use crate::usage::{Usage, pin};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    cpu: Option<usize>,
    /// The command and its arguments.
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<String>,
}

/// Runs a command and prints what it has cost. A process of its own, because the system tells of ended children
/// only what they came to together.
pub(crate) fn once(Options { command, cpu }: &Options) -> Result<()> {
    pin(*cpu);
    let begin = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let wall = begin.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{} ended with {status}", command[0]).into());
    }
    let Usage {
        cpu,
        peak_rss,
        page_faults,
    } = Usage::children()?;
    let cost = Cost {
        calls: 1,
        wall,
        cpu,
        peak_rss,
        page_faults,
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// One `dms-kafka delete` against a server on loopback.
pub(crate) fn delete(cli: &Path, ready: &Ready) -> Result<Cost> {
    let partition = ["--topic", TOPIC, "--partition", "0:1", "--yes"];
    let mut command = dms_kafka("delete", cli, ready, None)?;
    read(command.args(partition))
}

/// A command of `dms-kafka`, run by [`once`], with what it needs to reach a server.
pub(crate) fn dms_kafka(
    subcommand: &str,
    cli: &Path,
    ready: &Ready,
    cpu: Option<usize>,
) -> Result<Command> {
    let mut command = this_program("once", &[])?;
    command
        .args(cpu.map(|cpu| format!("--cpu={cpu}")))
        .arg("--")
        .arg(cli)
        .arg(subcommand)
        .args(["--endpoint", &ready.endpoint])
        .args(["--project-id", &ready.project_id])
        .args(["--instance-id", &ready.instance_id])
        .env("HUAWEICLOUD_SDK_AK", &ready.access_key)
        .env("HUAWEICLOUD_SDK_SK", &ready.secret_key);
    Ok(command)
}
