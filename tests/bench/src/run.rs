//! The interleaved run: every peer in every round, in turn, on the same machine at the same time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, available_parallelism};

use clap::Args;

use crate::peers::{Cost, Peer};
use crate::processes::{Server, Work, read};
use crate::results::{ColdStart, PeerRow, Results, Workload};
use crate::server::Kind;
use crate::statistics::Spread;
use crate::usage::pin;
use crate::{Result, cold_start, gateway_load, purge_of_a_file, root, signing, write_json};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each measurement is made.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(5..))]
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
    /// A program on the official Go SDK (`tests/interop/go/bench`), to measure it beside the others.
    #[arg(long, value_name = "FILE")]
    go: Option<PathBuf>,
    /// What else cannot be measured, and why; the report tells it.
    #[arg(long, value_name = "TEXT")]
    skipped: Vec<String>,
}

/// One of the vendor's SDKs, as a program.
struct OfficialSdk {
    name: &'static str,
    program: PathBuf,
    script: Option<PathBuf>,
}

impl Options {
    fn official_sdks(&self) -> Vec<OfficialSdk> {
        let python = self.python.clone().map(|program| OfficialSdk {
            name: "official Python SDK",
            program,
            script: Some(root().join("tests/bench/peers/official_sdk.py")),
        });
        let go = self.go.clone().map(|program| OfficialSdk {
            name: "official Go SDK",
            program,
            script: None,
        });
        python.into_iter().chain(go).collect()
    }
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
    with_official_sdks: bool,
    work: Work,
    pinning: Pinning,
}

