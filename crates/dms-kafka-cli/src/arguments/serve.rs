//! What `serve` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgMatches, Args};

use super::settings::{Setting, Settings, is_typed};

const CONFIG: &str = "DMS_KAFKA_SERVE_CONFIG";
const LISTEN: &str = "DMS_KAFKA_SERVE_LISTEN";

#[derive(Debug, Args)]
pub(crate) struct ServeFlags {
    /// Serve what this TOML file describes
    #[arg(
        long,
        env = CONFIG,
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "From a file"
    )]
    config: Option<String>,

    /// Check the file, the variables and the files that it names, and serve nothing
    #[arg(long, help_heading = "From a file")]
    check_config: bool,

    /// Topic with its number of partitions and the records in each; repeatable
    #[arg(long, value_name = "NAME:PARTITIONS:RECORDS", value_parser = topic_seed, help_heading = "In memory")]
    topic: Vec<TopicSeed>,

    /// Project to serve; made up when absent
    #[arg(long, value_name = "ID", help_heading = "In memory")]
    project_id: Option<String>,

    /// Instance to serve; made up when absent
    #[arg(long, value_name = "ID", help_heading = "In memory")]
    instance_id: Option<String>,

    /// Address to listen on, port 0 for a free one; 127.0.0.1:0 when neither this nor a file tells
    #[arg(long, env = LISTEN, hide_env_values = true, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Give `error_code` as a number, as the vendor's example does
    #[arg(long)]
    integer_error_codes: bool,
}

/// What to serve, and where.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) gateway: GatewaySettings,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) integer_error_codes: bool,
}

#[derive(Debug)]
pub(crate) enum GatewaySettings {
    File {
        path: PathBuf,
        check_only: bool,
    },
    Memory {
        topics: Vec<TopicSeed>,
        project_id: Option<String>,
        instance_id: Option<String>,
    },
}

/// A topic to serve.
#[derive(Clone, Debug)]
pub(crate) struct TopicSeed {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) records: u64,
}

impl Settings for Serve {
    type Flags = ServeFlags;

    fn resolve(flags: ServeFlags, matches: &ArgMatches) -> Result<Self, String> {
        let listen = Setting::find(flags.listen, matches, "listen", LISTEN)?;
        let listen = listen.map(|Setting { value, source }| {
            value.parse().map_err(|_| {
                format!("{source} {value:?} is not an address: write it like 127.0.0.1:8080")
            })
        });
        let listen = listen.transpose()?;
        let in_memory = ["topic", "project_id", "instance_id"];
        let in_memory = in_memory.into_iter().find(|id| is_typed(matches, id));
        if let Some(id) = in_memory.filter(|_| is_typed(matches, "config")) {
            return Err(format!(
                "--config cannot be used with --{}",
                id.replace('_', "-")
            ));
        }
        // Topics on the command line are not overruled by a variable with a file.
        let config = Setting::find(flags.config, matches, "config", CONFIG)?
            .filter(|_| flags.topic.is_empty());
        let gateway = match config {
            Some(config) => GatewaySettings::File {
                path: config.value.into(),
                check_only: flags.check_config,
            },
            None if flags.check_config => {
                return Err(format!(
                    "there is no file to check: give --config, or set {CONFIG}"
                ));
            }
            None if flags.topic.is_empty() => {
                return Err(format!(
                    "there is nothing to serve: give --config or set {CONFIG}, or give --topic"
                ));
            }
            None => GatewaySettings::Memory {
                topics: flags.topic,
                project_id: flags.project_id,
                instance_id: flags.instance_id,
            },
        };
        Ok(Self {
            gateway,
            listen,
            integer_error_codes: flags.integer_error_codes,
        })
    }
}

fn topic_seed(text: &str) -> Result<TopicSeed, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, partitions, records] = parts[..] else {
        return Err("write it as NAME:PARTITIONS:RECORDS, such as orders:3:1000".to_owned());
    };
    Ok(TopicSeed {
        name: name.to_owned(),
        partitions: partitions
            .parse()
            .map_err(|_| format!("{partitions:?} is not a number of partitions"))?,
        records: records
            .parse()
            .map_err(|_| format!("{records:?} is not a number of records"))?,
    })
}
