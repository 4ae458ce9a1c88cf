//! The service that a command sends its requests to.

use std::path::PathBuf;

use clap::{ArgMatches, Args};
use dms_kafka::auth::Region;
use dms_kafka::{InstanceId, ProjectId};

use super::settings::{Setting, Settings, is_typed};

const ENDPOINT: &str = "DMS_KAFKA_ENDPOINT";
const REGION: &str = "DMS_KAFKA_REGION";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const INSTANCE_ID: &str = "DMS_KAFKA_INSTANCE_ID";

#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct ServiceFlags {
    /// URL of the service
    #[arg(long, env = ENDPOINT, hide_env_values = true, value_name = "URL")]
    endpoint: Option<String>,

    /// Region of the instance, which tells the endpoint and the project
    #[arg(long, env = REGION, hide_env_values = true, value_name = "ID")]
    region: Option<String>,

    /// Use a gateway in this process, with topics made for the run: 1,000 records in each partition
    #[arg(long, conflicts_with_all = ["ca_cert", "allow_plaintext_http"])]
    embedded: bool,

    /// Project that the instance belongs to; looked up when a region is given
    #[arg(long, env = PROJECT_ID, hide_env_values = true, value_name = "ID")]
    project_id: Option<String>,

    /// Kafka instance
    #[arg(long, env = INSTANCE_ID, hide_env_values = true, value_name = "ID")]
    instance_id: Option<String>,

    /// Also trust the certificates in this PEM file, such as a company's own
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,

    /// Allow http:// to hosts other than this machine: others can then read what is sent
    #[arg(long)]
    allow_plaintext_http: bool,
}

/// The service that flags and environment name.
#[derive(Debug)]
pub(crate) enum ServiceSettings {
    /// A gateway in this process.
    Embedded,
    Remote(Box<RemoteService>),
}

#[derive(Debug)]
pub(crate) struct RemoteService {
    /// `None` where the region tells it; at least one of the two is given.
    pub(crate) endpoint: Option<Setting<String>>,
    pub(crate) region: Option<Setting<Region>>,
    pub(crate) project_id: Option<Setting<ProjectId>>,
    pub(crate) instance_id: Setting<InstanceId>,
    pub(crate) ca_cert: Option<PathBuf>,
    pub(crate) allow_plaintext_http: bool,
}

impl Settings for ServiceSettings {
    type Flags = ServiceFlags;

    fn resolve(flags: ServiceFlags, matches: &ArgMatches) -> Result<Self, String> {
        if !flags.embedded {
            let remote = RemoteService::resolve(flags, matches)?;
            return Ok(Self::Remote(Box::new(remote)));
        }
        let remote = ["endpoint", "region", "project_id", "instance_id"];
        match remote.into_iter().find(|id| is_typed(matches, id)) {
            Some(id) => Err(format!(
                "--embedded cannot be used with --{}",
                id.replace('_', "-")
            )),
            None => Ok(Self::Embedded),
        }
    }
}

impl RemoteService {
    fn resolve(flags: ServiceFlags, matches: &ArgMatches) -> Result<Self, String> {
        let mut endpoint = Setting::find(flags.endpoint, matches, "endpoint", ENDPOINT)?;
        let region = Setting::find(flags.region, matches, "region", REGION)?;
        // A region on the command line is not overruled by a variable with an endpoint.
        if is_typed(matches, "region") && !is_typed(matches, "endpoint") {
            endpoint = None;
        }
        if endpoint.is_none() && region.is_none() {
            return Err(format!(
                "neither --endpoint nor --region is given, nor is {ENDPOINT} or {REGION} set; to try without a service \
                 use --embedded"
            ));
        }
        let project_id = Setting::find(flags.project_id, matches, "project_id", PROJECT_ID)?;
        let instance_id = Setting::find(flags.instance_id, matches, "instance_id", INSTANCE_ID)?
            .ok_or_else(|| {
                format!(
                    "--instance-id is missing: give it, or set {INSTANCE_ID}; to try without a service use --embedded"
                )
            })?;
        Ok(Self {
            endpoint,
            region: region.map(|region| region.parse(Region::new)).transpose()?,
            project_id: project_id
                .map(|project_id| project_id.parse(ProjectId::new))
                .transpose()?,
            instance_id: instance_id.parse(InstanceId::new)?,
            ca_cert: flags.ca_cert,
            allow_plaintext_http: flags.allow_plaintext_http,
        })
    }

    /// The flag or variable that tells the endpoint.
    pub(crate) fn endpoint_source(&self) -> String {
        match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.source.clone(),
            (None, Some(region)) => format!("the region {} ({})", region.value, region.source),
            (None, None) => String::new(),
        }
    }
}
