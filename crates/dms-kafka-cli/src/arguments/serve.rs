//! What `serve` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Serve what this TOML file describes
    #[arg(
        long,
        help = "Serve what this TOML file describes [env: DMS_KAFKA_SERVE_CONFIG]",
        value_name = "FILE",
        conflicts_with_all = ["topic", "project_id", "instance_id"],
        help_heading = "From a file"
    )]
    pub(crate) config: Option<PathBuf>,

    /// Check the file, the variables and the files that it names, and serve nothing
    #[arg(long, help_heading = "From a file")]
    pub(crate) check_config: bool,

    /// Topic with its number of partitions and the records in each; repeatable
    #[arg(long, value_name = "NAME:PARTITIONS:RECORDS", value_parser = topic_seed, help_heading = "In memory")]
    pub(crate) topic: Vec<TopicSeed>,

    /// Project to serve; made up when absent
    #[arg(long, value_name = "ID", help_heading = "In memory")]
    pub(crate) project_id: Option<String>,

    /// Instance to serve; made up when absent
    #[arg(long, value_name = "ID", help_heading = "In memory")]
    pub(crate) instance_id: Option<String>,

    /// Address to listen on; port 0 takes a free one, and 127.0.0.1:0 is the default without a file
    #[arg(
        long,
        help = "Address to listen on, port 0 for a free one; 127.0.0.1:0 when neither this nor a file tells \
                [env: DMS_KAFKA_SERVE_LISTEN]",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: Option<SocketAddr>,

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
