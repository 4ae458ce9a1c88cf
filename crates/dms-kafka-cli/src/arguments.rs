//! What the command line takes.

use clap::{Parser, Subcommand};

use crate::commands::{Completions, Delete, Man, Purge, Regions, Serve, Sign};
use crate::help::{
    COMPLETIONS_EXAMPLES, DELETE_EXAMPLES, ENVIRONMENT, EXIT_CODES, FIRST_STEPS, MAN_EXAMPLES,
    PURGE_EXAMPLES, SERVE_EXAMPLES, SIGN_EXAMPLES,
};
use crate::settings::Resolved;

/// Delete Kafka messages on Huawei Cloud DMS for Kafka, or on anything that serves its API.
#[derive(Debug, Parser)]
#[command(
    name = "dms-kafka",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true, after_help = FIRST_STEPS
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Say more on standard error, such as where endpoint, project and credentials come from; twice for each attempt
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Delete the oldest records of a topic's partitions
    #[command(
        after_help = DELETE_EXAMPLES,
        after_long_help = format!("{DELETE_EXAMPLES}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Delete(Box<Delete>),
    /// Delete Kafka messages by the thousand, from a file of partitions and offsets
    #[command(
        after_help = PURGE_EXAMPLES,
        after_long_help = format!("{PURGE_EXAMPLES}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Purge(Box<Purge>),
    /// Serve the API, with topics in memory or as a file says, until interrupted
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Resolved<Serve>),
    /// Explain the signature of a request, stage by stage; nothing is sent
    #[command(
        after_help = SIGN_EXAMPLES,
        after_long_help = format!("{SIGN_EXAMPLES}\n\n{ENVIRONMENT}")
    )]
    Sign(Sign),
    /// List the known regions with the endpoint of each
    Regions(Regions),
    /// Print a script that lets a shell complete words of this command
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Print a man page
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
}

impl Command {
    /// Whether the results are for a program, which then gets its errors in JSON too.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Delete(delete) => delete.output.is_json(),
            Self::Purge(purge) => purge.output.is_json(),
            Self::Sign(sign) => sign.output.is_json(),
            Self::Regions(regions) => regions.output.is_json(),
            Self::Serve(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}
