//! The interleaved run: every peer in every round, in turn, on the same machine at the same time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use clap::Args;

use crate::peers::{Cost, Peer};
use crate::processes::{Server, Work, read};
use crate::results::{ColdStart, PeerRow, Results, Workload};
use crate::server::Kind;
use crate::statistics::Spread;
use crate::{Result, cold_start, gateway_load, purge_of_a_file, root, signing};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each measurement is made.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// Where the results go.
    #[arg(long, value_name = "FILE", default_value = "target/bench/results.json")]
    json: PathBuf,
    /// The dms-kafka command to measure, as `cargo build --release` makes it.
    #[arg(long, value_name = "FILE", default_value = "target/release/dms-kafka")]
    cli: PathBuf,
    /// A Python that has the official SDK (huaweicloudsdkkafka), to measure it beside the others.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
}

/// How the same work is spread over the machine.
#[derive(Clone, Copy)]
enum Pinning {
    /// Two CPUs that wait for each other sleep in between, which spoils the figures of single calls.
    Together,
    Apart,
}

use Peer::{Facade, Generated, Purge, Reqwest, ReqwestJson, ReqwestSigned};

struct Plan {
    name: &'static str,
    peers: &'static [Peer],
    python: bool,
    work: Work,
    pinning: Pinning,
}

impl Plan {
    const fn one_at_a_time(partitions: usize, calls: usize, peers: &'static [Peer]) -> Self {
        Self {
            name: "one at a time",
            peers,
            python: true,
            work: Work {
                partitions,
                in_flight: 1,
                calls,
                warm_up: calls / 10 + 1,
                cpu: Some(0),
            },
            pinning: Pinning::Together,
        }
    }

    const fn at_once(partitions: usize, in_flight: usize, peers: &'static [Peer]) -> Self {
        Self {
            name: "at once",
            peers,
            python: false,
            work: Work {
                partitions,
                in_flight,
                calls: 16_000 / partitions,
                warm_up: 1600 / partitions,
                cpu: Some(1),
            },
            pinning: Pinning::Apart,
        }
    }
}

