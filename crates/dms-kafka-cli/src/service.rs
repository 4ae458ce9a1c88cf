//! The service that a command talks to: its client and partition listing.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use dms_kafka::auth::text;
use dms_kafka::{
    Client, ClientBuilder, Error, ErrorKind, InstanceId, PartitionId, PartitionInfo, Plan,
    PlanDeletion, PreparedRequest, TopicName, codes,
};
use dms_kafka_gateway::{Gateway, KafkaConfig, KafkaGateway};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::time::timeout;
use unicode_width::UnicodeWidthStr;

use crate::credentials;
use crate::exit::Failure;
use crate::service_settings::{KafkaService, RemoteService, ServicePlace, ServiceSettings};
use crate::settings::{Level, Setting};
use crate::stderr;
use crate::topic_pattern::TopicPattern;

/// Longer timeouts of a connection and of one attempt do not help.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// A single call that takes the whole time explains it better.
const GRACE: Duration = Duration::from_millis(250);
/// In stored plans and journals, instead of an endpoint that is another one in each run. The instance is the cluster.
const KAFKA: &str = "kafka";
const EMBEDDED_PARTITIONS: u32 = 3;
const EMBEDDED_RECORDS: u64 = 1000;
const EMBEDDED_SPREAD_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// If no topic is named.
const EMBEDDED_TOPICS: [(&str, u32); 2] = [("orders", EMBEDDED_PARTITIONS), ("payments", 1)];
/// The API lists at most 10,000 partitions.
const EMBEDDED_MAX_PARTITION: u32 = 9_999;

/// A client and the instance of its calls.
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) instance_id: InstanceId,
    identity: Vec<Identity>,
    /// Whether the client looks the project up.
    looks_up_project: bool,
    /// Whether the key was generated for a gateway in this process.
    has_generated_key: bool,
    /// For what is read before a deletion.
    timeout: Duration,
    /// Whether warnings are JSON.
    json: bool,
    /// Runs until it is dropped.
    gateway: Option<GatewayHere>,
}

