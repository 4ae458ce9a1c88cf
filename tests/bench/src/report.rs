//! BENCHMARKS.md, from what has been measured.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;

use crate::bounds::{Promise, Verdict, megabytes};
use crate::build_cost::BuildCost;
use crate::instructions::Instructions;
use crate::kafka_cost::KafkaCost;
use crate::long_run::LongRun;
use crate::results::{Results, Workload};
use crate::statistics::Spread;
use crate::{Result, bounds, plot, root};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What `run` has written.
    #[arg(long, value_name = "FILE", default_value = "target/bench/results.json")]
    results: PathBuf,
    /// What `instructions --json` has written.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/bench/instructions.json"
    )]
    instructions: PathBuf,
    /// What `build-cost` has written.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/bench/build-cost.json"
    )]
    build_cost: PathBuf,
    /// What `kafka` has written.
    #[arg(long, value_name = "FILE", default_value = "target/bench/kafka.json")]
    kafka: PathBuf,
    /// What `long-run` has written.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/bench/long-run.json"
    )]
    long_run: PathBuf,
}

/// Everything that the report tells.
pub(crate) struct Measured {
    pub(crate) results: Results,
    pub(crate) instructions: Option<Instructions>,
    pub(crate) build: Option<BuildCost>,
    pub(crate) kafka: Option<KafkaCost>,
    pub(crate) long_run: Option<LongRun>,
}

const PLOTS: &str = "tests/bench/plots";

pub(crate) fn write(options: &Options) -> Result<()> {
    let measured = Measured {
        results: Results::read(&root().join(&options.results))?,
        instructions: read(&options.instructions)?,
        build: read(&options.build_cost)?,
        kafka: read(&options.kafka)?,
        long_run: read(&options.long_run)?,
    };
    let plots = root().join(PLOTS);
    fs::create_dir_all(&plots)?;
    plot::write(&measured.results, &plots)?;
    let promises = bounds::promises(&measured);
    fs::write(root().join("BENCHMARKS.md"), text(&measured, &promises)?)?;
    println!("{}", bounds::table(&promises)?);
    println!("written: BENCHMARKS.md and {PLOTS}");
    let unexplained =
        |promise: &&Promise| promise.verdict() == Verdict::Broken && promise.why.is_none();
    match promises.iter().find(unexplained) {
        None => Ok(()),
        Some(promise) => Err(format!(
            "{:?} does not hold, and nothing explains it: say why in tests/bench/why",
            promise.what
        )
        .into()),
    }
}

/// What was measured, when it was.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = fs::read_to_string(root().join(path)).ok();
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

impl Measured {
    pub(crate) fn instructions(&self, workload: &str) -> Option<Spread> {
        let count = *self.instructions.as_ref()?.per_call.get(workload)?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 instructions")]
        Some(Spread::exactly(count as f64))
    }
}

fn text(measured: &Measured, promises: &[Promise]) -> Result<String> {
    let results = &measured.results;
    let mut text = String::from(include_str!("../benchmarks-head.md"));
    writeln!(
        text,
        "\nMeasured with {} on {} CPUs, {} rounds.\n",
        results.rustc, results.cpus, results.rounds
    )?;
    text.push_str(&bounds::table(promises)?);
    text.push_str("\n## One call at a time\n\nClient and server on one CPU.\n");
    for work in results.workloads.iter().filter(|work| work.in_flight == 1) {
        peers(&mut text, work)?;
    }
    text.push_str("\n![CPU time by partitions](tests/bench/plots/cost-by-partitions.svg)\n");
    text.push_str(
        "\n## Many calls at once\n\nClient and server on a CPU each; the client has one thread.\n",
    );
    for work in results.workloads.iter().filter(|work| work.in_flight > 1) {
        peers(&mut text, work)?;
    }
    text.push_str(
        "\n![Calls per second by calls in flight](tests/bench/plots/rate-by-concurrency.svg)\n",
    );
    gateway(&mut text, results)?;
    long_run(&mut text, measured.long_run.as_ref())?;
    build(&mut text, measured.build.as_ref())?;
    instructions(&mut text, measured.instructions.as_ref())?;
    why(&mut text, promises, measured.instructions.as_ref())?;
    if !results.skipped.is_empty() {
        writeln!(text, "\nLeft out: {}.", results.skipped.join("; "))?;
    }
    Ok(text)
}

fn instructions(text: &mut String, counted: Option<&Instructions>) -> Result<()> {
    text.push_str("\n## Instructions\n\n");
    let Some(counted) = counted else {
        text.push_str("Not counted: that takes valgrind.\n");
        return Ok(());
    };
    text.push_str("In user space for each call, answer or signature, SHA-256 in software, as `cargo xtask bench instructions` counts them with callgrind:\n\n| workload | instructions |\n|---|---|\n");
    for (workload, count) in &counted.per_call {
        writeln!(text, "| {workload} | {} |", thousands(*count))?;
    }
    Ok(())
}