/// The first peer of each is what the others are held against.
const PLANS: [Plan; 12] = [
    Plan::one_at_a_time(
        1,
        4000,
        &[Reqwest, ReqwestSigned, ReqwestJson, Generated, Facade],
    ),
    Plan::one_at_a_time(10, 3000, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(100, 1500, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(1000, 300, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(10_000, 40, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(100_000, 6, &[ReqwestJson, Generated, Facade]),
    Plan::at_once(1, 4, &[Reqwest, Facade]),
    Plan::at_once(1, 16, &[Reqwest, Facade]),
    Plan::at_once(1, 64, &[Reqwest, ReqwestSigned, Generated, Facade]),
    Plan::at_once(1, 256, &[Reqwest, Facade]),
    Plan::at_once(10, 16, &[Facade, Purge]),
    Plan::at_once(10, 64, &[Facade, Purge]),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let rounds = usize::from(options.rounds);
    let python = options.python.as_deref();
    let mut skipped = Vec::new();
    if python.is_none() {
        skipped.push("the official Python SDK: no --python with huaweicloudsdkkafka".to_owned());
    }
    let mut workloads = Vec::new();
    for plan in &PLANS {
        let workload = plan.measure(rounds, python)?;
        print(&workload);
        workloads.push(workload);
    }
    let cli = &root().join(&options.cli);
    let results = Results {
        cpus: available_parallelism()?.get(),
        rustc: rustc()?,
        rounds,
        workloads,
        signing: signing::measure(rounds)?,
        cold_start: cold_starts(cli, rounds * 3)?,
        gateway: gateway_load::measure(rounds, 2.0)?,
        purge_of_a_file: Some(purge_of_a_file::measure(cli)?),
        skipped,
    };
    let json = root().join(&options.json);
    results.write(&json)?;
    for skipped in &results.skipped {
        println!("skipped: {skipped}");
    }
    println!("written: {}", options.json.display());
    Ok(())
}

impl Plan {
    fn measure(&self, rounds: usize, python: Option<&Path>) -> Result<Workload> {
        let cpu = match self.pinning {
            Pinning::Together => self.work.cpu,
            Pinning::Apart => Some(0),
        };
        let server = Server::start(Kind::Fast, cpu)?;
        let mut measured: Vec<(String, Vec<Cost>)> = self
            .peers
            .iter()
            .map(|peer| (peer.name().to_owned(), Vec::new()))
            .collect();
        let mut official = Vec::new();
        for _ in 0..rounds {
            for (peer, (_, costs)) in self.peers.iter().zip(&mut measured) {
                costs.push(self.work.cost(*peer, &server.ready)?);
            }
            if let Some(python) = python.filter(|_| self.python) {
                official.push(self.official_sdk(python, &server)?);
            }
        }
        if !official.is_empty() {
            measured.push(("official Python SDK".to_owned(), official));
        }
        let reference = measured[0].1.clone();
        let rows = measured.into_iter();
        Ok(Workload {
            name: self.name.to_owned(),
            partitions: self.work.partitions,
            in_flight: self.work.in_flight,
            peers: rows
                .map(|(peer, costs)| row(peer, &costs, &reference))
                .collect(),
        })
    }

    /// Fewer calls, for each takes some fifty times as long.
    fn official_sdk(&self, python: &Path, server: &Server) -> Result<Cost> {
        let work = Work {
            calls: self.work.calls.div_ceil(20),
            ..self.work
        };
        let script = root().join("tests/bench/peers/official_sdk.py");
        read(
            Command::new(python)
                .arg(script)
                .args(work.arguments(&server.ready)?),
        )
    }
}

fn row(peer: String, costs: &[Cost], reference: &[Cost]) -> PeerRow {
    let of = |value: fn(&Cost) -> f64| Spread::of(costs.iter().map(value).collect());
    let against = |value: fn(&Cost) -> f64| {
        let pairs = costs.iter().zip(reference);
        Spread::of(
            pairs
                .map(|(own, other)| value(own) / value(other))
                .collect(),
        )
    };
    PeerRow {
        peer,
        cpu_micros: of(|cost| per_call(cost, cost.cpu) * 1e6),
        calls_per_second: of(|cost| 1.0 / per_call(cost, cost.wall)),
        cpu_ratio: against(|cost| per_call(cost, cost.cpu)),
        rate_ratio: against(|cost| 1.0 / per_call(cost, cost.wall)),
        peak_rss: costs.iter().map(|cost| cost.peak_rss).max().unwrap_or(0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
fn per_call(cost: &Cost, value: f64) -> f64 {
    value / cost.calls as f64
}

fn cold_starts(cli: &Path, rounds: usize) -> Result<ColdStart> {
    if !cli.exists() {
        let path = cli.display();
        return Err(format!("{path}: not there; `cargo xtask bench` builds it").into());
    }
    let server = Server::start(Kind::Fast, Some(0))?;
    let costs = (0..rounds).map(|_| cold_start::delete(cli, &server.ready));
    let costs = costs.collect::<Result<Vec<Cost>>>()?;
    let of = |value: fn(&Cost) -> f64| Spread::of(costs.iter().map(value).collect());
    Ok(ColdStart {
        wall_millis: of(|cost| cost.wall * 1e3),
        cpu_millis: of(|cost| cost.cpu * 1e3),
        peak_rss: costs.iter().map(|cost| cost.peak_rss).max().unwrap_or(0),
    })
}

pub(crate) fn rustc() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn print(workload: &Workload) {
    let Workload {
        name,
        partitions,
        in_flight,
        peers,
    } = workload;
    println!("\n{partitions} partitions, {in_flight} {name}");
    for row in peers {
        let noisy = if row.cpu_ratio.is_noisy() {
            "  TOO NOISY TO JUDGE"
        } else {
            ""
        };
        println!(
            "  {:<30} CPU {:>22} us/call  {:>22}x   {:>26} calls/s {:>18}x{noisy}",
            row.peer,
            row.cpu_micros.to_string(),
            row.cpu_ratio.to_string(),
            row.calls_per_second.to_string(),
            row.rate_ratio.to_string(),
        );
    }
}
