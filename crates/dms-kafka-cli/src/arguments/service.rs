//! Where a command sends its requests.

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct Service {
    // Names of variables stand in the help only: clap would count a set variable as a flag that --embedded excludes.
    /// URL of the service
    #[arg(
        long,
        help = "URL of the service [env: DMS_KAFKA_ENDPOINT]",
        value_name = "URL"
    )]
    pub(crate) endpoint: Option<String>,

    /// Region of the instance, which tells the endpoint and the project
    #[arg(
        long,
        help = "Region of the instance, which tells the endpoint and the project [env: DMS_KAFKA_REGION]",
        value_name = "ID"
    )]
    pub(crate) region: Option<String>,

    /// Use a gateway in this process, with topics made for the run: 1,000 records in each partition
    #[arg(
        long,
        conflicts_with_all = ["endpoint", "region", "project_id", "instance_id", "ca_cert", "allow_plaintext_http"]
    )]
    pub(crate) embedded: bool,

    /// Project that the instance belongs to; looked up when a region is given
    #[arg(
        long,
        help = "Project that the instance belongs to; looked up when a region is given [env: HUAWEICLOUD_SDK_PROJECT_ID]",
        value_name = "ID"
    )]
    pub(crate) project_id: Option<String>,

    /// Kafka instance
    #[arg(
        long,
        help = "Kafka instance [env: DMS_KAFKA_INSTANCE_ID]",
        value_name = "ID"
    )]
    pub(crate) instance_id: Option<String>,

    /// Also trust the certificates in this PEM file, such as a company's own
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_cert: Option<std::path::PathBuf>,

    /// Allow http:// to hosts other than this machine: others can then read what is sent
    #[arg(long)]
    pub(crate) allow_plaintext_http: bool,
}