/// What is said of the promises that were not seen to hold, with the counted instructions filled in.
fn why(text: &mut String, promises: &[Promise], counted: Option<&Instructions>) -> Result<()> {
    let mut told = Vec::new();
    for promise in promises {
        if let (Verdict::Broken | Verdict::TooClose, Some(why)) = (promise.verdict(), promise.why)
            && !told.contains(&why)
        {
            told.push(why);
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    text.push_str("\n## What does not hold, and what it would take\n");
    for why in told {
        write!(text, "\n{}", filled(why, counted))?;
    }
    Ok(())
}

/// A text with the count of each workload that it names in braces.
fn filled(why: &str, counted: Option<&Instructions>) -> String {
    let count_of = |workload| counted?.per_call.get(workload).copied();
    let (mut filled, mut rest) = (String::new(), why);
    while let Some((before, (workload, after))) = rest
        .split_once('{')
        .and_then(|(before, named)| Some((before, named.split_once('}')?)))
    {
        filled.push_str(before);
        let count = count_of(workload).map(thousands);
        filled.push_str(count.as_deref().unwrap_or("(not counted)"));
        rest = after;
    }
    filled + rest
}

/// A count with a comma after every third digit from the end.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn peers(text: &mut String, work: &Workload) -> Result<()> {
    let s = if work.partitions == 1 { "" } else { "s" };
    writeln!(
        text,
        "\n{} partition{s} in a request, {} in flight:\n",
        work.partitions, work.in_flight
    )?;
    text.push_str("| peer | CPU us per call | against the first | calls/s | against the first | peak MB | page faults |\n|---|---|---|---|---|---|---|\n");
    for row in &work.peers {
        let noisy = if row.cpu_ratio.is_noisy() {
            ", too noisy to judge"
        } else {
            ""
        };
        let megabytes = megabytes(row.peak_rss);
        writeln!(
            text,
            "| {} | {} | {}{noisy} | {} | {} | {megabytes:.1} | {:.1} |",
            row.peer,
            row.cpu_micros,
            row.cpu_ratio,
            row.calls_per_second,
            row.rate_ratio,
            row.page_faults.median
        )?;
    }
    Ok(())
}

fn gateway(text: &mut String, results: &Results) -> Result<()> {
    text.push_str("\n## The gateway\n\nTopics in memory, 64 connections that send one signed request again and again; server and load on a CPU each.\n\n");
    text.push_str("| server | requests/s | CPU us per request | against the bare route | peak MB |\n|---|---|---|---|---|\n");
    for row in &results.gateway {
        let megabytes = megabytes(row.peak_rss);
        writeln!(
            text,
            "| {} | {} | {} | {} | {megabytes:.1} |",
            row.server, row.requests_per_second, row.cpu_micros, row.ratio
        )?;
    }
    Ok(())
}

fn long_run(text: &mut String, measured: Option<&LongRun>) -> Result<()> {
    text.push_str("\n## After long\n\n");
    let Some(measured) = measured else {
        text.push_str("Not measured.\n");
        return Ok(());
    };
    text.push_str("64 calls in flight, one partition each:\n\n| calls | CPU us per call | peak MB |\n|---|---|---|\n");
    for cost in &measured.calls {
        let megabytes = megabytes(cost.peak_rss);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
        let micros = cost.cpu * 1e6 / cost.calls as f64;
        writeln!(text, "| {} | {micros:.1} | {megabytes:.1} |", cost.calls)?;
    }
    let LongRun {
        seconds,
        answered,
        resident: [first, second],
        ..
    } = measured;
    writeln!(
        text,
        "\nThe gateway under {seconds} seconds of full load: {} answers of status 200, {} others; at most {first} KiB resident in the first half, {second} KiB in the second.",
        answered.ok, answered.other
    )?;
    Ok(())
}

fn build(text: &mut String, cost: Option<&BuildCost>) -> Result<()> {
    text.push_str("\n## Building\n\n");
    let Some(cost) = cost else {
        text.push_str("Not measured.\n");
        return Ok(());
    };
    text.push_str("Clean release builds, stripped, as `cargo xtask bench build-cost` makes them:\n\n| program | crates | seconds | MB |\n|---|---|---|---|\n");
    let programs = [
        ("a program on reqwest with rustls", Some(&cost.reqwest)),
        ("a program on the facade", Some(&cost.facade)),
        ("the command", Some(&cost.command)),
        ("the command with `kafka`", cost.command_with_kafka.as_ref()),
    ];
    for (name, build) in programs {
        let Some(build) = build else { continue };
        let crates = build
            .crates
            .map_or(String::new(), |crates| crates.to_string());
        let seconds = build
            .seconds
            .map_or(String::new(), |seconds| format!("{seconds:.0}"));
        #[expect(clippy::cast_precision_loss, reason = "the size of a program")]
        let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1024.0 / 1024.0);
        let size = build.size.map_or(String::new(), megabytes);
        writeln!(text, "| {name} | {crates} | {seconds} | {size} |")?;
    }
    text.push_str("\nWhat the facade adds:\n\n| crate | what for |\n|---|---|\n");
    for (name, reason) in &cost.added {
        writeln!(text, "| {name} | {reason} |")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_the_places_of_their_workloads() {
        let counted = Instructions {
            rustc: "rustc".to_owned(),
            per_call: [("facade".to_owned(), 1_234_567), ("signing".to_owned(), 45)].into(),
        };
        let why = "The facade takes {facade}, signing {signing}, {nothing else}.";
        let with_counts = "The facade takes 1,234,567, signing 45, (not counted).";
        assert_eq!(filled(why, Some(&counted)), with_counts);
        let without = "The facade takes (not counted), signing (not counted), (not counted).";
        assert_eq!(filled(why, None), without);
    }
}