/// A setting that says where the command deletes: name, value and source.
type Identity = (&'static str, String, String);

#[expect(dead_code, reason = "each runs until it is dropped")]
enum GatewayHere {
    Memory(Gateway),
    Kafka(KafkaGateway),
}

pub(crate) type Partitions = HashMap<PartitionId, PartitionInfo>;

impl Service {
    /// An embedded gateway gets `topics`, each with its highest partition. `json` is the format of warnings.
    pub(crate) async fn new<'a>(
        settings: &ServiceSettings,
        json: bool,
        topics: impl IntoIterator<Item = (&'a TopicName, i32)>,
    ) -> Result<Self, Failure> {
        let timeout = settings.timeout;
        let builder = Client::builder()
            .with_connect_timeout(timeout.min(CONNECT_TIMEOUT))
            .with_attempt_timeout(timeout.min(ATTEMPT_TIMEOUT))
            .with_call_timeout(timeout);
        let mut service = match &settings.place {
            ServicePlace::Embedded => Self::embedded(builder, timeout, json, topics).await?,
            ServicePlace::Kafka(kafka) => Self::kafka(kafka, timeout, builder, json).await?,
            ServicePlace::Remote(remote) => Self::remote(remote, settings, builder, json)?,
        };
        if let Some(name) = &settings.profile.name {
            let protected = if settings.profile.protected {
                " (protected)"
            } else {
                ""
            };
            let value = format!("{}{protected}", name.value);
            service
                .identity
                .insert(0, ("profile", value, name.source.clone()));
        }
        for (what, value, source) in &service.identity {
            tracing::info!("{what} {value} from {source}");
        }
        Ok(service)
    }

    fn remote(
        remote: &RemoteService,
        settings: &ServiceSettings,
        mut builder: ClientBuilder,
        json: bool,
    ) -> Result<Self, Failure> {
        let endpoint = remote.endpoint()?;
        builder = builder.endpoint(endpoint.value.base());
        if let Some(region) = &remote.region {
            builder = builder.region(region.value.clone());
        }
        if let Some(project_id) = &remote.project_id {
            builder = builder.project_id(&project_id.value);
        }
        if let Some(Setting { value, level, .. }) = &settings.profile.credentials {
            builder = match level {
                Level::TypedProfile => builder.credentials(credentials::section(value)),
                _ => builder.credentials_profile(value),
            };
        }
        if let Some(path) = &remote.ca_cert {
            builder = builder.with_root_certificates(certificates(path)?);
        }
        if remote.allow_plaintext_http {
            builder = builder.allow_plaintext_http();
        }
        let client = builder.build().map_err(Failure::call)?;
        let Setting { value, source, .. } = endpoint;
        if value.is_plaintext() && !value.is_loopback() {
            let warning = format!("{value} is not encrypted: requests can be read on the network");
            stderr::warn(&warning, json);
        }
        let mut identity = vec![("endpoint", value.to_string(), source)];
        if let Some(project) = &remote.project_id {
            identity.push(("project", project.value.to_string(), project.source.clone()));
        }
        let instance = &remote.instance_id;
        identity.push((
            "instance",
            instance.value.to_string(),
            instance.source.clone(),
        ));
        Ok(Self {
            client,
            instance_id: instance.value.clone(),
            identity,
            looks_up_project: remote.project_id.is_none(),
            has_generated_key: false,
            timeout: settings.timeout,
            json,
            gateway: None,
        })
    }

    /// Starts a gateway on a free loopback port, with a generated key.
    async fn embedded<'a>(
        builder: ClientBuilder,
        timeout: Duration,
        json: bool,
        topics: impl IntoIterator<Item = (&'a TopicName, i32)>,
    ) -> Result<Self, Failure> {
        let mut seeds: Vec<(&str, u32)> = Vec::new();
        for (topic, highest) in topics {
            let highest = highest.unsigned_abs();
            if highest > EMBEDDED_MAX_PARTITION {
                return Err(Failure::usage(format!(
                    "partition {highest} is greater than {EMBEDDED_MAX_PARTITION}, the highest partition with --embedded"
                )));
            }
            seeds.push((topic.as_str(), EMBEDDED_PARTITIONS.max(highest + 1)));
        }
        if seeds.is_empty() {
            seeds.extend(EMBEDDED_TOPICS);
        }
        let mut gateway = Gateway::memory();
        for (topic, partitions) in &seeds {
            gateway = gateway.topic(*topic, *partitions, 0);
        }
        let gateway = gateway.start().await.map_err(Failure::gateway)?;
        for (topic, partitions) in seeds {
            seed(&gateway, topic, partitions).map_err(Failure::gateway)?;
        }
        let builder = builder
            .endpoint(gateway.endpoint())
            .project_id(gateway.project_id())
            .credentials(gateway.credentials());
        let identity = (
            "service",
            "a gateway in this process".to_owned(),
            "--embedded".to_owned(),
        );
        let instance_id = InstanceId::new(gateway.instance_id()).map_err(Failure::usage)?;
        Self::here(
            builder,
            instance_id,
            vec![identity],
            timeout,
            json,
            GatewayHere::Memory(gateway),
        )
    }

    /// Starts a gateway in front of a Kafka cluster, on a free loopback port, with a generated key.
    async fn kafka(
        kafka: &KafkaService,
        timeout: Duration,
        builder: ClientBuilder,
        json: bool,
    ) -> Result<Self, Failure> {
        let mut config = match &kafka.config {
            Some(file) => KafkaConfig::read(&file.value).map_err(Failure::gateway)?,
            None => KafkaConfig::default(),
        };
        let mut identity = Vec::new();
        let mut cluster = String::new();
        if let Some(Setting { value, source, .. }) = &kafka.servers {
            config = config.with_bootstrap_servers(&value.0);
            identity.push(("kafka", value.0.clone(), source.clone()));
            cluster = format!(" at {}", value.0);
        }
        if let Some(Setting { value, source, .. }) = &kafka.config {
            identity.push(("config", value.display().to_string(), source.clone()));
        }
        // The gateway responds before the client's timeout, and says whether records may have been deleted.
        let gateway_timeout = timeout.min(ATTEMPT_TIMEOUT).mul_f32(0.9);
        let environment = |name: &str| std::env::var(name).ok();
        let started = KafkaGateway::start(&config, &environment, gateway_timeout);
        let started = stderr::show_wait(&format!("connecting to Kafka{cluster}"), started).await;
        let gateway = started.map_err(Failure::gateway)?;
        let instance_id = InstanceId::new(gateway.instance_id()).map_err(Failure::usage)?;
        identity.push((
            "instance",
            instance_id.to_string(),
            "the id of the cluster".to_owned(),
        ));
        let builder = builder
            .endpoint(gateway.endpoint())
            .service_name(KAFKA)
            .project_id(gateway.project_id())
            .credentials(gateway.credentials());
        Self::here(
            builder,
            instance_id,
            identity,
            timeout,
            json,
            GatewayHere::Kafka(gateway),
        )
    }

    /// A gateway in this process.
    fn here(
        builder: ClientBuilder,
        instance_id: InstanceId,
        identity: Vec<Identity>,
        timeout: Duration,
        json: bool,
        gateway: GatewayHere,
    ) -> Result<Self, Failure> {
        Ok(Self {
            client: builder.build().map_err(Failure::call)?,
            instance_id,
            identity,
            looks_up_project: false,
            has_generated_key: true,
            timeout,
            json,
            gateway: Some(gateway),
        })
    }

    /// What is known only when it is needed: the project that is looked up, and the key. The call that needs them reports a
    /// failure.
    async fn found_identity(&self) -> Vec<Identity> {
        let mut found = Vec::new();
        if self.looks_up_project
            && let Ok(project_id) = self.client.project_id().await
        {
            let source = "the credentials or looked up for the region".to_owned();
            found.push(("project", project_id.to_string(), source));
        }
        if !self.has_generated_key
            && let Ok(credentials) = self.client.credentials().await
        {
            let (what, hint) = match credentials.access_key() {
                Some(key) => ("access key", text::key_hint(key)),
                None => ("token", "(not shown)".into()),
            };
            found.push((what, hint, credentials.provider_name().to_owned()));
        }
        found
    }

    /// Logs the sources of credentials and project.
    pub(crate) async fn log_identity(&self) {
        if tracing::enabled!(tracing::Level::INFO) {
            for (what, value, source) in self.found_identity().await {
                tracing::info!("{what} {value} from {source}");
            }
        }
    }

    /// Where the command deletes, with the source of each setting: a line each, for the confirmation, or two if the
    /// terminal is narrow.
    pub(crate) async fn identity(&self) -> String {
        let lines = [self.identity.clone(), self.found_identity().await].concat();
        let longest = |length: fn(&Identity) -> usize| lines.iter().map(length).max().unwrap_or(0);
        let names = longest(|(what, ..)| what.len());
        let text = |values: usize, separator: &str| -> String {
            let line = |(what, value, source): &Identity| {
                format!("{what:names$}  {value:values$}{separator}from {source}\n")
            };
            lines.iter().map(line).collect()
        };
        let aligned = text(longest(|(_, value, _)| value.width()), "  ");
        let widest = aligned.lines().map(UnicodeWidthStr::width).max();
        if stderr::width().is_none_or(|width| widest.unwrap_or(0) <= width) {
            return aligned;
        }
        text(0, &format!("\n{:names$}  ", ""))
    }

    /// How many partitions a request has. The vendor's console sends up to ten; the limit of the API is not known. The gateway in
    /// this process takes more, and has one request to each leader for all of them.
    pub(crate) fn partitions_per_request(&self) -> usize {
        match self.gateway {
            Some(GatewayHere::Kafka(_)) => 1000,
            _ => 10,
        }
    }

    /// Waits for calls that the timeout covers together. After a second, a terminal shows `what` the service does.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        calls: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let what = format!("waiting for {} to {what}", self.client.service_name());
        // Boxed, because the future is large.
        let calls = Box::pin(timeout(self.timeout + GRACE, calls));
        async move {
            match stderr::show_wait(&what, calls).await {
                Ok(done) => done.map_err(Failure::call),
                Err(_) => Err(Failure::timeout(format!(
                    "{what} took more than the {} s of --timeout: allow more; nothing was deleted",
                    self.timeout.as_secs()
                ))),
            }
        }
    }

    /// Lists the partitions of a topic.
    pub(crate) async fn partitions(&self, topic: &TopicName) -> Result<Partitions, Failure> {
        let listed = self.client.list_partitions(&self.instance_id, topic);
        let what = format!("list the partitions of {topic}");
        let partitions = self.wait(&what, listed).await?;
        let partitions = partitions.iter();
        Ok(partitions.map(|info| (info.partition(), *info)).collect())
    }

    /// The topics whose names match a pattern.
    pub(crate) async fn topics(&self, pattern: &TopicPattern) -> Result<Vec<TopicName>, Failure> {
        let listed = self.client.list_topics(&self.instance_id);
        let mut topics = self.wait("list the topics", listed).await?;
        topics.retain(|topic| pattern.matches(topic));
        Ok(topics)
    }

    /// Makes the plan of a topic.
    pub(crate) async fn resolve(
        &self,
        plan: PlanDeletion,
        topic: &TopicName,
    ) -> Result<Plan, Failure> {
        self.wait(&reading(topic), plan.resolve()).await
    }

    /// Makes a plan for each of the topics.
    pub(crate) async fn resolve_all(
        &self,
        plan: PlanDeletion,
        topics: &[TopicName],
    ) -> Result<Vec<Plan>, Failure> {
        let what = match topics {
            [topic] => reading(topic),
            topics => reading(format!("{} topics", topics.len())),
        };
        self.wait(&what, plan.resolve_topics(topics)).await
    }

    /// Refuses a plan that expired, or whose topic changed.
    pub(crate) async fn check_plan(&self, plan: &Plan) -> Result<(), Failure> {
        // Only stored plans are compared with the topic.
        let stored = self.client.stored_plan(&self.instance_id, &plan.to_json());
        let stored = stored.map_err(Failure::call)?;
        self.wait(&reading(plan.topic()), stored.check()).await
    }

    /// The same for a stored plan, and returns the plan of the topic that deletes nothing. One timeout covers both.
    pub(crate) async fn check_and_hold(&self, plan: &Plan) -> Result<Plan, Failure> {
        let calls = async {
            plan.check().await?;
            self.to_hold(plan.topic()).resolve().await
        };
        self.wait(&reading(plan.topic()), calls).await
    }

    /// The plan of a topic that deletes nothing.
    pub(crate) async fn held(&self, topic: &TopicName) -> Result<Plan, Failure> {
        self.resolve(self.to_hold(topic), topic).await
    }

    pub(crate) fn to_hold(&self, topic: &TopicName) -> PlanDeletion {
        let plan = self.client.plan_deletion(&self.instance_id, topic);
        plan.before_offset(0).with_consumer_groups()
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
        let failure = match self.partitions(topic).await {
            Ok(partitions) => return Ok(Some(partitions)),
            Err(failure) => failure,
        };
        self.without_preview(failure, yes, everything)
            .map(|()| None)
    }

    /// Fails unless the deletion may continue without a preview. See [`preview`](Self::preview).
    pub(crate) fn without_preview(
        &self,
        failure: Failure,
        yes: bool,
        everything: bool,
    ) -> Result<(), Failure> {
        let advice = match (may_still_delete(&failure), everything, yes) {
            (false, _, _) => "no deletion was sent",
            (true, true, _) => {
                "without a preview no deletion was sent: to delete without one, add --yes --output json"
            }
            (true, false, false) => {
                "without a preview no deletion was sent: to delete without one, add --yes"
            }
            (true, false, true) => {
                let reason = failure.message();
                stderr::warn(&format!("there is no preview: {reason}"), self.json);
                return Ok(());
            }
        };
        Err(failure.with_advice(advice))
    }
}

