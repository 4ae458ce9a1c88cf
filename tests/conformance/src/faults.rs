//! Injected faults: does each of them make its case fail?

use std::collections::BTreeSet;
use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use dms_kafka_gateway::Gateway;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use crate::client;
use crate::contract::Contract;
use crate::proxy::{Behaviour, Proxy};
use crate::report::Judged;
use crate::server::{self, Server, Target, Values};
use crate::source::{Case, Suite};

/// How many faults are tried at a time.
const AT_A_TIME: usize = 4;

/// The file as it was when the program was built.
const TABLE: &str = include_str!("../faults.toml");

/// The topic of the gateway in memory that server cases are about.
pub const TOPIC: &str = "conformance";
const PARTITIONS: u32 = 3;

type Error = Box<dyn std::error::Error>;

/// A gateway in memory with the topic that server cases are about.
///
/// # Errors
/// When it cannot be started.
pub async fn memory_gateway() -> Result<(Gateway, Target), dms_kafka_gateway::Error> {
    let gateway = Gateway::memory()
        .topic(TOPIC, PARTITIONS, 1000)
        .start()
        .await?;
    let target = Target {
        project_id: gateway.project_id().to_owned(),
        instance_id: gateway.instance_id().to_owned(),
        topic: TOPIC.to_owned(),
    };
    Ok((gateway, target))
}

/// A row of `faults.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The suite that must catch it.
    pub side: Suite,
    /// Its name.
    pub name: String,
    /// What is wrong, in a line.
    pub what: String,
    /// The case that must fail because of it.
    pub caught_by: String,
    /// How a proxy brings it about.
    pub proxy: Behaviour,
}

/// All faults there are.
///
/// # Errors
/// When `faults.toml` is not as documented.
pub fn all() -> Result<Vec<Fault>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        fault: Vec<Fault>,
    }
    Ok(toml::from_str::<File>(TABLE)?.fault)
}

/// A fault and the cases that fail because of it.
#[derive(Clone, Debug)]
struct Trial {
    fault: Fault,
    failing: BTreeSet<String>,
    /// How many records the server suite has cost without `--destructive`.
    lost: Option<i64>,
}

impl Trial {
    fn is_caught(&self) -> bool {
        self.failing.contains(&self.fault.caught_by)
    }
}

/// What became of every fault.
#[derive(Clone, Debug)]
pub struct Faults(Vec<Trial>);

impl Faults {
    /// Whether each fault makes the case fail that is named for it, and none costs a record without `--destructive`.
    pub fn all_caught(&self) -> bool {
        self.0
            .iter()
            .all(|one| one.is_caught() && one.lost.is_none_or(|lost| lost == 0))
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
                "named case",
                "cases failing",
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
            let named = if one.is_caught() {
                caught_by.clone()
            } else {
                format!("NOT CAUGHT by {caught_by}")
            };
            let failing = one.failing.len().to_string();
            let lost = one
                .lost
                .map_or_else(|| "-".to_owned(), |lost| lost.to_string());
            table.add_row([side.name(), name, what, &named, &failing, &lost]);
        }
        let caught = self.0.iter().filter(|one| one.is_caught()).count();
        write!(f, "{table}\n{caught} of {} faults caught", self.0.len())
    }
}

/// Which cases are run with each fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The one that is named for it.
    NamedCase,
    /// All of its side. For a server first without `--destructive`.
    Suite,
}

/// Runs all cases behind a proxy without a fault, when each must pass, then some with each fault.
///
/// # Errors
/// When a case fails without a fault, or a proxy does.
pub async fn run(
    contract: &Contract,
    clients: &[client::Case],
    servers: &[server::Case],
    extent: Extent,
) -> Result<Faults, Error> {
    let suites = Suites {
        contract,
        clients,
        servers,
        extent,
    };
    let sound = Behaviour::default();
    let mut failing = suites.server(&sound, None).await?.0;
    failing.extend(suites.client(&sound, None).await?);
    let failing = Vec::from_iter(failing);
    if !failing.is_empty() {
        return Err(format!("without a fault these cases fail: {}", failing.join(", ")).into());
    }
    let runs = all()?.into_iter().map(|fault| suites.run(fault));
    let tried: Result<Vec<_>, Error> = stream::iter(runs).buffered(AT_A_TIME).try_collect().await;
    Ok(Faults(tried?))
}

struct Suites<'a> {
    contract: &'a Contract,
    clients: &'a [client::Case],
    servers: &'a [server::Case],
    extent: Extent,
}

impl Suites<'_> {
    /// Runs the suite of a fault's side with it.
    async fn run(&self, fault: Fault) -> Result<Trial, Error> {
        let named = (self.extent == Extent::NamedCase).then_some(&*fault.caught_by);
        let result = match fault.side {
            Suite::Client => {
                let failing = self.client(&fault.proxy, named).await;
                failing.map(|failing| (failing, None))
            }
            Suite::Server => self.server(&fault.proxy, named).await,
        };
        let (failing, lost) = result.map_err(|error| format!("fault {}: {error}", fault.name))?;
        Ok(Trial {
            fault,
            failing,
            lost,
        })
    }

    async fn client(
        &self,
        behaviour: &Behaviour,
        named: Option<&str>,
    ) -> Result<BTreeSet<String>, Error> {
        let cases = only(self.clients, named);
        failing(&client::run_all(self.contract, cases, Some(behaviour)).await)
    }

    /// The whole suite first without `--destructive`, which must cost no record whatever the fault, then with it.
    async fn server(
        &self,
        behaviour: &Behaviour,
        named: Option<&str>,
    ) -> Result<(BTreeSet<String>, Option<i64>), Error> {
        let (gateway, target) = memory_gateway().await?;
        let values = Values::new(&target, "");
        let credentials = gateway.credentials();
        let proxy = Proxy::start(gateway.endpoint(), credentials, &values, behaviour).await?;
        let connect = |destructive| {
            let endpoint = proxy.endpoint();
            let (contract, credentials, target) = (self.contract, gateway.credentials(), &target);
            async move { Server::connect(contract, &endpoint, target, credentials, destructive).await }
        };
        let mut lost = None;
        if named.is_none() {
            connect(false).await?.run_all(self.servers).await;
            let partitions = 0..i32::try_from(PARTITIONS)?;
            let partitions = partitions.filter_map(|one| gateway.partition(TOPIC, one));
            // The gateway is new, so each log began at 0.
            lost = Some(partitions.map(|one| one.log_start_offset).sum());
        }
        let cases = only(self.servers, named);
        let failing = failing(&connect(true).await?.run_all(cases).await)?;
        if let Some(error) = proxy.errors().pop() {
            return Err(error.into());
        }
        Ok((failing, lost))
    }
}

/// The case of this name, or all.
fn only<'c, C: Case>(cases: &'c [C], named: Option<&str>) -> impl Iterator<Item = &'c C> {
    cases
        .iter()
        .filter(move |case| named.is_none_or(|named| named == case.name()))
}

/// The names of the cases that failed.
fn failing(judged: &[Judged]) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for one in judged.iter().filter(|one| one.is_failure()) {
        // A proxy that fails proves nothing.
        if let Some(error) = one
            .verdict
            .remarks()
            .iter()
            .find(|remark| remark.contains("the proxy cannot"))
        {
            return Err(format!("{}: {error}", one.name).into());
        }
        // A client case is run for each client; its name is what counts.
        names.extend(one.name.split(' ').next().map(str::to_owned));
    }
    Ok(names)
}
