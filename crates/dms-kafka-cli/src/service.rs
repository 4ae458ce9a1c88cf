//! The service that a command talks to: its flags, client and partition listing.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use clap::{ArgMatches, Args};
use dms_kafka::auth::{Endpoint, Region};
use dms_kafka::{
    Client, ErrorKind, InstanceId, PartitionId, PartitionInfo, PreparedRequest, ProjectId,
    TopicName,
};
use dms_kafka_gateway::Gateway;
use serde_json::json;

use crate::exit::Failure;
use crate::settings::{Setting, Settings, is_typed};
use crate::stderr;

const ENDPOINT: &str = "DMS_KAFKA_ENDPOINT";
const REGION: &str = "DMS_KAFKA_REGION";
const REGIONS_FILE: &str = "HUAWEICLOUD_SDK_REGIONS_FILE";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const INSTANCE_ID: &str = "DMS_KAFKA_INSTANCE_ID";
const EMBEDDED_PARTITIONS: u32 = 3;
const EMBEDDED_RECORDS: u64 = 1000;
/// The API lists at most 10,000 partitions.
const EMBEDDED_MAX_PARTITION: u32 = 9_999;

#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceFlags {
    /// URL of the service; the endpoint of the region if omitted
    #[arg(long, env = ENDPOINT, hide_env_values = true, value_name = "URL")]
    endpoint: Option<String>,

    /// Region of the instance; sets the endpoint and the project
    #[arg(long, env = REGION, hide_env_values = true, value_name = "ID")]
    region: Option<String>,

    /// Start a gateway in this process and use it; the topics have 1,000 records in each partition
    #[arg(long, conflicts_with_all = ["ca_cert", "allow_plaintext_http"])]
    embedded: bool,

    /// Project of the instance; looked up if omitted and a region is given
    #[arg(long, env = PROJECT_ID, hide_env_values = true, value_name = "ID")]
    project_id: Option<String>,

    /// Kafka instance ID
    #[arg(long, env = INSTANCE_ID, hide_env_values = true, value_name = "ID")]
    instance_id: Option<String>,

    /// PEM file with additional trusted CA certificates, such as those of a company
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,

    /// Allow http:// to other machines: requests are sent without encryption
    #[arg(long)]
    allow_plaintext_http: bool,
}

#[derive(Debug)]
pub(crate) enum ServiceSettings {
    /// A gateway in this process.
    Embedded,
    Remote(Box<RemoteService>),
}

#[derive(Debug)]
pub(crate) struct RemoteService {
    /// `None`: the endpoint of the region. At least one of the two is set.
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
        // A region on the command line overrides an endpoint in the environment.
        if is_typed(matches, "region") && !is_typed(matches, "endpoint") {
            endpoint = None;
        }
        if endpoint.is_none() && region.is_none() {
            return Err(format!(
                "the endpoint is missing: add --endpoint or --region, or set {ENDPOINT} or {REGION}; to try without a \
                 service, add --embedded"
            ));
        }
        let project_id = Setting::find(flags.project_id, matches, "project_id", PROJECT_ID)?;
        let instance_id = Setting::find(flags.instance_id, matches, "instance_id", INSTANCE_ID)?
            .ok_or_else(|| {
                format!(
                    "--instance-id is missing: add it, or set {INSTANCE_ID}; to try without a service, add --embedded"
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

    /// The flag, variable or region that sets the endpoint.
    pub(crate) fn endpoint_source(&self) -> String {
        match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.source.clone(),
            (None, Some(region)) => format!("the region {} ({})", region.value, region.source),
            (None, None) => String::new(),
        }
    }
}

/// A client and the instance of its calls.
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) instance_id: InstanceId,
    /// Whether the client looks the project up.
    looks_up_project: bool,
    /// Runs until it is dropped.
    _gateway: Option<Gateway>,
}

pub(crate) type Partitions = HashMap<PartitionId, PartitionInfo>;

/// The response to a request for a topic's partitions.
pub(crate) enum Listing {
    Partitions(Partitions),
    NoSuchTopic,
    /// The service does not support this request, or the request failed. The deletion continues without a preview.
    NotOffered,
}

impl Listing {
    pub(crate) fn partitions(self) -> Option<Partitions> {
        match self {
            Self::Partitions(partitions) => Some(partitions),
            Self::NoSuchTopic | Self::NotOffered => None,
        }
    }
}

impl Service {
    /// An embedded gateway gets `topics`, each with its highest partition. `json` is the format of warnings.
    pub(crate) async fn new<'a>(
        settings: &ServiceSettings,
        json: bool,
        topics: impl IntoIterator<Item = (&'a TopicName, i32)>,
    ) -> Result<Self, Failure> {
        match settings {
            ServiceSettings::Embedded => Self::embedded(topics).await,
            ServiceSettings::Remote(remote) => Self::remote(remote, json),
        }
    }

    fn remote(remote: &RemoteService, json: bool) -> Result<Self, Failure> {
        let mut builder = Client::builder();
        if let Some(region) = &remote.region {
            builder = builder.region(region.value.clone());
        }
        if let Some(endpoint) = &remote.endpoint {
            builder = builder.endpoint(&endpoint.value);
        }
        if let Some(project_id) = &remote.project_id {
            builder = builder.project_id(&project_id.value);
        }
        if let Some(path) = &remote.ca_cert {
            let pem = std::fs::read(path).map_err(|error| {
                Failure::input(format!("--ca-cert {}: {error}", path.display()))
            })?;
            builder = builder.with_root_certificates(pem);
        }
        if remote.allow_plaintext_http {
            builder = builder.allow_plaintext_http();
        }
        let client = builder.build().map_err(|error| explain(remote, error))?;
        warn_of_plaintext(client.endpoint(), json);
        tracing::info!(
            "endpoint {} from {}",
            client.endpoint(),
            remote.endpoint_source()
        );
        if let Some(project) = &remote.project_id {
            tracing::info!("project {} from {}", project.value, project.source);
        }
        let instance = &remote.instance_id;
        tracing::info!("instance {} from {}", instance.value, instance.source);
        Ok(Self {
            client,
            instance_id: instance.value.clone(),
            looks_up_project: remote.project_id.is_none(),
            _gateway: None,
        })
    }

