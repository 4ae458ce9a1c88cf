//! What the command line takes.

mod delete;
mod purge;
mod serve;
mod service;
mod sign;

use clap::{Parser, Subcommand};

pub(crate) use delete::Delete;
pub(crate) use purge::{Purge, PurgeFormat};
pub(crate) use serve::Serve;
pub(crate) use service::Service;
pub(crate) use sign::Sign;

const EXIT_CODES: &str = "\
Exit codes:
  0    every partition was deleted
  1    some partitions failed
  2    bad usage or input, missing credentials, no confirmation: nothing was sent
  3    the request failed and nothing was deleted
  4    it is not known what was deleted
  130  interrupted";

const DELETE_EXAMPLES: &str = "\
Examples:
  Try it on a gateway in this process, with a topic made for the run:
    dms-kafka delete --embedded --topic orders --partition 0:400 --yes

  Delete partition 0 below offset 400 and all of partition 2, after a question:
    dms-kafka delete --region ap-southeast-1 --instance-id I --topic orders \\
        --partition 0:400 --everything 2";

const PURGE_EXAMPLES: &str = "\
The whole file is checked before anything is sent. Interrupt once to stop sending and wait for what is under way.

Examples:
  Delete what a file names, and be able to go on after whatever happens:
    dms-kafka purge --region ap-southeast-1 --instance-id I --offsets-file offsets.json \\
        --journal offsets.journal --failures-file left.json

  From a script, with a line of JSON for each row:
    generate-rows | dms-kafka purge --offsets-file - --yes --output ndjson | jq -c 'select(.status != \"deleted\")'";

const SERVE_EXAMPLES: &str = "\
One line of JSON on standard output says when the gateway is ready and where it listens, and for topics in memory how to
sign for it. A flag goes before a variable, a variable before the file.

Environment, for topics in memory:
  DMS_KAFKA_SERVE_ACCESS_KEY, DMS_KAFKA_SERVE_SECRET_KEY
          The key that requests must be signed with. Made up for the run when absent, and shown in the ready
          line if only this machine can connect.

Examples:
  Topics in memory, for tests:
    dms-kafka serve --listen 127.0.0.1:0 --topic orders:3:1000

  What a file describes, after checking it:
    dms-kafka serve --config gateway.toml --check-config && dms-kafka serve --config gateway.toml";

const SIGN_EXAMPLES: &str = "\
The way out of an APIGW.0301: compare each stage with what the service says it computed. Neither the secret key nor a
token is ever shown. Ends with 1 when --compare finds a wrong signature.

Examples:
  Explain the signature of a deletion that was sent at a given moment:
    dms-kafka sign --date 20260102T030405Z --header 'Content-Type: application/json' --data @body.json \\
        https://dms.ap-southeast-1.myhuaweicloud.com/v2/P/kafka/instances/I/topics/orders/messages/delete

  Find out whether another program signs rightly:
    dms-kafka sign --date 20260102T030405Z --compare \"$AUTHORIZATION\" https://host.example.com/v1/vpcs?limit=2";

/// Delete Kafka messages on Huawei Cloud DMS for Kafka, or on anything that serves its API.
#[derive(Debug, Parser)]
#[command(name = "dms-kafka", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Say more on standard error; twice for each attempt
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Delete the oldest records of a topic's partitions
    #[command(after_help = DELETE_EXAMPLES, after_long_help = format!("{DELETE_EXAMPLES}\n\n{EXIT_CODES}"))]
    Delete(Box<Delete>),
    /// Delete Kafka messages by the thousand, from a file of partitions and offsets
    #[command(after_help = PURGE_EXAMPLES, after_long_help = format!("{PURGE_EXAMPLES}\n\n{EXIT_CODES}"))]
    Purge(Box<Purge>),
    /// Serve the API, with topics in memory or as a file says, until interrupted
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Explain the signature of a request, stage by stage; nothing is sent
    #[command(after_help = SIGN_EXAMPLES)]
    Sign(Sign),
}
