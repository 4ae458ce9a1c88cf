//! The interleaved run: each round measures every peer, one after the other.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use clap::Args;

use crate::load;
use crate::metrics::{CPU, PEAK, Results, Round, Scale, peak, root};
use crate::peers::{ACCESS_KEY, INSTANCE, PROJECT, SECRET_KEY, TOPIC};
use crate::process::{Cost, Job, Peer, Result, Server, ServerKind, Work, read};

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Number of rounds.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(5..))]
    rounds: u16,
    /// The dms-kafka command to measure.
    #[arg(long, value_name = "FILE", default_value = "target/release/dms-kafka")]
    cli: PathBuf,
    /// A Python with the official SDK (huaweicloudsdkkafka), which is measured too.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// The program of tests/interop/go/bench on the official Go SDK, which is measured too.
    #[arg(long, value_name = "FILE")]
    go: Option<PathBuf>,
    /// A peer that cannot be measured, with the reason, for the report.
    #[arg(long, value_name = "TEXT")]
    skipped: Vec<String>,
}

use Peer::{Facade, Generated, Purge, Reqwest, ReqwestJson, ReqwestSigned};

/// The same calls by several peers. The others are compared with the first.
struct Plan {
    work: Work,
    peers: &'static [Peer],
}

const ALL: &[Peer] = &[Reqwest, ReqwestSigned, ReqwestJson, Generated, Facade];
const JSON: &[Peer] = &[ReqwestJson, Generated, Facade];

const PLANS: [Plan; 12] = [
    plan(1, 1, 10_000, ALL),
    plan(10, 1, 6000, JSON),
    plan(100, 1, 3000, JSON),
    plan(1000, 1, 300, JSON),
    plan(10_000, 1, 60, JSON),
    plan(100_000, 1, 10, JSON),
    plan(1, 4, 16_000, &[Reqwest, Facade]),
    plan(1, 16, 16_000, &[Reqwest, Facade]),
    plan(1, 64, 16_000, &[Reqwest, ReqwestSigned, Generated, Facade]),
    plan(1, 256, 16_000, &[Reqwest, Facade]),
    plan(10, 16, 1600, &[Facade, Purge]),
    plan(10, 64, 1600, &[Facade, Purge]),
];

const fn plan(partitions: usize, in_flight: usize, calls: usize, peers: &'static [Peer]) -> Plan {
    let work = Work {
        partitions,
        in_flight,
        calls,
        warm_up: calls / 10 + 1,
    };
    Plan { work, peers }
}

/// The name of one of the vendor's SDKs, and a command that takes an endpoint and the work.
type OfficialSdk<'a> = (&'static str, Vec<&'a Path>);

pub(crate) fn run(options: &Run, scale: &Scale) -> Result<()> {
    let rounds = scale.of(usize::from(options.rounds));
    let cli = root().join(&options.cli);
    let mut results = Results::default();
    let (rustc, cpus) = (rustc()?, available_parallelism()?);
    let how = format!("Measured with {rustc} on {cpus} CPUs, {rounds} rounds.");
    results.notes.push(how);
    for skipped in &options.skipped {
        results.notes.push(format!("Not measured: {skipped}."));
    }
    peers(options, rounds, scale, &mut results)?;
    signing(rounds * 3, &mut results)?;
    delete(&cli, rounds * 3, &mut results)?;
    purge(&cli, rounds, scale, &mut results)?;
    load::measure(rounds, scale, &mut results)?;
    results.write(scale.folder(), "run")
}