fn reading(topics: impl Display) -> String {
    format!("list the partitions and consumer groups of {topics}")
}

/// Records of the last 30 days, and groups that have consumed some of them.
fn seed(gateway: &Gateway, topic: &str, partitions: u32) -> Result<(), dms_kafka_gateway::Error> {
    let now = Timestamp::now().as_millisecond();
    for (partition, committed) in (0..)
        .zip([900, 800, 700].into_iter().cycle())
        .take(partitions as usize)
    {
        gateway.append_at(
            topic,
            partition,
            EMBEDDED_RECORDS,
            (now - EMBEDDED_SPREAD_MS, now),
        );
        gateway.commit("billing", topic, partition, committed)?;
        gateway.commit("audit", topic, partition, 400)?;
    }
    Ok(())
}

/// Whether a deletion may succeed although the partitions cannot be listed.
fn may_still_delete(failure: &Failure) -> bool {
    let Failure::Call { error, .. } = failure else {
        // The calls took too long.
        return true;
    };
    match (error.kind(), error.status()) {
        (
            ErrorKind::InvalidInput
            | ErrorKind::Credentials
            | ErrorKind::ProjectId
            | ErrorKind::Unauthorized
            | ErrorKind::Connect
            | ErrorKind::Plan,
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

/// The content of the file with CA certificates.
fn certificates(file: &Setting<PathBuf>) -> Result<Vec<u8>, Failure> {
    let flag = format!("{} {}", file.source, file.value.display());
    let pem =
        std::fs::read(&file.value).map_err(|error| Failure::input(format!("{flag}: {error}")))?;
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
