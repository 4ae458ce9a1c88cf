//! A gateway whose topics are in memory, and its builder.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use huaweicloud_auth::Credentials;
use uuid::Uuid;

use crate::{
    backend::{
        PartitionOffsets,
        memory::{CleanupPolicy, MemoryBackend, TopicSettings},
    },
    config::{
        AccessKeyConfig, Config, InstanceConfig, MemoryConfig, RemovedSetting, SecretSource,
        TokenConfig,
    },
    error::Error,
    faults::Faults,
    holds::Holds,
    ready_line::ReadyLine,
    service::Service,
    wire::ErrorCodeStyle,
};

/// A running gateway whose topics are in memory.
///
/// It serves until [`Gateway::shutdown`] or until it is dropped.
///
/// ```
/// use dms_kafka_gateway::Gateway;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dms_kafka_gateway::Error> {
/// let gateway = Gateway::memory().topic("orders", 3, 1000).start().await?;
/// assert!(gateway.endpoint().starts_with("http://127.0.0.1:"));
/// // ... point the code under test at the endpoint, with `gateway.credentials()` ...
/// let partition = gateway.partition("orders", 0).expect("it was seeded");
/// assert_eq!((partition.log_start_offset, partition.high_watermark), (0, 1000));
/// gateway.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Gateway {
    service: Service,
    project_id: String,
    instance_id: String,
    credentials: Credentials,
    /// Whether the key pair was generated for this run.
    generated: bool,
    backend: Arc<MemoryBackend>,
}

impl Gateway {
    /// Returns a builder of a gateway whose topics are in memory: one instance, one key pair, on a free port of 127.0.0.1.
    pub fn memory() -> MemoryGatewayBuilder {
        MemoryGatewayBuilder::default()
    }

    /// Returns the URL for requests, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        self.service.endpoint()
    }

    /// Returns the URL of the control API; see [`MemoryGatewayBuilder::control`].
    pub fn control_endpoint(&self) -> Option<&str> {
        self.service.control_endpoint()
    }

    /// Returns the project of the instance.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Returns the id of the only instance.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Returns the access key for signing requests.
    pub fn access_key(&self) -> &str {
        self.credentials.access_key().unwrap_or_default()
    }

    /// Returns the secret key of [`Gateway::access_key`].
    pub fn secret_key(&self) -> &str {
        self.credentials.secret_key().unwrap_or_default()
    }

    /// Returns access key and secret key, and the security token of a temporary key.
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// Returns the offsets of one partition without a request, or `None` when the partition does not exist.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<PartitionOffsets> {
        self.backend.partition(topic, partition)
    }

    /// Appends records to a partition like a producer. Returns the new high watermark, or `None` when the partition does
    /// not exist or its end would not be less than 2<sup>63</sup>.
    pub fn append(&self, topic: &str, partition: i32, records: u64) -> Option<i64> {
        let offsets = self.backend.append(topic, partition, records)?;
        Some(offsets.high_watermark)
    }

    /// Returns the line to print when this gateway is a separate process.
    pub fn ready_line(&self) -> ReadyLine<'_> {
        let printable = self.generated && self.service.address().ip().is_loopback();
        let mut line = self.service.ready_line();
        line.access_key = Some(self.access_key());
        line.secret_key = printable.then(|| self.secret_key());
        line
    }

    /// Stops accepting requests and waits for those in flight, one minute at most.
    pub async fn shutdown(self) {
        self.service.shutdown().await;
    }
}

/// Builds a gateway whose topics are in memory; see [`Gateway::memory`].
///
/// Settings are checked by [`MemoryGatewayBuilder::start`].
#[derive(Debug)]
#[must_use = "the gateway runs only after start() is awaited"]
pub struct MemoryGatewayBuilder {
    /// Without the instance, the key, and the projects of key and token.
    config: Config,
    instance: InstanceConfig,
    topics: Vec<TopicSettings>,
    key: AccessKeyConfig,
    generated: bool,
}

impl Default for MemoryGatewayBuilder {
    fn default() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        let mut access_key = random().to_uppercase();
        access_key.truncate(20);
        Self {
            config: Config::new((Ipv4Addr::LOCALHOST, 0).into()),
            instance: InstanceConfig {
                id: Uuid::new_v4().to_string(),
                project_id: random(),
                kafka: None,
                memory: None,
                holds: Holds::default(),
            },
            topics: Vec::new(),
            key: AccessKeyConfig {
                access_key,
                secret_key: SecretSource::given(random() + &random()),
                security_token: None,
                projects: None,
                instances: None,
                topics: None,
                operations: None,
                _former: RemovedSetting,
            },
            generated: true,
        }
    }
}

