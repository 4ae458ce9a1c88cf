//! Seeded faults: does each of them make a case fail?
//!
//! A fault is a patch of this project's own gateway or client, under `faults/`. All of them are compiled into one
//! program, where the environment variable `DMS_KAFKA_FAULT` switches one on; ordinary builds have none of it. That
//! program is what the suites of this one judge.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Stdio;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use huaweicloud_auth::Credentials;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::client::{self, Runner};
use crate::contract::Contract;
use crate::server::{self, Server, Target};
use crate::verdict::Judged;

/// How many faults are tried at a time.
const AT_A_TIME: usize = 3;

/// The name of the switch.
const SWITCH: &str = "DMS_KAFKA_FAULT";

/// Every patch as it was when the program was built: `client/NAME` or `server/NAME`, and its text.
const PATCHES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/faults.rs"));

type Error = Box<dyn std::error::Error>;

/// A seeded fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `client` or `server`.
    pub side: &'static str,
    /// The name of the patch, and the value of the switch.
    pub name: &'static str,
    /// What is wrong, in a line: the first line of the patch.
    pub what: &'static str,
    /// The case that must fail because of it: the second line of the patch, behind `Caught by: `.
    pub caught_by: &'static str,
}

/// All faults there are.
///
/// # Errors
/// When a patch does not begin with its two lines.
pub fn all() -> Result<Vec<Fault>, Error> {
    PATCHES
        .iter()
        .map(|(file, text)| fault(file, text))
        .collect()
}

fn fault(file: &'static str, text: &'static str) -> Result<Fault, Error> {
    let mut lines = text.lines();
    let fault = file.split_once('/').zip(lines.next()).zip(lines.next());
    let ((side, name), what, second) = fault
        .map(|((a, b), c)| (a, b, c))
        .ok_or_else(|| format!("{file} is empty"))?;
    let caught_by = second.strip_prefix("Caught by: ");
    let caught_by =
        caught_by.ok_or_else(|| format!("{file}: the second line is not `Caught by: CASE`"))?;
    Ok(Fault {
        side,
        name,
        what,
        caught_by,
    })
}

/// A fault and the cases that fail because of it.
#[derive(Clone, Debug)]
pub struct Caught {
    fault: Fault,
    failing: Vec<String>,
    /// How many records the server suite has cost without `--destructive`; `None` when that does not show.
    lost: Option<i64>,
}

impl Caught {
    fn is_caught(&self) -> bool {
        self.failing.iter().any(|case| case == self.fault.caught_by)
    }
}

/// What became of every fault.
#[derive(Clone, Debug)]
pub struct Faults(Vec<Caught>);

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
            let Caught {
                fault,
                failing,
                lost,
            } = one;
            let named = if one.is_caught() {
                fault.caught_by.to_owned()
            } else {
                format!("NOT CAUGHT by {}", fault.caught_by)
            };
            table.add_row([
                fault.side,
                fault.name,
                fault.what,
                &named,
                &failing.len().to_string(),
                &lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
            ]);
        }
        let caught = self.0.iter().filter(|one| one.is_caught()).count();
        write!(f, "{table}\n{caught} of {} faults caught", self.0.len())
    }
}

/// Runs the suites against the program, first without a fault, which must pass, then with each.
///
/// # Errors
/// When the program cannot be run, or fails without a fault.
pub async fn run(
    contract: &Contract,
    program: &Path,
    clients: &[(String, client::Case)],
    servers: &[(String, server::Case)],
) -> Result<Faults, Error> {
    let suites = Suites {
        contract,
        program,
        clients,
        servers,
    };
    for side in ["client", "server"] {
        let Tried { failing, .. } = suites.run(side, "").await?;
        if !failing.is_empty() {
            return Err(format!("without a fault these cases fail: {}", failing.join(", ")).into());
        }
    }
    let runs = all()?.into_iter().map(|fault| suites.try_to_catch(fault));
    let caught: Result<Vec<_>, Error> = stream::iter(runs).buffered(AT_A_TIME).try_collect().await;
    Ok(Faults(caught?))
}

struct Suites<'a> {
    contract: &'a Contract,
    program: &'a Path,
    clients: &'a [(String, client::Case)],
    servers: &'a [(String, server::Case)],
}

/// Which cases fail, and what the careful ones cost.
#[derive(Default)]
struct Tried {
    failing: Vec<String>,
    lost: Option<i64>,
}

impl Suites<'_> {
    async fn try_to_catch(&self, fault: Fault) -> Result<Caught, Error> {
        let Tried { failing, lost } = self.run(fault.side, fault.name).await?;
        Ok(Caught {
            fault,
            failing,
            lost,
        })
    }

    /// Runs the suite of a side with a fault switched on.
    async fn run(&self, side: &str, fault: &str) -> Result<Tried, Error> {
        if side == "client" {
            let failing = names_of_failures(self.client(fault).await);
            return Ok(Tried {
                failing,
                lost: None,
            });
        }
        match self.server(fault).await {
            Err(error) if !fault.is_empty() => {
                // It stopped before the named case could fail.
                let failing = vec![error.to_string()];
                Ok(Tried {
                    failing,
                    lost: None,
                })
            }
            tried => tried,
        }
    }

    async fn client(&self, fault: &str) -> Vec<Judged> {
        let environment = vec![(SWITCH.to_owned(), fault.to_owned())];
        let runner = Runner::Program {
            program: self.program.to_owned(),
            environment,
        };
        client::run_all(self.contract, self.clients, &runner).await
    }

    /// First without `--destructive`, which must cost no record whatever the fault, then with it.
    async fn server(&self, fault: &str) -> Result<Tried, Error> {
        let (gateway, mut process) = Ready::start(self.program, fault).await?;
        let careful = gateway.connect(self.contract, false).await?;
        careful.run_all(self.servers).await;
        // The gateway is new, so each log began at 0.
        let lost = careful
            .log_starts()
            .await?
            .map(|starts| starts.iter().sum());
        let server = gateway.connect(self.contract, true).await?;
        let failing = names_of_failures(server.run_all(self.servers).await);
        process.kill().await?;
        Ok(Tried { failing, lost })
    }
}

fn names_of_failures(judged: Vec<Judged>) -> Vec<String> {
    let failed = judged
        .into_iter()
        .filter(Judged::is_failure)
        .map(|one| one.name);
    // A client case is run for each client; its name is what counts.
    let names = failed.map(|name| name.split(' ').next().unwrap_or_default().to_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The topic of the gateway in memory that server cases are about.
pub const TOPIC: &str = "conformance";

/// The line with which a gateway says that it is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    endpoint: String,
    project_id: String,
    instance_id: String,
    access_key: String,
    secret_key: String,
}

impl Ready {
    async fn start(program: &Path, fault: &str) -> Result<(Self, Child), Error> {
        let mut process = Command::new(program)
            .arg("serve")
            .env(SWITCH, fault)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        Ok((serde_json::from_str(&line)?, process))
    }

    async fn connect<'a>(
        &self,
        contract: &'a Contract,
        destructive: bool,
    ) -> Result<Server<'a>, Error> {
        let credentials = Credentials::new(self.access_key.clone(), self.secret_key.clone())?;
        let target = Target {
            project_id: self.project_id.clone(),
            instance_id: self.instance_id.clone(),
            topic: TOPIC.to_owned(),
        };
        Server::connect(contract, &self.endpoint, &target, credentials, destructive).await
    }
}
