//! BENCHMARKS.md, from what has been measured.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;

use crate::bounds::megabytes;
use crate::build_cost::BuildCost;
use crate::kafka_cost::KafkaCost;
use crate::long_run::LongRun;
use crate::results::{Results, Workload};
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
    pub(crate) instructions: Option<u64>,
    pub(crate) build: Option<BuildCost>,
    pub(crate) kafka: Option<KafkaCost>,
    pub(crate) long_run: Option<LongRun>,
}

const PLOTS: &str = "tests/bench/plots";

pub(crate) fn write(options: &Options) -> Result<()> {
    let measured = Measured {
        results: Results::read(&root().join(&options.results))?,
        instructions: instructions(&root().join(&options.instructions)),
        build: read(&options.build_cost)?,
        kafka: read(&options.kafka)?,
        long_run: read(&options.long_run)?,
    };
    let plots = root().join(PLOTS);
    fs::create_dir_all(&plots)?;
    plot::write(&measured.results, &plots)?;
    fs::write(root().join("BENCHMARKS.md"), text(&measured)?)?;
    println!("written: BENCHMARKS.md and {PLOTS}");
    Ok(())
}

/// What was measured, when it was.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = fs::read_to_string(root().join(path)).ok();
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn instructions(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let counted: serde_json::Value = serde_json::from_str(&text).ok()?;
    counted["per_call"]["facade, 1 partition"].as_u64()
}

fn text(measured: &Measured) -> Result<String> {
    let results = &measured.results;
    let mut text = String::from(include_str!("../benchmarks-head.md"));
    writeln!(
        text,
        "\nMeasured with {} on {} CPUs, {} rounds.\n",
        results.rustc, results.cpus, results.rounds
    )?;
    text.push_str(&bounds::table(measured)?);
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
    text.push_str(include_str!("../benchmarks-why.md"));
    if !results.skipped.is_empty() {
        writeln!(text, "\nLeft out: {}.", results.skipped.join("; "))?;
    }
    Ok(text)
}

fn peers(text: &mut String, work: &Workload) -> Result<()> {
    let s = if work.partitions == 1 { "" } else { "s" };
    writeln!(
        text,
        "\n{} partition{s} in a request, {} in flight:\n",
        work.partitions, work.in_flight
    )?;
    text.push_str("| peer | CPU us per call | against the first | calls/s | against the first | peak MB |\n|---|---|---|---|---|---|\n");
    for row in &work.peers {
        let noisy = if row.cpu_ratio.is_noisy() {
            ", too noisy to judge"
        } else {
            ""
        };
        let megabytes = megabytes(row.peak_rss);
        writeln!(
            text,
            "| {} | {} | {}{noisy} | {} | {} | {megabytes:.1} |",
            row.peer, row.cpu_micros, row.cpu_ratio, row.calls_per_second, row.rate_ratio
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
        text.push_str("Not measured: `cargo xtask bench long-run` does it.\n");
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
        text.push_str("Not measured: `cargo xtask bench build-cost` does it.\n");
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
        let Some(build) = build.filter(|build| build.seconds.is_some()) else {
            continue;
        };
        let crates = if build.crates > 0 {
            build.crates.to_string()
        } else {
            String::new()
        };
        #[expect(clippy::cast_precision_loss, reason = "the size of a program")]
        let megabytes = build.size.unwrap_or(0) as f64 / 1e6;
        writeln!(
            text,
            "| {name} | {crates} | {:.0} | {megabytes:.1} |",
            build.seconds.unwrap_or(0.0)
        )?;
    }
    writeln!(text, "\nWhat the facade adds: {}.", cost.added.join(", "))?;
    Ok(())
}
