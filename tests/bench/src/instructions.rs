//! Instructions of fixed workloads, counted by callgrind: the same on a busy machine as on an idle one.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::peers::Peer;
use crate::processes::{Server, Work, value};
use crate::server::Kind;
use crate::{Result, root, write_json};

/// Counts differ by so much between builds of one source.
const TOLERANCE: f64 = 0.05;
const BASELINE: &str = "tests/bench/instructions.toml";
const WORKLOADS: [(&str, Peer, usize); 7] = [
    ("reqwest, 1 partition", Peer::Reqwest, 1),
    ("reqwest, signed, 1 partition", Peer::ReqwestSigned, 1),
    ("generated client, 1 partition", Peer::Generated, 1),
    ("facade, 1 partition", Peer::Facade, 1),
    ("facade, 100 partitions", Peer::Facade, 100),
    ("facade, 1000 partitions", Peer::Facade, 1000),
    ("purge, 10 partitions", Peer::Purge, 10),
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
struct Baseline {
    /// Another compiler makes other counts.
    rustc: String,
    /// Instructions in user space for each call.
    per_call: BTreeMap<String, u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !exists("valgrind") {
        println!("skipped: valgrind is not installed");
        return Ok(());
    }
    let server = Server::start(Kind::Fast, None)?;
    let mut per_call = BTreeMap::new();
    for (name, peer, partitions) in WORKLOADS {
        let counted = per_call_of(peer, partitions, &server)?;
        println!("{name:<32} {counted:>10} instructions per call");
        per_call.insert(name.to_owned(), counted);
    }
    let counted = Baseline {
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

fn compare(counted: &Baseline) -> Result<()> {
    let baseline: Baseline = toml::from_str(&fs::read_to_string(root().join(BASELINE))?)?;
    if baseline.rustc != counted.rustc {
        println!(
            "skipped: the baseline is from {}, this is {}",
            baseline.rustc, counted.rustc
        );
        return Ok(());
    }
    let mut grown = Vec::new();
    for (name, &now) in &counted.per_call {
        let Some(&then) = baseline.per_call.get(name) else {
            return Err(format!("{BASELINE} lacks {name:?}: renew it").into());
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 instructions")]
        let change = now as f64 / then as f64 - 1.0;
        if change.abs() > TOLERANCE {
            grown.push(format!(
                "{name}: {then} -> {now} ({:+.1} %)",
                change * 100.0
            ));
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than 5 % off {BASELINE}:\n  {}\nmend it, or renew the baseline with `cargo xtask bench instructions --renew` and say why",
        grown.join("\n  ")
    )
    .into())
}

/// What a call adds: many calls less few calls, so that starting up does not count.
fn per_call_of(peer: Peer, partitions: usize, server: &Server) -> Result<u64> {
    const FEW: usize = 50;
    const MANY: usize = 250;
    let many = total(peer, partitions, MANY, server)?;
    let few = total(peer, partitions, FEW, server)?;
    Ok(many.saturating_sub(few) / (MANY - FEW) as u64)
}

fn total(peer: Peer, partitions: usize, calls: usize, server: &Server) -> Result<u64> {
    let work = Work {
        partitions,
        in_flight: 1,
        calls,
        warm_up: 0,
        cpu: None,
    };
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["peer", &value(&peer)])
        .args(work.arguments(&server.ready)?)
        .stdout(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok());
    collected.ok_or_else(|| format!("callgrind counted nothing:\n{told}").into())
}

fn exists(command: &str) -> bool {
    let mut command = Command::new(command);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
