//! The service that a command talks to: its flags, client and partition listing.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgMatches, Args};
use dms_kafka::auth::{Endpoint, EndpointResolver, Environment, Region};
use dms_kafka::{
    Client, Error, ErrorKind, InstanceId, PartitionId, PartitionInfo, PreparedRequest, ProjectId,
    TopicName, codes,
};
use dms_kafka_gateway::Gateway;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::exit::{self, Failure};
use crate::settings::{Setting, Settings, is_typed, up_to};
use crate::stderr;

/// The name of the service in environment variables and in the regions file.
const SERVICE: &str = "kafka";
const ENDPOINT: &str = "DMS_KAFKA_ENDPOINT";
const REGION: &str = "DMS_KAFKA_REGION";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const INSTANCE_ID: &str = "DMS_KAFKA_INSTANCE_ID";
/// Longer timeouts of a connection and of one attempt do not help.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
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

    /// Timeout of each call, with its retries
    #[arg(long, value_name = "SECONDS", default_value = "60", allow_negative_numbers = true, value_parser = up_to::<86_400, NonZeroU32>)]
    timeout: NonZeroU32,
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
    pub(crate) endpoint: Option<Setting<Endpoint>>,
    pub(crate) region: Option<Setting<Region>>,
    pub(crate) project_id: Option<Setting<ProjectId>>,
    pub(crate) instance_id: Setting<InstanceId>,
    pub(crate) ca_cert: Option<PathBuf>,
    pub(crate) allow_plaintext_http: bool,
    pub(crate) timeout: Duration,
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
        let instance_id = Setting::find(flags.instance_id, matches, "instance_id", INSTANCE_ID)?
            .ok_or_else(|| {
                format!(
                    "--instance-id is missing: add it, or set {INSTANCE_ID}; to try without a service, add --embedded"
                )
            })?;
        let project_id = Setting::find(flags.project_id, matches, "project_id", PROJECT_ID)?;
        if project_id.is_none() && region.is_none() {
            return Err(format!(
                "--project-id is missing: add it, or set {PROJECT_ID}; with --region the project is looked up"
            ));
        }
        let endpoint = endpoint.map(|endpoint| endpoint.parse(|text| text.parse::<Endpoint>()));
        let region = region.map(|region| region.parse(Region::new));
        let project_id = project_id.map(|project_id| project_id.parse(ProjectId::new));
        Ok(Self {
            endpoint: endpoint.transpose()?,
            region: region.transpose()?,
            project_id: project_id.transpose()?,
            instance_id: instance_id.parse(InstanceId::new)?,
            ca_cert: flags.ca_cert,
            allow_plaintext_http: flags.allow_plaintext_http,
            timeout: Duration::from_secs(flags.timeout.get().into()),
        })
    }

    /// The endpoint, with the flag, variable or region that sets it.
    fn endpoint(&self) -> Result<Setting<Endpoint>, Failure> {
        let endpoint = match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(Setting { value, source })) => {
                let resolver = EndpointResolver::new(Environment::from_process());
                let endpoints = endpoints(&resolver, value, source)?;
                Setting {
                    value: endpoints.into_iter().next().unwrap_or_default(),
                    source: format!("the region {value} ({source})"),
                }
                .parse(|text| text.parse())
                .map_err(Failure::usage)?
            }
            (None, None) => return Err(Failure::usage("the endpoint is missing: add --endpoint")),
        };
        if self.allow_plaintext_http {
            return Ok(endpoint);
        }
        let Setting { value, source } = endpoint;
        match value.require_encryption() {
            Ok(value) => Ok(Setting { value, source }),
            Err(error) => Err(Failure::usage(format!(
                "{source}: {error}, or add --allow-plaintext-http"
            ))),
        }
    }
}

/// The endpoints of a region. `source` is the flag or variable that names the region.
pub(crate) fn endpoints(
    resolver: &EndpointResolver,
    region: &Region,
    source: &str,
) -> Result<Vec<String>, Failure> {
    resolver.endpoints(SERVICE, region).map_err(|error| {
        if error.is_unreadable() {
            return Failure::input(exit::chain(&error));
        }
        Failure::usage(format!("{source}: {}", exit::chain(&error)))
    })
}

/// A client and the instance of its calls.
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) instance_id: InstanceId,
    /// Whether the client looks the project up.
    looks_up_project: bool,
    /// Whether warnings are JSON.
    json: bool,
    /// Runs until it is dropped.
    _gateway: Option<Gateway>,
}

pub(crate) type Partitions = HashMap<PartitionId, PartitionInfo>;

impl Service {
    /// An embedded gateway gets `topics`, each with its highest partition. `json` is the format of warnings.
    pub(crate) async fn new<'a>(
        settings: &ServiceSettings,
        json: bool,
        topics: impl IntoIterator<Item = (&'a TopicName, i32)>,
    ) -> Result<Self, Failure> {
        match settings {
            ServiceSettings::Embedded => Self::embedded(json, topics).await,
            ServiceSettings::Remote(remote) => Self::remote(remote, json),
        }
    }

