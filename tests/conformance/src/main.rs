//! `dms-kafka-conformance`: runs the suites and prints a verdict for each case.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command prints to the terminal"
)]

mod arguments;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser as _;
use dms_kafka_conformance::cases::{Cases, is_in};
use dms_kafka_conformance::client;
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::coverage::{Coverage, Rows};
use dms_kafka_conformance::deviations::KnownDeviations;
use dms_kafka_conformance::faults;
use dms_kafka_conformance::recorder::{self, RecordedRequest, Recorder};
use dms_kafka_conformance::report::{Judged, Report, Verdict, shown};
use dms_kafka_conformance::server::{Server, ServerCase, Target};
use huaweicloud_auth::{Credentials, EnvironmentProvider};

use arguments::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the selected mode; `true` when nothing failed.
async fn run(arguments: &Arguments) -> Result<bool> {
    let contract = Contract::read()?;
    let mut cases = Cases::read(arguments.cases.as_deref())?;
    let coverage = Coverage::new(&Rows::read(contract.document())?, &cases)?;
    if arguments.mode.coverage {
        return Ok(print_coverage(&coverage));
    }
    if arguments.mode.faults {
        let faults = faults::run(&contract, &cases).await?;
        println!("{faults}");
        return Ok(faults.all_caught());
    }
    let names = cases.verdict_names();
    if arguments.mode.endpoint.is_some() {
        cases.client.clear();
        ensure!(!cases.server.is_empty(), "there is no server case");
    }
    for name in &arguments.case {
        if !cases.iter().any(|(_, known, _)| is_in(known, name)) {
            let server = arguments.mode.endpoint.as_ref().map_or("", |_| "server ");
            bail!("there is no {server}case {name:?}");
        }
    }
    if !arguments.case.is_empty() {
        cases.retain(&arguments.case);
    }
    if arguments.quick {
        cases.server.retain(|case| case.quick);
    }
    let (subject, mut judged) = if let Some(address) = arguments.mode.listen {
        let judged = listen(arguments, contract, address).await?;
        (format!("requests to {address}"), judged)
    } else if let Some(endpoint) = &arguments.mode.endpoint {
        let judged = endpoint_cases(arguments, &contract, endpoint, &cases.server).await?;
        (format!("service at {endpoint}"), judged)
    } else {
        let judged = own(&contract, &cases).await?;
        ("this project's clients and gateway".to_owned(), judged)
    };
    if let Some(implementation) = &arguments.implementation {
        known_deviations(arguments, &names)?.apply(implementation, &mut judged)?;
    }
    let subject = arguments.subject.clone().unwrap_or(subject);
    finish(arguments, &Report::new(subject, judged))
}

fn print_coverage(coverage: &Coverage) -> bool {
    println!("{coverage}");
    let empty: Vec<_> = coverage.empty().collect();
    if empty.is_empty() {
        return true;
    }
    eprintln!("error: no case proves: {}", empty.join("; "));
    false
}

fn known_deviations(arguments: &Arguments, names: &BTreeSet<String>) -> Result<KnownDeviations> {
    let Some(file) = &arguments.known_deviations else {
        return KnownDeviations::embedded(names);
    };
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| name.clone())?;
    KnownDeviations::parse(&name, &text, names)
}

