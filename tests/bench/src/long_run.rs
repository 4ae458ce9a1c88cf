//! What only shows after long: memory that grows, calls that get slower.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::load::Answered;
use crate::peers::{Cost, Peer};
use crate::processes::{Server, Work, read, this_program};
use crate::server::Kind;
use crate::{Result, write_json};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Calls through the facade.
    #[arg(long, default_value_t = 1_000_000)]
    calls: usize,
    /// Seconds of full load on the gateway.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..))]
    seconds: u64,
    /// Where the results go.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/bench/long-run.json"
    )]
    json: PathBuf,
}

/// What a long run has shown.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct LongRun {
    /// A tenth of the calls, then all of them.
    pub(crate) calls: [Cost; 2],
    /// Seconds of full load on the gateway.
    pub(crate) seconds: u64,
    /// What the gateway has answered.
    pub(crate) answered: Answered,
    /// Its largest resident sets in the first half and in the second, in KiB.
    pub(crate) resident: [u64; 2],
}

/// How much more memory the later part of a long run may take.
const MEMORY: f64 = 1.10;
/// How much more CPU time a late call may take: two processes at different times differ by more than rounds of one run.
const SLOWER: f64 = 1.25;

pub(crate) fn run(options: &Options) -> Result<()> {
    let calls = calls(options.calls)?;
    let (answered, resident) = load(options.seconds)?;
    let measured = LongRun {
        calls,
        seconds: options.seconds,
        answered,
        resident,
    };
    write_json(&options.json, &measured)
}

/// A tenth of the calls, then all of them: neither cost nor memory may depend on how many came before.
fn calls(calls: usize) -> Result<[Cost; 2]> {
    let server = Server::start(Kind::Fast, Some(0))?;
    let cost = |calls| {
        let work = Work {
            partitions: 1,
            in_flight: 64,
            calls,
            warm_up: 1000,
            cpu: Some(1),
        };
        work.cost(Peer::Facade, &server.ready)
    };
    let (few, all) = (cost(calls / 10)?, cost(calls)?);
    for Cost {
        calls,
        cpu,
        peak_rss,
        ..
    } in [few, all]
    {
        println!("{calls} calls: {cpu:.1} s of CPU, {peak_rss} KiB");
    }
    let slower = all.cpu / few.cpu / 10.0;
    #[expect(clippy::cast_precision_loss, reason = "KiB of one process")]
    let larger = all.peak_rss as f64 / few.peak_rss as f64;
    println!("all against a tenth: {slower:.2}x CPU for each call, {larger:.2}x memory");
    if slower > SLOWER || larger > MEMORY {
        return Err("cost or memory grows with the number of calls".into());
    }
    Ok([few, all])
}

/// Full load on the gateway; its memory is read every few seconds.
fn load(seconds: u64) -> Result<(Answered, [u64; 2])> {
    let server = Server::start(Kind::Gateway, Some(0))?;
    let ready = serde_json::to_string(&server.ready)?;
    let mut load = this_program("load", &["--connections=64", "--cpu=1"])?;
    load.arg(format!("--seconds={seconds}"))
        .arg(format!("--ready={ready}"));
    let answered = thread::spawn(move || {
        let answered: Result<Answered> = read(&mut load);
        answered.map_err(|error| error.to_string())
    });
    let begin = Instant::now();
    let mut samples = Vec::new();
    while !answered.is_finished() {
        thread::sleep(Duration::from_secs(2));
        let resident = resident(server.id())?;
        println!("{:>4} s: {resident} KiB", begin.elapsed().as_secs());
        samples.push(resident);
    }
    let answered = answered.join().map_err(|_| "the load panicked")??;
    println!("{answered:?}");
    let half = samples.len() / 2;
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or(0);
    let (first, second) = (most(&samples[..half]), most(&samples[half..]));
    #[expect(clippy::cast_precision_loss, reason = "KiB of one process")]
    let larger = second as f64 / first as f64;
    println!("second half against the first: {larger:.2}x memory");
    if answered.other > 0 || larger > MEMORY {
        return Err("the gateway refused requests, or its memory grows".into());
    }
    Ok((answered, [first, second]))
}

/// The resident set of a process in KiB.
fn resident(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse()?)
}
