//! The command line.
#![allow(clippy::doc_markdown, reason = "the texts are what --help prints")]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser};

/// Conformance kit for Deleting Kafka Messages.
///
/// Without a mode it judges the contract's examples, this project's clients, and its gateway with topics in memory.
#[derive(Debug, Parser)]
#[command(name = "dms-kafka-conformance", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) mode: Mode,

    /// Project of the instance.
    #[arg(long, requires = "endpoint", value_name = "ID")]
    pub(crate) project_id: Option<String>,

    /// Instance of the topic.
    #[arg(long, requires = "endpoint", value_name = "ID")]
    pub(crate) instance_id: Option<String>,

    /// Topic of the requests.
    #[arg(long, requires = "endpoint", value_name = "NAME")]
    pub(crate) topic: Option<String>,

    /// Also run the cases that delete records, or might. They may delete everything in the topic.
    #[arg(long, requires = "endpoint")]
    pub(crate) destructive: bool,

    /// Seed of the random requests of the case `model`; by default another one in every run.
    #[arg(long, requires = "destructive", value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Also run the cases of what only this project's gateway promises.
    #[arg(long, requires = "endpoint")]
    pub(crate) extensions: bool,

    /// Run only two cases of each rule and operation: a request that complies with the rule, and one that violates it.
    #[arg(long, requires = "endpoint")]
    pub(crate) quick: bool,

    /// Wait this long for a service that stopped responding, such as one that is restarted; by default the run ends.
    #[arg(
        long,
        requires = "endpoint",
        default_value_t = 0,
        value_name = "SECONDS"
    )]
    pub(crate) wait: u64,

    /// Implementation whose known deviations are not failures.
    #[arg(long, value_name = "NAME")]
    pub(crate) implementation: Option<String>,

    /// File of known deviations, in place of the built-in ones.
    #[arg(long, requires = "implementation", value_name = "FILE")]
    pub(crate) known_deviations: Option<PathBuf>,

    /// Folder of cases, in place of the built-in ones.
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,

    /// Run only the case of this name; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Vec<String>,

    /// Stop listening after this number of requests.
    #[arg(long, requires = "listen", value_name = "N")]
    pub(crate) requests: Option<usize>,

    /// File of responses to send while listening, as in client cases.
    #[arg(long, requires = "listen", value_name = "FILE")]
    pub(crate) responses: Option<PathBuf>,

    /// Name of the subject in the report.
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,

    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Write the verdicts as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the requests and responses of failed cases as an HTTP Archive (HAR), without credentials.
    #[arg(long, value_name = "FILE")]
    pub(crate) har: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Mode {
    /// Print which cases prove which row of the vendor's page; fail when a row has none.
    #[arg(long)]
    pub(crate) coverage: bool,

    /// Judge the service at this URL, with the key in HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK. Without
    /// --destructive nothing is sent that could delete a record.
    #[arg(long, value_name = "URL", requires_all = ["project_id", "instance_id", "topic"])]
    pub(crate) endpoint: Option<String>,

    /// Judge each request that a client sends to this address. It must be signed with the key in HUAWEICLOUD_SDK_AK
    /// and HUAWEICLOUD_SDK_SK.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Run the suites behind a proxy that injects faults, and print which cases detect them.
    #[arg(long)]
    pub(crate) faults: bool,
}