    fn remote(remote: &RemoteService, json: bool) -> Result<Self, Failure> {
        let Setting {
            value: endpoint,
            source,
        } = remote.endpoint()?;
        let mut builder = Client::builder()
            .endpoint(endpoint.base())
            .with_connect_timeout(remote.timeout.min(CONNECT_TIMEOUT))
            .with_attempt_timeout(remote.timeout.min(ATTEMPT_TIMEOUT))
            .with_call_timeout(remote.timeout);
        if let Some(region) = &remote.region {
            builder = builder.region(region.value.clone());
        }
        if let Some(project_id) = &remote.project_id {
            builder = builder.project_id(&project_id.value);
        }
        if let Some(path) = &remote.ca_cert {
            builder = builder.with_root_certificates(certificates(path)?);
        }
        if remote.allow_plaintext_http {
            builder = builder.allow_plaintext_http();
        }
        let client = builder.build().map_err(Failure::call)?;
        if endpoint.is_plaintext() && !endpoint.is_loopback() {
            let warning =
                format!("{endpoint} is not encrypted: requests can be read on the network");
            stderr::warn(&warning, json);
        }
        tracing::info!("endpoint {endpoint} from {source}");
        if let Some(project) = &remote.project_id {
            tracing::info!("project {} from {}", project.value, project.source);
        }
        let instance = &remote.instance_id;
        tracing::info!("instance {} from {}", instance.value, instance.source);
        Ok(Self {
            client,
            instance_id: instance.value.clone(),
            looks_up_project: remote.project_id.is_none(),
            json,
            _gateway: None,
        })
    }

    /// Starts a gateway on a free loopback port, with a generated key.
    async fn embedded<'a>(
        json: bool,
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
            json,
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
    pub(crate) async fn partitions(&self, topic: &TopicName) -> Result<Partitions, Error> {
        let listed = self.client.list_partitions(&self.instance_id, topic);
        let endpoint = self.client.endpoint();
        let what = format!("waiting for {endpoint} to list the partitions of {topic}");
        let partitions = stderr::show_wait(&what, listed).await?;
        let partitions = partitions.iter();
        Ok(partitions.map(|info| (info.partition(), *info)).collect())
    }

    /// Lists the partitions of a topic before a deletion.
    ///
    /// If they cannot be listed, the deletion continues only with `--yes` and absolute offsets: the result is then `None`,
    /// with a warning. An unknown topic or instance is always a failure. So are rejected credentials: each further attempt
    /// counts towards the lockout of the access key.
    pub(crate) async fn preview(
        &self,
        topic: &TopicName,
        yes: bool,
        everything: bool,
    ) -> Result<Option<Partitions>, Failure> {
        let error = match self.partitions(topic).await {
            Ok(partitions) => return Ok(Some(partitions)),
            Err(error) => error,
        };
        let advice = match (may_still_delete(&error), everything, yes) {
            (false, _, _) => "no deletion was sent",
            (true, true, _) => {
                "without a preview no deletion was sent: to delete without one, add --yes --output json"
            }
            (true, false, false) => {
                "without a preview no deletion was sent: to delete without one, add --yes"
            }
            (true, false, true) => {
                let reason = exit::chain(&error);
                stderr::warn(&format!("there is no preview: {reason}"), self.json);
                return Ok(None);
            }
        };
        Err(Failure::call_with_advice(error, advice))
    }
}

/// Whether a deletion may succeed although the partitions cannot be listed.
fn may_still_delete(error: &Error) -> bool {
    match (error.kind(), error.status()) {
        (
            ErrorKind::InvalidInput
            | ErrorKind::Credentials
            | ErrorKind::ProjectId
            | ErrorKind::Unauthorized
            | ErrorKind::Connect,
            _,
        )
        | (_, Some(400)) => false,
        // An unknown instance has another code. Some gateways write APIG. instead of APIGW.
        (_, Some(404)) => error.code().is_none_or(|code| {
            let code = code.replace("APIG.", "APIGW.");
            [
                codes::URL_NOT_FOUND,
                codes::ENDPOINT_NOT_FOUND,
                codes::API_NOT_FOUND,
            ]
            .contains(&code.as_str())
        }),
        _ => true,
    }
}

/// The content of `--ca-cert`.
fn certificates(path: &Path) -> Result<Vec<u8>, Failure> {
    let flag = format!("--ca-cert {}", path.display());
    let pem = std::fs::read(path).map_err(|error| Failure::input(format!("{flag}: {error}")))?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem).peekable();
    if certificates.peek().is_none() || certificates.any(|certificate| certificate.is_err()) {
        return Err(Failure::usage(format!(
            "{flag}: the file is not a list of certificates in PEM: each starts with BEGIN CERTIFICATE"
        )));
    }
    Ok(pem)
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