pub(crate) fn rustc() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn peers(options: &Run, rounds: usize, scale: &Scale, results: &mut Results) -> Result<()> {
    fs::create_dir_all(root().join(SDK_HOME))?;
    let script = root().join("tests/bench/peers/official_sdk.py");
    let mut official: Vec<OfficialSdk<'_>> = Vec::new();
    if let Some(python) = &options.python {
        official.push(("official Python SDK", vec![python, &script]));
    }
    if let Some(go) = &options.go {
        official.push(("official Go SDK", vec![go]));
    }
    let mut measured = PLANS.map(|plan| (plan, Vec::new()));
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for (plan, rounds) in &mut measured {
            rounds.push(plan.round(&official, scale)?);
        }
    }
    for (plan, rounds) in &measured {
        results.push_costs(plan.section(), &plan.table(), rounds);
    }
    let cpu = |table| {
        let metric = results.find([ONE_AT_A_TIME, table, Facade.name(), CPU]);
        metric.map_or(&[][..], |metric| &metric.values).iter()
    };
    let more = cpu("100000 partitions in a request");
    let pairs = more.zip(cpu("10000 partitions in a request"));
    let growth = pairs.map(|(more, less)| more / less / 10.0).collect();
    let row = "facade, 100,000 partitions";
    let column = "CPU, x of ten times 10,000 partitions";
    results.push([ONE_AT_A_TIME, "Growth", row, column], growth);
    Ok(())
}

const ONE_AT_A_TIME: &str = "One call at a time";
/// The official SDKs write an id to a file in their home folder.
const SDK_HOME: &str = "target/bench/home";

impl Plan {
    fn is_one_at_a_time(&self) -> bool {
        self.work.in_flight == 1
    }

    fn section(&self) -> &'static str {
        match self.peers {
            _ if self.is_one_at_a_time() => ONE_AT_A_TIME,
            [_, Purge] => "Purge",
            _ => "Many calls at once",
        }
    }

    /// The title of the table. It begins with the number that differs between the plans of a plot.
    fn table(&self) -> String {
        let s = if self.work.partitions == 1 { "" } else { "s" };
        let partitions = format!("{} partition{s} in a request", self.work.partitions);
        match self.work.in_flight {
            1 => partitions,
            in_flight => format!("{in_flight} in flight, {partitions}"),
        }
    }

    fn round(&self, official: &[OfficialSdk<'_>], scale: &Scale) -> Result<Round> {
        // On two CPUs, client and server would sleep while they wait for each other, which distorts single calls.
        let cpu = Some(usize::from(!self.is_one_at_a_time()));
        let server = Server::start(ServerKind::Fast, Some(0))?;
        let work = |fewer| Work {
            calls: scale.of(self.work.calls).div_ceil(fewer),
            warm_up: scale.of(self.work.warm_up).div_ceil(fewer),
            ..self.work
        };
        let mut costs = Vec::new();
        for peer in self.peers {
            let work = work(1);
            let cost: Cost = Job::Call(*peer, work, server.endpoint.clone()).run(cpu)?;
            costs.push((peer.name(), cost.per_call(work.calls)));
        }
        for (name, program) in official.iter().filter(|_| self.is_one_at_a_time()) {
            // A call takes up to fifty times as long.
            let work = work(20);
            let arguments = [&server.endpoint, &serde_json::to_string(&work)?];
            let mut command = Command::new(program[0]);
            command.args(&program[1..]).args(arguments);
            command.env("HOME", root().join(SDK_HOME));
            let cost: Cost = read(with_keys(&mut command), cpu)?;
            costs.push((name, cost.per_call(work.calls)));
        }
        Ok(costs)
    }
}

fn with_keys(command: &mut Command) -> &mut Command {
    command
        .env("HUAWEICLOUD_SDK_AK", ACCESS_KEY)
        .env("HUAWEICLOUD_SDK_SK", SECRET_KEY)
        .env("HUAWEICLOUD_SDK_PROJECT_ID", PROJECT)
}

/// Signing, without a network.
fn signing(rounds: usize, results: &mut Results) -> Result<()> {
    const MEBIBYTE: usize = 1024 * 1024;
    let micros = |sign, bytes, times| -> Result<f64> {
        let cost: Cost = Job::Sign { sign, bytes, times }.run(Some(0))?;
        Ok(cost.per_call(times).cpu * 1e6)
    };
    let (mut small, mut large, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        small.push(micros(true, 43, 20_000)?);
        let signed = micros(true, MEBIBYTE, 20)?;
        large.push(signed);
        ratios.push(signed / micros(false, MEBIBYTE, 20)?);
    }
    let mut push = |row, column, values| results.push(["Signing", "", row, column], values);
    push("small body", "CPU us", small);
    push("1 MiB", "CPU us", large);
    push("1 MiB", "x of SHA-256", ratios);
    Ok(())
}