    /// Starts a gateway on a free loopback port, with a generated key.
    async fn embedded<'a>(
        topics: impl IntoIterator<Item = (&'a TopicName, i32)>,
    ) -> Result<Self, Failure> {
        let mut gateway = Gateway::memory();
        for (topic, highest) in topics {
            let highest = highest.unsigned_abs();
            if highest > EMBEDDED_MAX_PARTITION {
                return Err(Failure::usage(format!(
                    "partition {highest} is greater than {EMBEDDED_MAX_PARTITION}, the highest partition with --embedded"
                )));
            }
            gateway = gateway.topic(
                topic.as_str(),
                EMBEDDED_PARTITIONS.max(highest + 1),
                EMBEDDED_RECORDS,
            );
        }
        let gateway = gateway.start().await.map_err(Failure::usage)?;
        let client = Client::builder()
            .endpoint(gateway.endpoint())
            .project_id(gateway.project_id())
            .credentials(gateway.credentials())
            .build()
            .map_err(Failure::call)?;
        tracing::info!("endpoint {} from --embedded", gateway.endpoint());
        Ok(Self {
            client,
            instance_id: InstanceId::new(gateway.instance_id()).map_err(Failure::usage)?,
            looks_up_project: false,
            _gateway: Some(gateway),
        })
    }

    /// Logs the sources of credentials and project.
    pub(crate) async fn log_identity(&self) {
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        // The call that needs them reports a failure.
        if let Ok(credentials) = self.client.credentials().await {
            crate::credentials::log_source(&credentials);
        }
        if self.looks_up_project
            && let Ok(project_id) = self.client.project_id().await
        {
            tracing::info!("project {project_id} from the credentials or looked up for the region");
        }
    }

    /// Lists the partitions of a topic.
    ///
    /// Rejected credentials end the command: each further attempt counts towards the lockout of the access key.
    pub(crate) async fn partitions(&self, topic: &TopicName) -> Result<Listing, Failure> {
        let listed = self.client.list_partitions(&self.instance_id, topic).await;
        let error = match listed {
            Ok(partitions) => {
                let partitions = partitions.iter();
                let partitions = partitions.map(|info| (info.partition(), *info));
                return Ok(Listing::Partitions(partitions.collect()));
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::InvalidInput
            | ErrorKind::Credentials
            | ErrorKind::ProjectId
            | ErrorKind::Unauthorized
            | ErrorKind::Connect => Err(Failure::call(error)),
            ErrorKind::BadRequest => Ok(Listing::NoSuchTopic),
            _ => {
                tracing::info!(%error, "the partitions cannot be listed");
                Ok(Listing::NotOffered)
            }
        }
    }
}

/// Replaces the names of the library's methods in a message by the names of flags.
fn explain(remote: &RemoteService, error: dms_kafka::Error) -> Failure {
    if error.is_plaintext_refused() {
        let endpoint = remote.endpoint.as_ref().map_or_else(
            || "the region's endpoint".to_owned(),
            |endpoint| format!("the endpoint {:?}", endpoint.value),
        );
        Failure::usage(format!(
            "{endpoint} is not encrypted: use https, or add --allow-plaintext-http"
        ))
    } else if error.is_project_id_missing() {
        Failure::usage(
            "--project-id is missing: add it, or set HUAWEICLOUD_SDK_PROJECT_ID; with --region the project is looked up",
        )
    } else if remote.endpoint.is_some() {
        Failure::call(error)
    } else {
        unreadable_regions_file().unwrap_or_else(|| Failure::call(error))
    }
}

/// The failure of the regions file that the environment names, if it cannot be read. The error of the library does not
/// distinguish that from invalid content.
pub(crate) fn unreadable_regions_file() -> Option<Failure> {
    let path = PathBuf::from(std::env::var_os(REGIONS_FILE).filter(|path| !path.is_empty())?);
    // Opening a named pipe would block.
    if path.exists() && !path.is_file() && !path.is_dir() {
        return None;
    }
    let read = File::open(&path).and_then(|mut file| file.read(&mut [0]));
    let message = |error| format!("{REGIONS_FILE}: {} cannot be read: {error}", path.display());
    read.err().map(|error| Failure::input(message(error)))
}

fn warn_of_plaintext(endpoint: &str, json: bool) {
    let parsed = endpoint.parse::<Endpoint>();
    if parsed.is_ok_and(|endpoint| endpoint.is_plaintext() && !endpoint.is_loopback()) {
        let warning = format!("{endpoint} is not encrypted: requests can be read on the network");
        stderr::warn(&warning, json);
    }
}

/// A request without its signature: one line of JSON, or two lines of text.
pub(crate) fn request_text(request: &PreparedRequest, json: bool) -> String {
    let (method, url, body) = (request.method(), request.url(), request.body());
    if json {
        // The request body is JSON already, and is printed unchanged.
        format!(
            "{{\"body\":{body},\"method\":{},\"url\":{}}}\n",
            json!(method),
            json!(url)
        )
    } else {
        format!("{method} {url}\n{body}\n")
    }
}