fn finish(arguments: &Arguments, report: &Report) -> Result<bool> {
    println!("{report}");
    if let Some(file) = &arguments.json {
        write(file, &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    if let Some(file) = &arguments.junit {
        write(file, &report.junit()?)?;
    }
    if let Some(file) = &arguments.har {
        // Without a key in the environment, those of the run exist nowhere else.
        let har = report.har(credentials().ok().as_ref());
        write(file, &(serde_json::to_string_pretty(&har)? + "\n"))?;
    }
    Ok(report.passed())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| file.display().to_string())
}

/// Judges the contract's examples, this project's clients, and its gateway in memory.
async fn own(contract: &Contract, cases: &Cases) -> Result<Vec<Judged>> {
    let begin = Instant::now();
    let examples = Judged {
        suite: "contract",
        name: "contract-examples".to_owned(),
        title: "the contract's examples are valid by its schemas".to_owned(),
        proves: vec!["Example request".to_owned(), "Example response".to_owned()],
        verdict: Verdict::of(contract.example_faults()),
        elapsed: begin.elapsed(),
        exchanges: Vec::new(),
    };
    let mut judged = vec![examples];
    judged.extend(client::run_all(contract, &cases.client, None).await);
    let (gateway, target) = faults::memory_gateway().await?;
    let (endpoint, credentials) = (gateway.endpoint(), gateway.credentials());
    let server = Server::connect(contract, endpoint, &target, credentials, true).await?;
    judged.extend(server.with_extensions(true).run_all(&cases.server).await);
    Ok(judged)
}

async fn endpoint_cases(
    arguments: &Arguments,
    contract: &Contract,
    endpoint: &str,
    cases: &[ServerCase],
) -> Result<Vec<Judged>> {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let target = Target {
        project_id: given(&arguments.project_id),
        instance_id: given(&arguments.instance_id),
        topic: given(&arguments.topic),
    };
    let destructive = arguments.destructive;
    let server = Server::connect(contract, endpoint, &target, credentials()?, destructive).await?;
    let seed = arguments
        .seed
        .unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    let server = server.with_seed(seed);
    let server = server.with_extensions(arguments.extensions);
    let server = server.with_wait(Duration::from_secs(arguments.wait));
    Ok(server.run_all(cases).await)
}

fn credentials() -> Result<Credentials> {
    Ok(EnvironmentProvider::from_process().credentials()?)
}

async fn listen(
    arguments: &Arguments,
    contract: Contract,
    address: SocketAddr,
) -> Result<Vec<Judged>> {
    let script = arguments.responses.as_deref().map(recorder::read_script);
    let script = script.transpose()?.unwrap_or_default();
    let credentials = credentials()?;
    // Before listening: without a handler a signal would end the program without its report.
    let mut stopped = Box::pin(stop_signal()?);
    let mut recorder =
        Recorder::start(address, Arc::new(contract), credentials.clone(), script).await?;
    let url = format!("http://{}", recorder.address());
    eprintln!("listening on {url}");
    let mut judged: Vec<Judged> = Vec::new();
    while arguments
        .requests
        .is_none_or(|wanted| judged.len() < wanted)
    {
        let heard = tokio::select! {
            // A request that was answered before the signal is in the report.
            biased;
            heard = recorder.next() => heard,
            () = &mut stopped => None,
        };
        let Some(heard) = heard else { break };
        let one = judged_request(judged.len() + 1, &url, heard, &credentials);
        eprintln!("{} {}", one.verdict.word(), one.title);
        judged.push(one);
    }
    ensure!(!judged.is_empty(), "no request arrived");
    // The last response may not have been sent yet.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(judged)
}

fn judged_request(
    number: usize,
    url: &str,
    heard: RecordedRequest,
    credentials: &Credentials,
) -> Judged {
    let shown = |text: &str| shown(text, credentials);
    let verdict = match heard.verdict() {
        Verdict::Fail { faults, .. } => Verdict::of(faults.iter().map(|one| shown(one)).collect()),
        other => other,
    };
    Judged {
        suite: "listen",
        name: format!("request-{number}"),
        title: heard.request.as_ref().map_or_else(
            || "unreadable".to_owned(),
            |request| shown(&request.to_string()),
        ),
        proves: Vec::new(),
        verdict,
        elapsed: Duration::ZERO,
        exchanges: heard.into_exchange(url.to_owned()).into_iter().collect(),
    }
}

/// Installs the signal handlers, and returns a future that ends on Ctrl-C, or SIGTERM where there is one.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
