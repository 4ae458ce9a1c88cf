//! Long runs, which detect memory that grows and calls that get slower.

use std::thread;
use std::time::Duration;

use clap::Args;

use crate::load::ResponseCounts;
use crate::metrics::{PEAK, Results, Scale};
use crate::process::{Cost, Job, Peer, Result, Server, ServerKind, Work, memory_kib};

const SECTION: &str = "Long runs";
/// The limit for the memory of the later part, as a multiple of the first part's.
const MEMORY: f64 = 1.10;
/// The limit for the CPU time of a late call, as a multiple. Two processes differ more than rounds of one run.
const SLOWER: f64 = 1.25;

#[derive(Debug, Args)]
pub(crate) struct LongRun {
    /// Number of calls through the facade.
    #[arg(long, default_value_t = 1_000_000)]
    calls: usize,
    /// Seconds of full load on the gateway. A signature is valid for 15 minutes, so the limit is 600.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u16).range(10..=600))]
    seconds: u16,
}

pub(crate) fn run(options: &LongRun, scale: &Scale) -> Result<()> {
    let mut results = Results::default();
    calls(scale.of(options.calls), &mut results)?;
    let seconds = scale.of(usize::from(options.seconds)).max(6);
    load(seconds, &mut results)?;
    results.write(scale.folder(), "long-run")
}

/// Makes a tenth of the calls, then all of them. Cost and memory must not depend on the number of calls.
fn calls(calls: usize, results: &mut Results) -> Result<()> {
    let server = Server::start(ServerKind::Fast, Some(0))?;
    let cost = |calls| -> Result<Cost> {
        let work = Work {
            partitions: 1,
            in_flight: 64,
            calls,
            warm_up: 1000,
        };
        let job = Job::Call(Peer::Facade, work, server.endpoint.clone());
        Ok(job.run::<Cost>(Some(1))?.per_call(calls))
    };
    let (few, all) = (cost(calls / 10)?, cost(calls)?);
    let table = format!("{calls} calls, 64 in flight, 1 partition in a request");
    let round = vec![("a tenth of them", few), ("all", all)];
    results.push_costs(SECTION, &table, &[round]);
    if all.cpu > few.cpu * SLOWER || all.peak_rss > few.peak_rss * MEMORY {
        return Err("cost or memory grows with the number of calls".into());
    }
    Ok(())
}

/// Puts full load on the gateway and reads its memory every two seconds.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 responses")]
fn load(seconds: usize, results: &mut Results) -> Result<()> {
    let server = Server::start(ServerKind::Gateway, Some(0))?;
    let job = Job::Load(seconds as u64, server.endpoint.clone());
    let load = thread::spawn(move || {
        let counts: Result<ResponseCounts> = job.run(Some(1));
        counts.map_err(|error| error.to_string())
    });
    let mut samples = Vec::new();
    while !load.is_finished() {
        thread::sleep(Duration::from_secs(2));
        samples.push(memory_kib(server.id(), "VmRSS")? / 1024.0);
    }
    let counts = load.join().map_err(|_| "the load panicked")??;
    let (first, second) = samples.split_at(samples.len() / 2);
    let [first, second] = [first, second].map(|half| half.iter().copied().fold(0.0, f64::max));
    let table = format!("The gateway under full load for {seconds} seconds");
    let mut push = |row, column, value| results.push([SECTION, &table, row, column], vec![value]);
    push("first half", PEAK, first);
    push("second half", PEAK, second);
    push("all", "responses of status 200", counts.ok as f64);
    push("all", "others", counts.other as f64);
    if counts.other > 0 || second > first * MEMORY {
        return Err("the gateway refused requests, or its memory grows".into());
    }
    Ok(())
}
