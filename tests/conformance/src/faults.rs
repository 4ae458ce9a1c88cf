//! Injected faults: checks that each makes its case fail.

use std::collections::BTreeSet;
use std::fmt;
use std::slice;

use anyhow::{Context as _, Result, bail, ensure};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use dms_kafka_gateway::Gateway;
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use crate::cases::Cases;
use crate::client;
use crate::contract::Contract;
use crate::proxy::{Behaviour, Proxy};
use crate::report::{Judged, Verdict};
use crate::server::{Server, ServerCase};
use crate::suite::Suite;
use crate::values::{Target, Values};

/// How many faults are tried at a time.
const AT_A_TIME: usize = 4;

/// The file at build time.
const TABLE: &str = include_str!("../faults.toml");

/// The topic of the gateway in memory that server cases are about.
pub const TOPIC: &str = "conformance";
const PARTITIONS: u32 = 3;

/// A gateway in memory with the topic that server cases are about, and two consumer groups.
///
/// # Errors
/// When it cannot be started.
pub async fn memory_gateway() -> Result<(Gateway, Target), dms_kafka_gateway::Error> {
    let gateway = Gateway::memory()
        .topic(TOPIC, PARTITIONS, 1000)
        .topic("other", 1, 10)
        .group("audit", TOPIC, [(0, 250), (2, 1000)])
        .group("billing", TOPIC, [(0, 500), (1, 0)])
        .start()
        .await?;
    let target = Target::new(gateway.project_id(), gateway.instance_id(), TOPIC);
    Ok((gateway, target))
}

/// A row of `faults.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The suite that must detect it.
    pub side: Suite,
    /// Its name.
    pub name: String,
    what: String,
    /// The client case that must fail because of it, or the rule one of whose cases must.
    pub caught_by: String,
    proxy: Behaviour,
}

/// All injected faults.
///
/// # Errors
/// When `faults.toml` is not valid.
pub fn faults() -> Result<Vec<Fault>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        fault: Vec<Fault>,
    }
    Ok(toml::from_str::<File>(TABLE)?.fault)
}

/// A fault, and what happened with it.
#[derive(Clone, Debug)]
struct Trial {
    fault: Fault,
    /// The first of its cases that failed.
    detected_by: Option<String>,
    /// How many records the server suite deleted without `--destructive`.
    lost: Option<i64>,
}

/// The result for each fault.
#[derive(Clone, Debug)]
pub struct Faults(Vec<Trial>);

impl Faults {
    /// Whether each fault makes one of its cases fail, and none deletes a record without `--destructive`.
    pub fn all_caught(&self) -> bool {
        self.0
            .iter()
            .all(|one| one.detected_by.is_some() && one.lost.is_none_or(|lost| lost == 0))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header([
                "side",
                "fault",
                "what is wrong",
                "rule or case",
                "detected by",
                "records lost in read-only mode",
            ]);
        for one in &self.0 {
            let Fault {
                side,
                name,
                what,
                caught_by,
                ..
            } = &one.fault;
            let case = one.detected_by.as_deref().unwrap_or("NOT CAUGHT");
            let lost = one
                .lost
                .map_or_else(|| "-".to_owned(), |lost| lost.to_string());
            table.add_row([side.name(), name, what, caught_by, case, &lost]);
        }
        let caught = self.0.iter().filter(|one| one.detected_by.is_some());
        write!(
            f,
            "{table}\n{} of {} faults caught",
            caught.count(),
            self.0.len()
        )
    }
}

/// Runs all cases behind a proxy without a fault, where each must pass, then the cases of each fault with it.
///
/// # Errors
/// When a case fails without a fault, or a proxy does.
pub async fn run(contract: &Contract, cases: &Cases) -> Result<Faults> {
    let sound = Behaviour::default();
    let (mut failing, _) = server_suite(contract, &[], &cases.server, &sound).await?;
    failing.extend(client_suite(contract, cases, &sound).await?);
    let failing = Vec::from_iter(failing);
    ensure!(
        failing.is_empty(),
        "without a fault these cases fail: {}",
        failing.join(", ")
    );
    let trials = faults()?
        .into_iter()
        .map(|fault| run_one(contract, cases, fault));
    let trials = stream::iter(trials).buffered(AT_A_TIME).try_collect();
    Ok(Faults(trials.await?))
}

