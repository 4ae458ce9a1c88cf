//! Instructions of fixed workloads, counted by callgrind: the same on a busy machine as on an idle one.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::peers::Peer;
use crate::processes::{Server, Work, callgrind, collected, value};
use crate::server::Kind;
use crate::{Result, Skipped, root, write_json};

/// Counts differ by so much between builds of one source.
const TOLERANCE: f64 = 0.05;
const BASELINE: &str = "tests/bench/instructions.toml";

/// What is counted.
#[derive(Clone, Copy)]
enum Workload {
    /// A peer's calls with so many partitions.
    Calls(Peer, usize),
    /// A server's answers to signed requests with one partition.
    Answers(Kind),
    /// Signatures over a small body.
    Signatures,
}

use Workload::{Answers, Calls, Signatures};

const WORKLOADS: [(&str, Workload); 11] = [
    ("reqwest, 1 partition", Calls(Peer::Reqwest, 1)),
    (
        "reqwest, signed, 1 partition",
        Calls(Peer::ReqwestSigned, 1),
    ),
    ("generated client, 1 partition", Calls(Peer::Generated, 1)),
    ("facade, 1 partition", Calls(Peer::Facade, 1)),
    ("facade, 100 partitions", Calls(Peer::Facade, 100)),
    ("facade, 1000 partitions", Calls(Peer::Facade, 1000)),
    ("purge, 10 partitions", Calls(Peer::Purge, 10)),
    ("axum route", Answers(Kind::Axum)),
    ("gateway, anonymous", Answers(Kind::Anonymous)),
    ("gateway", Answers(Kind::Gateway)),
    ("signing", Signatures),
];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write the counts as the new baseline.
    #[arg(long)]
    renew: bool,
    /// Also write the counts here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Counts and what they were made with.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Instructions {
    /// Another compiler makes other counts.
    pub(crate) rustc: String,
    /// Instructions in user space for each call, answer or signature.
    pub(crate) per_call: BTreeMap<String, u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !exists("valgrind") {
        return Err(Skipped("valgrind is not installed".to_owned()).into());
    }
    let mut per_call = BTreeMap::new();
    for (name, workload) in WORKLOADS {
        let counted = workload.per_call()?;
        println!("{name:<32} {counted:>10} instructions per call");
        per_call.insert(name.to_owned(), counted);
    }
    let counted = Instructions {
        rustc: crate::run::rustc()?,
        per_call,
    };
    if let Some(json) = &options.json {
        write_json(json, &counted)?;
    }
    if options.renew {
        let text = format!(
            "# Instructions per call, written by `cargo xtask bench instructions --renew`.\n{}",
            toml::to_string(&counted)?
        );
        return Ok(fs::write(root().join(BASELINE), text)?);
    }
    compare(&counted)
}

fn compare(counted: &Instructions) -> Result<()> {
    let baseline: Instructions = toml::from_str(&fs::read_to_string(root().join(BASELINE))?)?;
    if baseline.rustc != counted.rustc {
        let reason = format!(
            "the baseline is from {}, this is {}",
            baseline.rustc, counted.rustc
        );
        return Err(Skipped(reason).into());
    }
    let mut changed = Vec::new();
    for (name, &now) in &counted.per_call {
        let Some(&then) = baseline.per_call.get(name) else {
            return Err(format!("{BASELINE} lacks {name:?}: renew it").into());
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 instructions")]
        let change = now as f64 / then as f64 - 1.0;
        if change.abs() > TOLERANCE {
            changed.push(format!(
                "{name}: {then} -> {now} ({:+.1} %)",
                change * 100.0
            ));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than 5 % off {BASELINE}:\n  {}\nmend it, or renew the baseline with `cargo xtask bench instructions --renew` and say why",
        changed.join("\n  ")
    )
    .into())
}

impl Workload {
    /// Many turns less few turns, so that starting up does not count.
    fn per_call(self) -> Result<u64> {
        const FEW: usize = 50;
        const MANY: usize = 250;
        let (many, few) = (self.total(MANY)?, self.total(FEW)?);
        Ok(many.saturating_sub(few) / (MANY - FEW) as u64)
    }

    fn total(self, turns: usize) -> Result<u64> {
        match self {
            Calls(peer, partitions) => {
                let server = Server::start(Kind::Fast, None)?;
                let mut command = callgrind(&env::current_exe()?);
                command
                    .args(["peer", &value(&peer)])
                    .args(one_after_the_other(turns, partitions).arguments(&server.ready)?);
                count(command)
            }
            Answers(kind) => {
                let server = Server::start_counted(kind)?;
                one_after_the_other(turns, 1).cost(Peer::ReqwestSigned, &server.ready)?;
                server.stop_counted()
            }
            Signatures => {
                let mut command = callgrind(&env::current_exe()?);
                command.args(["sign", &turns.to_string()]);
                count(command)
            }
        }
    }
}

const fn one_after_the_other(calls: usize, partitions: usize) -> Work {
    Work {
        partitions,
        in_flight: 1,
        calls,
        warm_up: 0,
        cpu: None,
    }
}

fn count(mut command: Command) -> Result<u64> {
    let output = command.stdout(Stdio::null()).output()?;
    collected(&String::from_utf8_lossy(&output.stderr))
}

fn exists(command: &str) -> bool {
    let mut command = Command::new(command);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
