//! What the program does in each of its modes; `true` when nothing failed.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dms_kafka_conformance::client;
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::coverage::{Coverage, Rows};
use dms_kafka_conformance::deviations::KnownDeviations;
use dms_kafka_conformance::faults::{self, Extent};
use dms_kafka_conformance::listen::{self, Heard, Recorder};
use dms_kafka_conformance::report::{Judged, Report, Verdict};
use dms_kafka_conformance::server::{self, Server, Target};
use dms_kafka_conformance::source::Source;
use dms_kafka_conformance::text::shown;
use huaweicloud_auth::{Credentials, EnvironmentProvider};

use crate::arguments::Arguments;

type Error = Box<dyn std::error::Error>;

/// The cases of both suites.
struct Cases {
    client: Vec<client::Case>,
    server: Vec<server::Case>,
}

impl Cases {
    fn read(arguments: &Arguments) -> Result<Self, Error> {
        let source = arguments
            .cases
            .clone()
            .map_or_else(Source::default, Source::Folder);
        Ok(Self {
            client: source.read()?,
            server: source.read()?,
        })
    }

    /// Leaves only the cases that were asked for by name.
    fn only(mut self, names: &[String]) -> Result<Self, Error> {
        if names.is_empty() {
            return Ok(self);
        }
        for name in names {
            let known = self.client.iter().any(|case| case.name == *name)
                || self.server.iter().any(|case| case.name == *name);
            if !known {
                let kind = if self.client.is_empty() {
                    "server case"
                } else {
                    "case"
                };
                return Err(format!("there is no {kind} {name:?}").into());
            }
        }
        self.client.retain(|case| names.contains(&case.name));
        self.server.retain(|case| names.contains(&case.name));
        Ok(self)
    }

    /// Leaves only the cases that a server can be judged by.
    fn of_servers(mut self) -> Result<Self, Error> {
        self.client.clear();
        if self.server.is_empty() {
            return Err("there is no server case".into());
        }
        Ok(self)
    }

    /// The names under which verdicts are given.
    fn names(&self) -> BTreeSet<String> {
        let client = self.client.iter().flat_map(|case| {
            let subjects = case.clients.iter();
            subjects.map(|subject| case.verdict_name(*subject))
        });
        client
            .chain(self.server.iter().map(|case| case.name.clone()))
            .collect()
    }
}

/// Runs the mode that was asked for.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool, Error> {
    let contract = Contract::read()?;
    let cases = Cases::read(arguments)?;
    let rows = Rows::read()?.with_companions(contract.document())?;
    let coverage = Coverage::new(&rows, &cases.client, &cases.server)?;
    if arguments.mode.coverage {
        return Ok(print_coverage(&coverage));
    }
    if arguments.mode.faults {
        let faults = faults::run(&contract, &cases.client, &cases.server, Extent::Suite).await?;
        println!("{faults}");
        return Ok(faults.all_caught());
    }
    let names = cases.names();
    let cases = match arguments.mode.endpoint {
        Some(_) => cases.of_servers()?,
        None => cases,
    };
    let cases = cases.only(&arguments.case)?;
    let (subject, mut judged) = if let Some(address) = arguments.mode.listen {
        (
            format!("requests to {address}"),
            listen(arguments, contract, address).await?,
        )
    } else if let Some(endpoint) = &arguments.mode.endpoint {
        let judged = endpoint_cases(arguments, &contract, endpoint, &cases.server).await?;
        (format!("service at {endpoint}"), judged)
    } else {
        (
            "this project's clients and gateway".to_owned(),
            own(&contract, &cases).await?,
        )
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

fn known_deviations(
    arguments: &Arguments,
    names: &BTreeSet<String>,
) -> Result<KnownDeviations, Error> {
    let names = names.iter().map(String::as_str).collect();
    Ok(match &arguments.known_deviations {
        None => KnownDeviations::embedded(&names)?,
        Some(file) => {
            let text =
                fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            KnownDeviations::parse(&file.display().to_string(), &text, &names)?
        }
    })
}

fn finish(arguments: &Arguments, report: &Report) -> Result<bool, Error> {
    println!("{report}");
    if let Some(file) = &arguments.json {
        write(file, &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    if let Some(file) = &arguments.junit {
        write(file, &report.junit()?)?;
    }
    Ok(report.passed())
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    Ok(fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?)
}

/// The contract's own examples, this project's clients, and its gateway in memory.
async fn own(contract: &Contract, cases: &Cases) -> Result<Vec<Judged>, Error> {
    let begin = Instant::now();
    let examples = Judged {
        suite: "contract",
        name: "contract-examples".to_owned(),
        title: "the contract's examples hold by its own schemas".to_owned(),
        proves: vec!["Example request".to_owned(), "Example response".to_owned()],
        verdict: Verdict::of(contract.example_faults()),
        elapsed: begin.elapsed(),
    };
    let mut judged = vec![examples];
    judged.extend(client::run_all(contract, &cases.client, None).await);
    let (gateway, target) = faults::memory_gateway().await?;
    let server = Server::connect(
        contract,
        gateway.endpoint(),
        &target,
        gateway.credentials(),
        true,
    )
    .await?;
    judged.extend(server.run_all(&cases.server).await);
    Ok(judged)
}

async fn endpoint_cases(
    arguments: &Arguments,
    contract: &Contract,
    endpoint: &str,
    cases: &[server::Case],
) -> Result<Vec<Judged>, Error> {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let target = Target {
        project_id: given(&arguments.project_id),
        instance_id: given(&arguments.instance_id),
        topic: given(&arguments.topic),
    };
    let server = Server::connect(
        contract,
        endpoint,
        &target,
        credentials()?,
        arguments.destructive,
    )
    .await?;
    Ok(server.run_all(cases).await)
}

fn credentials() -> Result<Credentials, Error> {
    Ok(EnvironmentProvider::from_process().credentials()?)
}

async fn listen(
    arguments: &Arguments,
    contract: Contract,
    address: SocketAddr,
) -> Result<Vec<Judged>, Error> {
    let answers = match &arguments.answers {
        Some(file) => listen::read_answers(file)?,
        None => Vec::new(),
    };
    let credentials = credentials()?;
    let mut recorder =
        Recorder::start(address, Arc::new(contract), credentials.clone(), answers).await?;
    eprintln!("listening on http://{}", recorder.address());
    let mut judged: Vec<Judged> = Vec::new();
    let mut stopped = Box::pin(until_stopped());
    while arguments
        .requests
        .is_none_or(|wanted| judged.len() < wanted)
    {
        let heard = tokio::select! {
            heard = recorder.next() => heard,
            () = &mut stopped => None,
        };
        let Some(heard) = heard else { break };
        let one = judged_request(judged.len() + 1, heard, &credentials);
        eprintln!("{} {}", one.verdict.word(), one.title);
        judged.push(one);
    }
    if judged.is_empty() {
        return Err("no request came, so there is nothing to judge".into());
    }
    // The last answer is on its way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(judged)
}

fn judged_request(number: usize, heard: Heard, credentials: &Credentials) -> Judged {
    let shown = |text: &str| shown(text, credentials);
    Judged {
        suite: "listen",
        name: format!("request-{number}"),
        title: heard.request.map_or_else(
            || "unreadable".to_owned(),
            |request| shown(&format!("{} {}", request.method, request.path)),
        ),
        proves: Vec::new(),
        verdict: Verdict::of(heard.faults.iter().map(|one| shown(one)).collect()),
        elapsed: Duration::ZERO,
    }
}

/// Waits for Ctrl-C, or SIGTERM where there is one.
async fn until_stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
