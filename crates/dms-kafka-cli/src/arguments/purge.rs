//! What `purge` takes.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::service::ServiceSettings;
use super::settings::Resolved;

#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// File of partitions and offsets, or - for standard input: JSON as kafka-delete-records.sh takes it, or one row
    /// such as {"topic":"orders","partition":0,"offset":400} on each line
    #[arg(long, value_name = "FILE", help_heading = "What")]
    pub(crate) offsets_file: PathBuf,

    /// Allow rows with the offset -1, which delete all records of a partition
    #[arg(long, help_heading = "Safety")]
    pub(crate) allow_everything: bool,

    /// Requests under way at once
    #[arg(long, value_name = "N", default_value = "4", help_heading = "Pace")]
    pub(crate) concurrency: NonZeroUsize,

    /// Partitions that one request names at most
    #[arg(long, value_name = "N", default_value = "10", help_heading = "Pace")]
    pub(crate) partitions_per_request: NonZeroUsize,

    /// Stop sending after so many rows have failed; never when absent
    #[arg(long, value_name = "N", help_heading = "Pace")]
    pub(crate) max_failures: Option<NonZeroU64>,

    /// Record each finished row in this file, and send no row again that it records
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "embedded",
        help_heading = "Records"
    )]
    pub(crate) journal: Option<PathBuf>,

    /// Write the rows that are left to this file at the end, in the form of the offsets file
    #[arg(long, value_name = "FILE", help_heading = "Records")]
    pub(crate) failures_file: Option<PathBuf>,

    /// Seconds between lines of progress where there is no terminal to draw a bar on
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        help_heading = "Output"
    )]
    pub(crate) progress_every: NonZeroU32,

    /// Do not ask
    #[arg(long, short, help_heading = "Safety")]
    pub(crate) yes: bool,

    /// Show what would be sent and send nothing
    #[arg(long, help_heading = "Safety")]
    pub(crate) dry_run: bool,

    /// How to print the result
    #[arg(long, value_enum, value_name = "FORM", default_value_t = PurgeFormat::Table, help_heading = "Output")]
    pub(crate) output: PurgeFormat,
}

/// How the results of a purge are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PurgeFormat {
    /// A summary, and a table of the first rows that failed
    Table,
    /// One JSON object: the summary, and the first 1,000 rows that failed
    Json,
    /// One JSON object for each row, as soon as it is finished
    Ndjson,
}

impl PurgeFormat {
    pub(crate) fn is_json(self) -> bool {
        self != Self::Table
    }
}
