//! The command line.
#![allow(clippy::doc_markdown, reason = "the texts are what --help prints")]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser};

/// Conformance kit for Deleting Kafka Messages.
///
/// Without a mode it judges the contract, this project's clients, and its gateway in memory.
#[derive(Debug, Parser)]
#[command(name = "dms-kafka-conformance", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) mode: Mode,

    /// Project that the instance belongs to.
    #[arg(long, requires = "endpoint", value_name = "ID")]
    pub(crate) project_id: Option<String>,

    /// Instance that holds the topic.
    #[arg(long, requires = "endpoint", value_name = "ID")]
    pub(crate) instance_id: Option<String>,

    /// Topic that the requests are about.
    #[arg(long, requires = "endpoint", value_name = "NAME")]
    pub(crate) topic: Option<String>,

    /// Also try what deletes records, or might: everything in the topic may be gone afterwards.
    #[arg(long, requires = "endpoint")]
    pub(crate) destructive: bool,

    /// Whose known deviations are no failures.
    #[arg(long, value_name = "NAME")]
    pub(crate) implementation: Option<String>,

    /// Known deviations to use in place of those that the program knows.
    #[arg(long, requires = "implementation", value_name = "FILE")]
    pub(crate) known_deviations: Option<PathBuf>,

    /// Folder of cases to use in place of those that the program knows.
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,

    /// Only cases of this name; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Vec<String>,

    /// Stop listening after so many requests.
    #[arg(long, requires = "listen", value_name = "N")]
    pub(crate) requests: Option<usize>,

    /// Answers to give while listening, as in client cases.
    #[arg(long, requires = "listen", value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,

    /// What the report calls the subject.
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,

    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Write the verdicts as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Mode {
    /// Print which cases prove which row of the vendor's page; fail when a row has none.
    #[arg(long)]
    pub(crate) coverage: bool,

    /// Judge the service at this URL. The key comes from HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK. Without
    /// --destructive nothing is sent that could delete a record.
    #[arg(long, value_name = "URL", requires_all = ["project_id", "instance_id", "topic"])]
    pub(crate) endpoint: Option<String>,

    /// Judge each request that a client sends to this address. The key to expect comes from HUAWEICLOUD_SDK_AK and
    /// HUAWEICLOUD_SDK_SK.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Run the suites behind a proxy that injects faults, and print the cases that catch them.
    #[arg(long)]
    pub(crate) faults: bool,
}
