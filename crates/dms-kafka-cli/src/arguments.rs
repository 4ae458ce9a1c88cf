//! The command line: subcommands and global flags.

use clap::{Parser, Subcommand};

use crate::commands::{
    Completions, Delete, Man, PlanCommand, Purge, Regions, Serve, Sign, Topic, Topics,
};
use crate::help::{
    COMPLETIONS_EXAMPLES, DELETE_EXAMPLES, ENVIRONMENT, FIRST_STEPS, MAN_EXAMPLES, PLAN_EXAMPLES,
    PURGE_EXAMPLES, SERVE_EXAMPLES, SIGN_EXAMPLES, exit_codes,
};
use crate::settings::Resolved;

/// Delete Kafka messages through the API of Huawei Cloud DMS for Kafka.
#[derive(Debug, Parser)]
#[command(
    name = "dms-kafka",
    version,
    arg_required_else_help = true,
    after_help = FIRST_STEPS
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Log more to standard error: once for the sources of settings and credentials, twice for each attempt
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List topics with their partitions, records and consumer groups
    #[command(after_long_help = ENVIRONMENT)]
    Topics(Box<Topics>),
    /// Show the partitions of a topic, and which records its consumer groups have not read
    #[command(after_long_help = ENVIRONMENT)]
    Topic(Box<Topic>),
    /// Delete records from partitions of one topic
    #[command(
        after_help = DELETE_EXAMPLES,
        after_long_help = format!("{DELETE_EXAMPLES}\n\n{ENVIRONMENT}\n\n{}", exit_codes())
    )]
    Delete(Box<Delete>),
    /// Show what selectors would delete, and store it for 'delete --plan' or 'purge'
    #[command(
        after_help = PLAN_EXAMPLES,
        after_long_help = format!("{PLAN_EXAMPLES}\n\n{ENVIRONMENT}\n\n{}", exit_codes())
    )]
    Plan(Box<PlanCommand>),
    /// Delete records from many partitions, listed in a file
    #[command(
        after_help = PURGE_EXAMPLES,
        after_long_help = format!("{PURGE_EXAMPLES}\n\n{ENVIRONMENT}\n\n{}", exit_codes())
    )]
    Purge(Box<Purge>),
    /// Serve the API, with topics in memory or as described in a configuration file
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Resolved<Serve>),
    /// Show each stage of signing a request, without sending it
    #[command(
        after_help = SIGN_EXAMPLES,
        after_long_help = format!("{SIGN_EXAMPLES}\n\n{ENVIRONMENT}")
    )]
    Sign(Sign),
    /// List the known regions and their endpoints
    Regions(Regions),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Print a man page
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
}

impl Command {
    /// Whether results, and therefore errors too, are printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Delete(delete) => delete.output.is_json(),
            Self::Topics(topics) => topics.output.is_json(),
            Self::Topic(topic) => topic.output.is_json(),
            Self::Plan(plan) => plan.output.is_json(),
            Self::Purge(purge) => purge.output.is_json(),
            Self::Sign(sign) => sign.output.is_json(),
            Self::Regions(regions) => regions.output.is_json(),
            Self::Serve(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}
