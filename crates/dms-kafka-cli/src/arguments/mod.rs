//! What the command line takes.

mod sign;

use std::net::SocketAddr;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::output::Format;
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
    dms-kafka delete --endpoint https://dms.ap-southeast-1.myhuaweicloud.com --project-id P \\
        --instance-id I --topic orders --partition 0:400 --everything 2";

const SERVE_KEYS: &str = "\
One line of JSON on standard output says when the gateway is ready, where it listens and how to sign for it.

Environment:
  DMS_KAFKA_SERVE_ACCESS_KEY, DMS_KAFKA_SERVE_SECRET_KEY
          The key that requests must be signed with. Made up for the run when absent, and shown in the ready
          line if only this machine can connect.

Example:
  dms-kafka serve --listen 127.0.0.1:0 --topic orders:3:1000";

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
    /// Serve the API with topics in memory, until interrupted
    #[command(after_help = SERVE_KEYS)]
    Serve(Serve),
    /// Explain the signature of a request, stage by stage; nothing is sent
    #[command(after_help = SIGN_EXAMPLES)]
    Sign(Sign),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["partition", "everything"]))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Delete {
    /// URL of the service
    #[arg(
        long,
        help = "URL of the service [env: DMS_KAFKA_ENDPOINT]",
        value_name = "URL",
        help_heading = "Where"
    )]
    pub(crate) endpoint: Option<String>,

    /// Use a gateway in this process, whose topic has 1,000 records in each partition
    #[arg(
        long,
        help_heading = "Where",
        conflicts_with_all = ["endpoint", "project_id", "instance_id", "allow_plaintext_http"]
    )]
    pub(crate) embedded: bool,

    /// Project that the instance belongs to
    #[arg(
        long,
        help = "Project that the instance belongs to [env: HUAWEICLOUD_SDK_PROJECT_ID]",
        value_name = "ID",
        help_heading = "Where"
    )]
    pub(crate) project_id: Option<String>,

    /// Kafka instance
    #[arg(
        long,
        help = "Kafka instance [env: DMS_KAFKA_INSTANCE_ID]",
        value_name = "ID",
        help_heading = "Where"
    )]
    pub(crate) instance_id: Option<String>,

    /// Allow http:// to hosts other than this machine
    #[arg(long, help_heading = "Where")]
    pub(crate) allow_plaintext_http: bool,

    /// Topic to delete from
    #[arg(long, value_name = "NAME", help_heading = "What")]
    pub(crate) topic: String,

    /// Delete partition P's records below OFFSET; repeatable
    #[arg(long, value_name = "P:OFFSET", allow_hyphen_values = true, value_parser = partition_offset, help_heading = "What")]
    pub(crate) partition: Vec<(i32, i64)>,

    /// Delete all records of partition P; repeatable
    #[arg(long, value_name = "P", allow_hyphen_values = true, value_parser = partition_number, help_heading = "What")]
    pub(crate) everything: Vec<i32>,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// Show what would be sent and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// Topic with its number of partitions and the records in each; repeatable
    #[arg(long, value_name = "NAME:PARTITIONS:RECORDS", value_parser = topic_seed, required = true)]
    pub(crate) topic: Vec<TopicSeed>,

    /// Project to serve; made up when absent
    #[arg(long, value_name = "ID")]
    pub(crate) project_id: Option<String>,

    /// Instance to serve; made up when absent
    #[arg(long, value_name = "ID")]
    pub(crate) instance_id: Option<String>,

    /// Give `error_code` as a number, as the vendor's example does
    #[arg(long)]
    pub(crate) integer_error_codes: bool,
}

/// A topic to serve.
#[derive(Clone, Debug)]
pub(crate) struct TopicSeed {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) records: u64,
}

fn partition_offset(text: &str) -> Result<(i32, i64), String> {
    let Some((partition, offset)) = text.split_once(':') else {
        return Err("write it as P:OFFSET, such as 0:400".to_owned());
    };
    let offset: i64 = offset
        .parse()
        .map_err(|_| format!("offset {offset:?} is not a number from 0 to 9223372036854775807"))?;
    if offset < 0 {
        return Err(
            "an offset counts from 0; to delete all records of a partition use --everything P"
                .to_owned(),
        );
    }
    Ok((partition_number(partition)?, offset))
}

fn partition_number(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(partition) if partition >= 0 => Ok(partition),
        _ => Err(format!(
            "partition {text:?} is not a number from 0 to 2147483647"
        )),
    }
}

fn topic_seed(text: &str) -> Result<TopicSeed, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, partitions, records] = parts[..] else {
        return Err("write it as NAME:PARTITIONS:RECORDS, such as orders:3:1000".to_owned());
    };
    let partitions = partitions
        .parse()
        .map_err(|_| format!("{partitions:?} is not a number of partitions"))?;
    let records = records
        .parse()
        .map_err(|_| format!("{records:?} is not a number of records"))?;
    Ok(TopicSeed {
        name: name.to_owned(),
        partitions,
        records,
    })
}
