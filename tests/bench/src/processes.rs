//! Starts this program's other parts as processes of their own, so that each pays for itself alone.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::peers::{Cost, Peer};
use crate::server::{Kind, Ready};
use crate::usage::Usage;

/// A server that runs until it is told to stop.
pub(crate) struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    stdin: Option<ChildStdin>,
    pub(crate) ready: Ready,
}

impl Server {
    pub(crate) fn start(kind: Kind, cpu: Option<usize>) -> Result<Self> {
        let mut command = this_program("serve", &[&value(&kind)])?;
        if let Some(cpu) = cpu {
            command.arg(format!("--cpu={cpu}"));
        }
        Self::spawn(&mut command)
    }

    /// The same under callgrind.
    pub(crate) fn start_counted(kind: Kind) -> Result<Self> {
        let mut command = callgrind(&env::current_exe()?);
        command
            .args(["serve", &value(&kind)])
            .stderr(Stdio::piped());
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout);
        Ok(Self {
            ready: line(&mut lines)?,
            stdin: child.stdin.take(),
            child,
            lines,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What serving has cost.
    pub(crate) fn stop(mut self) -> Result<Usage> {
        drop(self.stdin.take());
        let usage = line(&mut self.lines)?;
        self.child.wait()?;
        Ok(usage)
    }

    /// The instructions of one that was started to be counted.
    pub(crate) fn stop_counted(mut self) -> Result<u64> {
        drop(self.stdin.take());
        let mut told = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut told)?;
        }
        collected(&told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One measurement of one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) partitions: usize,
    pub(crate) in_flight: usize,
    pub(crate) calls: usize,
    pub(crate) warm_up: usize,
    pub(crate) cpu: Option<usize>,
}

impl Work {
    /// The arguments of a peer, whatever it is written in.
    pub(crate) fn arguments(&self, ready: &Ready) -> Result<Vec<String>> {
        let mut arguments = vec![
            format!("--ready={}", serde_json::to_string(ready)?),
            format!("--partitions={}", self.partitions),
            format!("--calls={}", self.calls),
            format!("--warm-up={}", self.warm_up),
            format!("--in-flight={}", self.in_flight),
        ];
        arguments.extend(self.cpu.map(|cpu| format!("--cpu={cpu}")));
        Ok(arguments)
    }

    pub(crate) fn cost(&self, peer: Peer, ready: &Ready) -> Result<Cost> {
        let mut command = this_program("peer", &[&value(&peer)])?;
        read(command.args(self.arguments(ready)?))
    }
}

/// This program, as a command with a subcommand.
pub(crate) fn this_program(subcommand: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(subcommand).args(arguments);
    Ok(command)
}

/// A program under callgrind, without its arguments.
pub(crate) fn callgrind(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program);
    command
}

/// The instructions that callgrind has told of.
pub(crate) fn collected(told: &str) -> Result<u64> {
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok());
    collected.ok_or_else(|| format!("callgrind counted nothing:\n{told}").into())
}

/// Runs a command that prints one line of JSON.
pub(crate) fn read<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!(
            "{} ended with {}",
            command.get_program().display(),
            output.status
        )
        .into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(crate) fn value<T: ValueEnum>(value: &T) -> String {
    let value = value.to_possible_value();
    value
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn line<T: DeserializeOwned>(lines: &mut BufReader<ChildStdout>) -> Result<T> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