impl Plan {
    const fn one_at_a_time(partitions: usize, calls: usize, peers: &'static [Peer]) -> Self {
        Self {
            name: "one at a time",
            peers,
            with_official_sdks: true,
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
            with_official_sdks: false,
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
        10_000,
        &[Reqwest, ReqwestSigned, ReqwestJson, Generated, Facade],
    ),
    Plan::one_at_a_time(10, 6000, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(100, 3000, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(1000, 300, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(10_000, 60, &[ReqwestJson, Generated, Facade]),
    Plan::one_at_a_time(100_000, 10, &[ReqwestJson, Generated, Facade]),
    Plan::at_once(1, 4, &[Reqwest, Facade]),
    Plan::at_once(1, 16, &[Reqwest, Facade]),
    Plan::at_once(1, 64, &[Reqwest, ReqwestSigned, Generated, Facade]),
    Plan::at_once(1, 256, &[Reqwest, Facade]),
    Plan::at_once(10, 16, &[Facade, Purge]),
    Plan::at_once(10, 64, &[Facade, Purge]),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let rounds = usize::from(options.rounds);
    let official = options.official_sdks();
    fs::create_dir_all(sdk_home())?;
    let mut measured: Vec<(&Plan, Vec<Round>)> =
        PLANS.iter().map(|plan| (plan, Vec::new())).collect();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for (plan, measured) in &mut measured {
            measured.push(plan.round(&official)?);
        }
    }
    let workloads: Vec<Workload> = measured
        .iter()
        .map(|(plan, rounds)| plan.workload(rounds))
        .collect();
    workloads.iter().for_each(print);
    let growth = growth(&measured, 100_000).ok_or("no plan measures growth")?;
    let cli = &root().join(&options.cli);
    let results = Results {
        cpus: available_parallelism()?.get(),
        rustc: rustc()?,
        rounds,
        growth,
        workloads,
        signing: signing::measure(rounds)?,
        cold_start: cold_starts(cli, rounds * 3)?,
        gateway: gateway_load::measure(rounds, 2.0)?,
        purge_of_a_file: purge_of_a_file::measure(cli, rounds)?,
        skipped: options.skipped.clone(),
    };
    print_others(&results);
    write_json(&options.json, &results)
}

impl Plan {
    /// What each peer costs, once.
    fn round(&self, official: &[OfficialSdk]) -> Result<Round> {
        let cpu = match self.pinning {
            Pinning::Together => self.work.cpu,
            Pinning::Apart => Some(0),
        };
        let server = Server::start(Kind::Fast, cpu)?;
        let mut costs = Vec::new();
        for peer in self.peers {
            costs.push((peer.name(), self.work.cost(*peer, &server.ready)?));
        }
        for sdk in official.iter().filter(|_| self.with_official_sdks) {
            costs.push((sdk.name, sdk.cost(&self.work, &server)?));
        }
        Ok(costs)
    }

    fn workload(&self, rounds: &[Round]) -> Workload {
        let names = rounds[0].iter().map(|(name, _)| *name);
        let reference = costs_of(rounds, self.peers[0].name());
        Workload {
            name: self.name.to_owned(),
            partitions: self.work.partitions,
            in_flight: self.work.in_flight,
            peers: names
                .map(|name| row(name.to_owned(), &costs_of(rounds, name), &reference))
                .collect(),
        }
    }
}

/// What each peer of one plan has cost in one round.
type Round = Vec<(&'static str, Cost)>;

fn costs_of(rounds: &[Round], peer: &str) -> Vec<Cost> {
    let costs = rounds.iter().flatten();
    let costs = costs.filter(|(name, _)| *name == peer);
    costs.map(|(_, cost)| *cost).collect()
}

/// What a call with so many partitions costs against one with a tenth of them, beyond ten times as much.
fn growth(workloads: &[(&Plan, Vec<Round>)], partitions: usize) -> Option<Spread> {
    let costs = |partitions| {
        let is_it = |(plan, _): &&(&Plan, _)| {
            plan.work.partitions == partitions && plan.work.in_flight == 1
        };
        let (_, rounds) = workloads.iter().find(is_it)?;
        Some(costs_of(rounds, Facade.name()).into_iter())
    };
    let pairs = costs(partitions)?.zip(costs(partitions / 10)?);
    Some(Spread::of(
        pairs
            .map(|(more, less)| per_call(&more, more.cpu) / per_call(&less, less.cpu) / 10.0)
            .collect(),
    ))
}

/// The official SDKs write an id of this machine into a file in their home folder.
fn sdk_home() -> PathBuf {
    root().join("target/bench/home")
}

impl OfficialSdk {
    /// Fewer calls, for each takes up to fifty times as long.
    fn cost(&self, work: &Work, server: &Server) -> Result<Cost> {
        let work = Work {
            calls: work.calls.div_ceil(20),
            ..*work
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.script)
            .args(work.arguments(&server.ready)?);
        command.env("HOME", sdk_home());
        // A process runs where the thread that starts it may.
        let start = || {
            pin(work.cpu);
            read(&mut command).map_err(|error| error.to_string())
        };
        let measured = thread::scope(|scope| scope.spawn(start).join());
        Ok(measured.map_err(|_| "the measuring thread panicked")??)
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
        page_faults: of(|cost| per_call(cost, faults(cost))),
    }
}

#[expect(clippy::cast_precision_loss, reason = "KiB of one process")]
fn peak_rss(cost: &Cost) -> f64 {
    cost.peak_rss as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 pages")]
fn faults(cost: &Cost) -> f64 {
    cost.page_faults as f64
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
        peak_rss: of(peak_rss),
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
        let noisy = noise(&row.cpu_ratio);
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

fn print_others(results: &Results) {
    let print = |what: &str, spread: &Spread, unit: &str| {
        println!("  {what:<44} {spread:>22} {unit}{}", noise(spread));
    };
    println!();
    print(
        "growth from 10,000 to 100,000 partitions",
        &results.growth,
        "x",
    );
    print("signing, small body", &results.signing.small_micros, "us");
    print(
        "signing 1 MiB",
        &results.signing.mebibyte_ratio,
        "x of SHA-256",
    );
    print("dms-kafka delete", &results.cold_start.wall_millis, "ms");
    let purge = &results.purge_of_a_file;
    print("dms-kafka purge", &purge.rows_per_second, "rows/s");
    print(
        "dms-kafka purge",
        &purge.against_the_facade,
        "x of the facade",
    );
    for row in &results.gateway {
        let server = &row.server;
        print(server, &row.requests_per_second, "requests/s");
        print(
            server,
            &row.ratio,
            "x of the bare route, for each CPU second",
        );
    }
    for skipped in &results.skipped {
        println!("skipped: {skipped}");
    }
}

fn noise(spread: &Spread) -> &'static str {
    if spread.is_noisy() {
        "  TOO NOISY TO JUDGE"
    } else {
        ""
    }
}