/// Runs the cases of a fault with it.
async fn run_one(contract: &Contract, all: &Cases, fault: Fault) -> Result<Trial> {
    let mut cases = all.clone();
    cases.retain(slice::from_ref(&fault.caught_by));
    let run = async {
        match fault.side {
            Suite::Client => Ok((client_suite(contract, &cases, &fault.proxy).await?, None)),
            Suite::Server => {
                // One request of each rule that could delete: all would take hours.
                let others = all.server.iter();
                let others = others.filter(|case| case.quick && !case.only_reads());
                let harmless: Vec<_> = cases.server.iter().chain(others).cloned().collect();
                server_suite(contract, &harmless, &cases.server, &fault.proxy).await
            }
        }
    };
    let (failing, lost) = run.await.with_context(|| format!("fault {}", fault.name))?;
    Ok(Trial {
        detected_by: failing.into_iter().next(),
        fault,
        lost,
    })
}

async fn client_suite(
    contract: &Contract,
    cases: &Cases,
    behaviour: &Behaviour,
) -> Result<BTreeSet<String>> {
    failing(&client::run_all(contract, &cases.client, Some(behaviour)).await)
}

/// Runs cases without `--destructive` first, which must delete no record whatever the fault, then others with it.
async fn server_suite(
    contract: &Contract,
    harmless: &[ServerCase],
    cases: &[ServerCase],
    behaviour: &Behaviour,
) -> Result<(BTreeSet<String>, Option<i64>)> {
    let (gateway, target) = memory_gateway().await?;
    let values = Values::new(&target, "");
    let proxy = Proxy::start(
        gateway.endpoint(),
        gateway.credentials(),
        &values,
        behaviour,
    )
    .await?;
    let endpoint = proxy.endpoint();
    let connect = |destructive| {
        let credentials = gateway.credentials();
        let server = Server::connect(contract, &endpoint, &target, credentials, destructive);
        server.map_ok(|server| server.with_extensions(true))
    };
    connect(false).await?.run_all(harmless).await;
    let partitions = 0..i32::try_from(PARTITIONS)?;
    let partitions = partitions.filter_map(|one| gateway.partition(TOPIC, one));
    // The gateway is new, so each log started at 0.
    let lost = partitions.map(|one| one.log_start_offset).sum();
    let failing = failing(&connect(true).await?.run_all(cases).await)?;
    match proxy.errors().pop() {
        None => Ok((failing, Some(lost))),
        Some(error) => bail!(error),
    }
}

/// The names of the cases that failed.
fn failing(judged: &[Judged]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for one in judged.iter().filter(|one| one.is_failure()) {
        // A case that was not run, such as when the proxy itself failed, has detected nothing.
        ensure!(
            !matches!(one.verdict, Verdict::Fail { was_run: false, .. }),
            "{}: {}",
            one.name,
            one.verdict.remarks().join("; ")
        );
        // The verdict of a client case has the client after the name.
        names.extend(one.name.split(' ').next().map(str::to_owned));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_case_that_was_not_run_detects_no_fault() {
        let judged = |verdict| Judged {
            suite: "client",
            name: "token (raw)".to_owned(),
            title: String::new(),
            proves: Vec::new(),
            verdict,
            elapsed: Duration::ZERO,
            exchanges: Vec::new(),
        };
        let error = anyhow::anyhow!("refused").context("the proxy cannot forward");
        let faults = vec!["the proxy cannot forward".to_owned()];
        let names = failing(&[judged(Verdict::failure(faults))]).unwrap();
        assert_eq!(Vec::from_iter(names), ["token"]);
        let error = failing(&[judged(Verdict::not_run(&error))]).unwrap_err();
        let text = "token (raw): the case cannot be run: the proxy cannot forward: refused";
        assert_eq!(error.to_string(), text);
    }
}