fn dms_kafka(
    cli: &Path,
    server: &Server,
    partitions: usize,
    arguments: &[&str],
    cpu: Option<usize>,
) -> Result<Cost> {
    let endpoint = &server.endpoint;
    let service = format!(
        "--endpoint {endpoint} --instance-id {INSTANCE}{partitions} --project-id {PROJECT} --yes"
    );
    let words = arguments.iter().copied().chain(service.split(' '));
    let mut command = vec![cli.display().to_string()];
    command.extend(words.map(str::to_owned));
    let job = Job::Command(command);
    read(with_keys(&mut job.command(&[])?), cpu)
}

/// `dms-kafka delete`, from the start of the process to its end: as a script runs it, with one request, and with the reads that
/// show what is lost.
fn delete(cli: &Path, rounds: usize, results: &mut Results) -> Result<()> {
    let server = Server::start(ServerKind::Gateway, Some(0))?;
    let target = ["delete", "--topic", TOPIC, "--partition", "0:1"];
    for (row, more) in [
        ("delete", &["--output", "json"][..]),
        ("delete, with preview", &[]),
    ] {
        let arguments = [&target[..], more].concat();
        let costs = (0..rounds).map(|_| dms_kafka(cli, &server, 1, &arguments, None));
        let costs = costs.collect::<Result<Vec<Cost>>>()?;
        let mut push = |column, value: fn(&Cost) -> f64| {
            let values = costs.iter().map(value).collect();
            results.push(["The command", "", row, column], values);
        };
        push("ms", |cost| cost.wall * 1e3);
        push("CPU ms", |cost| cost.cpu * 1e3);
        push(PEAK, |cost| cost.peak_rss / 1024.0);
    }
    Ok(())
}

/// `dms-kafka purge` of a file, compared with the facade. Both make the same number of requests on one CPU, with the same
/// server on the other.
fn purge(cli: &Path, rounds: usize, scale: &Scale, results: &mut Results) -> Result<()> {
    const TOPICS: usize = 200;
    /// The default of the command.
    const PER_REQUEST: usize = 10;
    let partitions = scale.of(5000);
    let rows = TOPICS * partitions;
    let file = root().join(scale.folder()).join("rows.ndjson");
    fs::create_dir_all(root().join(scale.folder()))?;
    // Not in memory: a child reports at least the peak memory of this process.
    let mut text = BufWriter::new(File::create(&file)?);
    for row in 0..rows {
        // The partitions of a topic are adjacent and in ascending order, which the fast server assumes.
        let (topic, partition) = (row / partitions, row % partitions);
        let row = format!(r#"{{"topic":"topic-{topic}","partition":{partition},"offset":1}}"#);
        writeln!(text, "{row}")?;
    }
    text.flush()?;
    let server = Server::start(ServerKind::Fast, Some(0))?;
    let Plan { work, .. } = plan(PER_REQUEST, 64, rows / PER_REQUEST, &[]);
    let by_the_facade = Job::Call(Facade, work, server.endpoint.clone());
    let path = file.display().to_string();
    let arguments = ["purge", "--offsets-file", &path, "--concurrency", "64"];
    let (mut rates, mut ratios, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let cost = dms_kafka(cli, &server, PER_REQUEST, &arguments, Some(1))?;
        rates.push(1.0 / cost.per_call(rows).wall);
        ratios.push(by_the_facade.run::<Cost>(Some(1))?.wall / cost.wall);
        costs.push(cost);
    }
    fs::remove_file(&file)?;
    let row = "purge, 1,000,000 rows, 200 topics";
    let mut push = |column, values| results.push(["The command", "", row, column], values);
    push("rows/s", rates);
    push("rows/s, x of the facade", ratios);
    push(PEAK, vec![peak(costs.into_iter())]);
    Ok(())
}
