//! Which service a command talks to, from flags, variables and a profile.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args};
use dms_kafka::auth::{Endpoint, EndpointResolver, Environment, Region};
use dms_kafka::{InstanceId, ProjectId};

use crate::exit::{self, Failure};
use crate::profile::{BootstrapServers, Profile};
use crate::settings::{InvalidSettings, Setting, Settings, flag, is_typed, up_to};

/// The name of the service in environment variables and in the regions file.
const SERVICE: &str = "kafka";
const PROFILE: &str = "DMS_KAFKA_PROFILE";
const ENDPOINT: &str = "DMS_KAFKA_ENDPOINT";
const REGION: &str = "DMS_KAFKA_REGION";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const INSTANCE_ID: &str = "DMS_KAFKA_INSTANCE_ID";

#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceFlags {
    /// URL of the service; the endpoint of the region if omitted
    #[arg(long, env = ENDPOINT, hide_env_values = true, value_name = "URL")]
    endpoint: Option<String>,

    /// Region of the instance; sets the endpoint and the project
    #[arg(long, env = REGION, hide_env_values = true, value_name = "ID")]
    region: Option<String>,

    /// Bootstrap servers of any Kafka cluster: start a gateway in this process in front of it, and use it
    #[arg(long, value_name = "HOST:PORT,...")]
    kafka: Option<BootstrapServers>,

    /// TOML file with properties of librdkafka for the Kafka cluster, such as those for TLS and SASL
    #[arg(long, value_name = "FILE")]
    kafka_config: Option<PathBuf>,

    /// Start a gateway in this process and use it; the topics have 1,000 records of the last 30 days in each
    /// partition, and two consumer groups
    #[arg(long)]
    embedded: bool,

    /// Profile in ~/.config/dms-kafka/config.toml; flags override it, and variables only a profile that a variable names
    #[arg(long, env = PROFILE, hide_env_values = true, value_name = "NAME")]
    profile: Option<String>,

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

    /// Timeout of each call with its retries, and of all that is read for a plan
    #[arg(long, value_name = "SECONDS", default_value = "60", allow_negative_numbers = true, value_parser = up_to::<86_400, NonZeroU32>)]
    timeout: NonZeroU32,
}

/// The flags of a service that is reached over the network.
const REMOTE: [&str; 6] = [
    "endpoint",
    "region",
    "project_id",
    "instance_id",
    "ca_cert",
    "allow_plaintext_http",
];

/// Flags that exclude others on the command line. The conflicts of clap also consider variables.
const EXCLUSIVE: [(&str, &[&str]); 4] = [
    ("embedded", &["kafka", "kafka_config", "profile"]),
    ("embedded", &REMOTE),
    ("kafka", &REMOTE),
    ("kafka_config", &REMOTE),
];

#[derive(Debug)]
pub(crate) struct ServiceSettings {
    pub(crate) place: ServicePlace,
    pub(crate) timeout: Duration,
    /// Empty if none was chosen.
    pub(crate) profile: Profile,
}

#[derive(Debug)]
pub(crate) enum ServicePlace {
    /// A gateway in this process, with topics in memory.
    Embedded,
    /// A gateway in this process, in front of a Kafka cluster.
    Kafka(KafkaService),
    Remote(Box<RemoteService>),
}

/// At least one of the two is set.
#[derive(Debug)]
pub(crate) struct KafkaService {
    /// `None`: those in the file.
    pub(crate) servers: Option<Setting<BootstrapServers>>,
    pub(crate) config: Option<Setting<PathBuf>>,
}

#[derive(Debug)]
pub(crate) struct RemoteService {
    /// `None`: the endpoint of the region. At least one of the two is set.
    endpoint: Option<Setting<Endpoint>>,
    pub(crate) region: Option<Setting<Region>>,
    pub(crate) project_id: Option<Setting<ProjectId>>,
    pub(crate) instance_id: Setting<InstanceId>,
    pub(crate) ca_cert: Option<Setting<PathBuf>>,
    pub(crate) allow_plaintext_http: bool,
}

impl Settings for ServiceSettings {
    type Flags = ServiceFlags;

    fn resolve(flags: ServiceFlags, matches: &ArgMatches) -> Result<Self, InvalidSettings> {
        for (id, others) in EXCLUSIVE {
            let mut others = others.iter().filter(|_| is_typed(matches, id));
            if let Some(other) = others.find(|other| is_typed(matches, other)) {
                let text = format!("{} cannot be used with {}", flag(id), flag(other));
                return Err(text.into());
            }
        }
        let timeout = Duration::from_secs(flags.timeout.get().into());
        if flags.embedded {
            return Ok(Self {
                place: ServicePlace::Embedded,
                timeout,
                profile: Profile::default(),
            });
        }
        let name = Setting::find(flags.profile.clone(), matches, "profile", PROFILE)?;
        let profile = name.map(Profile::read).transpose()?.unwrap_or_default();
        Ok(Self {
            place: ServicePlace::find(flags, matches, &profile)?,
            timeout,
            profile,
        })
    }
}

