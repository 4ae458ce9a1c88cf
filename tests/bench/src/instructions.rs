//! Instructions of fixed workloads, counted by callgrind. The counts do not depend on the load of the machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio, exit};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::metrics::{Results, Scale, root};
use crate::process::{Cost, Job, Peer, Result, Server, ServerKind, Work, read};
use crate::run::rustc;

/// Builds of the same source differ by less than this.
const TOLERANCE: f64 = 0.05;
const BASELINE: &str = "tests/bench/instructions.toml";
const LOG: &str = "target/bench/callgrind.log";

#[derive(Clone, Copy)]
enum Workload {
    /// A peer's calls with a number of partitions.
    Calls(Peer, usize),
    /// A server's responses to signed requests with one partition.
    Responses(ServerKind),
    Signatures,
}

use Peer::{Facade, Generated, Purge, Reqwest, ReqwestSigned};
use ServerKind::{Anonymous, Axum, Gateway};
use Workload::{Calls, Responses, Signatures};

const WORKLOADS: [(&str, Workload); 11] = [
    ("reqwest, 1 partition", Calls(Reqwest, 1)),
    ("reqwest, signed, 1 partition", Calls(ReqwestSigned, 1)),
    ("generated client, 1 partition", Calls(Generated, 1)),
    ("facade, 1 partition", Calls(Facade, 1)),
    ("facade, 100 partitions", Calls(Facade, 100)),
    ("facade, 1000 partitions", Calls(Facade, 1000)),
    ("purge, 10 partitions", Calls(Purge, 10)),
    ("axum route", Responses(Axum)),
    ("gateway, anonymous", Responses(Anonymous)),
    ("gateway", Responses(Gateway)),
    ("signing", Signatures),
];

#[derive(Debug, Args)]
pub(crate) struct Instructions {
    /// Write the counts as the new baseline.
    #[arg(long)]
    renew: bool,
}

/// Counts in user space for each call, response or signature.
#[derive(Debug, Deserialize, Serialize)]
struct Baseline {
    /// Counts of different compilers cannot be compared.
    rustc: String,
    per_call: BTreeMap<String, f64>,
}

pub(crate) fn run(options: &Instructions, scale: &Scale) -> Result<()> {
    let mut valgrind = Command::new("valgrind");
    let valgrind = valgrind.arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        skip("valgrind is not installed");
    }
    fs::create_dir_all(root().join("target/bench"))?;
    let (mut results, mut per_call) = (Results::default(), BTreeMap::new());
    for (name, workload) in WORKLOADS {
        let count = workload.per_call()?;
        results.push(["Instructions", "", name, "instructions"], vec![count]);
        per_call.insert(name.to_owned(), count);
    }
    let ratio = per_call["facade, 1 partition"] / per_call["reqwest, signed, 1 partition"];
    let column = "x of reqwest, signed";
    results.push(
        ["Instructions", "", "facade, 1 partition", column],
        vec![ratio],
    );
    results.write(scale.folder(), "instructions")?;
    let counted = Baseline {
        rustc: rustc()?,
        per_call,
    };
    if options.renew {
        let text = toml::to_string(&counted)?;
        let head = "# Instructions per call, written by `cargo xtask bench instructions --renew`.";
        return Ok(fs::write(root().join(BASELINE), format!("{head}\n{text}"))?);
    }
    compare(&counted)
}

/// Exits with the code for a skipped test.
fn skip(reason: &str) -> ! {
    eprintln!("skipped: {reason}");
    exit(77)
}

fn compare(counted: &Baseline) -> Result<()> {
    let baseline: Baseline = toml::from_str(&fs::read_to_string(root().join(BASELINE))?)?;
    if baseline.rustc != counted.rustc {
        let [then, now] = [&baseline.rustc, &counted.rustc];
        skip(&format!(
            "the baseline is from {then}, this compiler is {now}"
        ));
    }
    let mut changed = String::new();
    for (name, &now) in &counted.per_call {
        let then = baseline.per_call.get(name);
        let &then = then.ok_or_else(|| {
            format!("{BASELINE}: {name:?} is missing; run `cargo xtask bench instructions --renew`")
        })?;
        let change = now / then - 1.0;
        if change.abs() > TOLERANCE {
            let percent = change * 100.0;
            write!(changed, "\n  {name}: {then} -> {now} ({percent:+.1} %)")?;
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "differs by more than 5 % from {BASELINE}:{changed}\nfix this, or run `cargo xtask bench instructions --renew` and explain the change in the commit"
    )
    .into())
}

impl Workload {
    /// The difference between many and few repetitions, which excludes the start of the process.
    fn per_call(self) -> Result<f64> {
        let (many, few) = (self.total(250)?, self.total(50)?);
        Ok(((many - few) / 200.0).round())
    }

    fn total(self, repetitions: usize) -> Result<f64> {
        let work = |partitions| Work {
            partitions,
            in_flight: 1,
            calls: repetitions,
            warm_up: 0,
        };
        match self {
            Calls(peer, partitions) => {
                let server = Server::start(ServerKind::Fast, None)?;
                let job = Job::Call(peer, work(partitions), server.endpoint.clone());
                read::<Cost>(&mut callgrind(&job)?, None)?;
            }
            Responses(kind) => {
                let server = Server::spawn(&mut callgrind(&Job::Serve(kind))?, None)?;
                let endpoint = server.endpoint.clone();
                Job::Call(ReqwestSigned, work(1), endpoint).run::<Cost>(None)?;
                server.stop()?;
            }
            Signatures => {
                let job = Job::Sign {
                    sign: true,
                    bytes: 43,
                    times: repetitions,
                };
                read::<Cost>(&mut callgrind(&job)?, None)?;
            }
        }
        let log = fs::read_to_string(root().join(LOG))?;
        let collected = log.lines().find_map(|line| line.split_once("Collected : "));
        let count = collected.and_then(|(_, count)| count.trim().parse().ok());
        count.ok_or_else(|| format!("callgrind printed no count:\n{log}").into())
    }
}

fn callgrind(job: &Job) -> Result<Command> {
    let log = format!("--log-file={}", root().join(LOG).display());
    let no_profile = "--callgrind-out-file=/dev/null";
    job.command(&["valgrind", "--tool=callgrind", no_profile, &log])
}