impl MemoryGatewayBuilder {
    /// Listens on this address instead of a free port of 127.0.0.1; port 0 is any free port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.listen = address;
        self
    }

    /// Uses this project id (1 to 64 of `A-Z a-z 0-9 . _ -`) instead of a generated one.
    pub fn project_id(mut self, id: impl Into<String>) -> Self {
        self.instance.project_id = id.into();
        self
    }

    /// Uses this instance id (1 to 64 of `A-Z a-z 0-9 . _ -`) instead of a generated one.
    pub fn instance(mut self, id: impl Into<String>) -> Self {
        self.instance.id = id.into();
        self
    }

    /// Uses this key pair instead of a generated one.
    pub fn access_key(
        mut self,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Self {
        self.key.access_key = access_key.into();
        self.key.secret_key = SecretSource::given(secret_key);
        self.generated = false;
        self
    }

    /// Makes the key a temporary one: requests must carry this token in `X-Security-Token`, and sign it.
    pub fn security_token(mut self, token: impl Into<String>) -> Self {
        self.key.security_token = Some(SecretSource::given(token));
        self
    }

    /// Accepts signatures that do not cover `Host`, such as those of the vendor's Go SDK.
    pub fn accept_unsigned_host(mut self) -> Self {
        self.config.accept_unsigned_host = true;
        self
    }

    /// Also accepts requests that carry this token in `X-Auth-Token`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.config.tokens = vec![TokenConfig {
            name: "token".to_owned(),
            token: SecretSource::given(token),
            projects: None,
            instances: None,
            topics: None,
            operations: None,
            _former: RemovedSetting,
        }];
        self
    }

    /// Adds a topic with `records_each` records in each partition, from offset 0 on.
    pub fn topic(self, name: impl Into<String>, partitions: u32, records_each: u64) -> Self {
        self.with_topic(name, partitions, records_each, CleanupPolicy::Delete)
    }

    /// Adds a topic that is compacted only: deleting its records fails with Kafka's `POLICY_VIOLATION` (44).
    pub fn compacted_topic(
        self,
        name: impl Into<String>,
        partitions: u32,
        records_each: u64,
    ) -> Self {
        self.with_topic(name, partitions, records_each, CleanupPolicy::Compact)
    }

    /// Writes `error_code` as an integer, as in the example of the vendor's page, instead of a string.
    pub fn integer_error_codes(mut self, integer: bool) -> Self {
        self.config.error_code = if integer {
            ErrorCodeStyle::Integer
        } else {
            ErrorCodeStyle::Text
        };
        self
    }

    /// Accepts requests of programs on this machine, signed or not. Only for a loopback address.
    pub fn anonymous(mut self) -> Self {
        self.config.anonymous = true;
        self
    }

    /// Serves the control API on a free port of 127.0.0.1: it resets and changes topics and faults, for tests in other
    /// languages.
    pub fn control(mut self) -> Self {
        self.config.control_listen = Some((Ipv4Addr::LOCALHOST, 0).into());
        self
    }

    /// Injects faults into requests.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.config.faults = Some(faults);
        self
    }

    fn with_topic(
        mut self,
        name: impl Into<String>,
        partitions: u32,
        records: u64,
        cleanup_policy: CleanupPolicy,
    ) -> Self {
        self.topics.push(TopicSettings {
            name: name.into(),
            partitions,
            records,
            cleanup_policy,
        });
        self
    }

    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error`] when a setting is invalid or the gateway cannot listen on the address.
    pub async fn start(self) -> Result<Gateway, Error> {
        let Self {
            mut config,
            instance,
            topics,
            mut key,
            generated,
        } = self;
        let no_environment = |_: &str| None;
        let credentials = key.credentials("[[access_key]]", &no_environment)?;
        let backend = Arc::new(MemoryBackend::with_topics(&topics)?);
        let (project_id, instance_id) = (instance.project_id.clone(), instance.id.clone());
        config.instances.push(InstanceConfig {
            memory: Some(MemoryConfig { topics }),
            ..instance
        });
        if config.anonymous {
            config.tokens.clear();
        } else {
            key.projects = Some(vec![project_id.clone()]);
            for token in &mut config.tokens {
                token.projects.clone_from(&key.projects);
            }
            config.access_keys.push(key);
        }
        let checked = config.check_with_backends(vec![backend.clone()], &no_environment)?;
        Ok(Gateway {
            service: checked.start().await?,
            project_id,
            instance_id,
            credentials,
            generated,
            backend,
        })
    }
}