impl ServicePlace {
    /// What the highest level names: a Kafka cluster, or an endpoint or region.
    fn find(
        flags: ServiceFlags,
        matches: &ArgMatches,
        profile: &Profile,
    ) -> Result<Self, InvalidSettings> {
        let servers = Setting::typed(flags.kafka, "kafka");
        let servers = Setting::higher(servers, profile.kafka.as_ref());
        let config = Setting::typed(flags.kafka_config, "kafka_config");
        let config = Setting::higher(config, profile.kafka_config.as_ref());
        let endpoint = Setting::find(flags.endpoint, matches, "endpoint", ENDPOINT)?;
        let endpoint = endpoint.map(|endpoint| endpoint.parse(|text| text.parse::<Endpoint>()));
        let endpoint = Setting::higher(endpoint.transpose()?, profile.endpoint.as_ref());
        let region = Setting::find(flags.region, matches, "region", REGION)?;
        let region = region.map(|region| region.parse(Region::new));
        let region = Setting::higher(region.transpose()?, profile.region.as_ref());
        let kafka_level = Setting::level(servers.as_ref()).max(Setting::level(config.as_ref()));
        if kafka_level > Setting::level(endpoint.as_ref()).max(Setting::level(region.as_ref())) {
            return KafkaService { servers, config }.checked().map(Self::Kafka);
        }
        // A region overrides an endpoint of a lower level, such as a flag an endpoint in the environment.
        let endpoint =
            endpoint.filter(|endpoint| Some(endpoint.level) >= Setting::level(region.as_ref()));
        if endpoint.is_none() && region.is_none() {
            return Err(format!(
                "the endpoint is missing: add --endpoint or --region, or set {ENDPOINT} or {REGION}; for a Kafka cluster \
                 of your own, add --kafka; to try without a service, add --embedded"
            )
            .into());
        }
        let instance_id = Setting::find(flags.instance_id, matches, "instance_id", INSTANCE_ID)?;
        let instance_id = instance_id
            .map(|id| id.parse(InstanceId::new))
            .transpose()?;
        let instance_id = Setting::higher(instance_id, profile.instance_id.as_ref());
        let instance_id = instance_id.ok_or_else(|| {
            format!(
                "--instance-id is missing: add it, or set {INSTANCE_ID}; to try without a service, add --embedded"
            )
        })?;
        let project_id = Setting::find(flags.project_id, matches, "project_id", PROJECT_ID)?;
        let project_id = project_id.map(|id| id.parse(ProjectId::new)).transpose()?;
        let project_id = Setting::higher(project_id, profile.project_id.as_ref());
        if project_id.is_none() && region.is_none() {
            return Err(format!(
                "--project-id is missing: add it, or set {PROJECT_ID}; with --region the project is looked up"
            )
            .into());
        }
        let ca_cert = Setting::typed(flags.ca_cert, "ca_cert");
        Ok(Self::Remote(Box::new(RemoteService {
            endpoint,
            region,
            project_id,
            instance_id,
            ca_cert: Setting::higher(ca_cert, profile.ca_cert.as_ref()),
            allow_plaintext_http: flags.allow_plaintext_http,
        })))
    }
}

impl KafkaService {
    fn checked(self) -> Result<Self, InvalidSettings> {
        if cfg!(feature = "kafka") {
            return Ok(self);
        }
        let servers = self.servers.map(|servers| servers.source);
        let source = servers.or(self.config.map(|config| config.source));
        Err(format!(
            "{}: this program was built without Kafka: use a release binary, or build with --features kafka-tls",
            source.unwrap_or_default()
        )
        .into())
    }
}

impl RemoteService {
    /// The endpoint, with the flag, variable, profile or region that sets it.
    pub(crate) fn endpoint(&self) -> Result<Setting<Endpoint>, Failure> {
        let endpoint = match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => {
                let resolver = EndpointResolver::new(Environment::from_process());
                let endpoints = endpoints(&resolver, &region.value, &region.source)?;
                Setting {
                    value: endpoints.into_iter().next().unwrap_or_default(),
                    source: format!("the region {} ({})", region.value, region.source),
                    level: region.level,
                }
                .parse(|text| text.parse())
                .map_err(Failure::usage)?
            }
            (None, None) => return Err(Failure::usage("the endpoint is missing: add --endpoint")),
        };
        if !self.allow_plaintext_http
            && let Err(error) = endpoint.value.clone().require_encryption()
        {
            return Err(Failure::usage(format!(
                "{}: {error}, or add --allow-plaintext-http",
                endpoint.source
            )));
        }
        Ok(endpoint)
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
