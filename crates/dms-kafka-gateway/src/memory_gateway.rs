//! A gateway whose topics are in memory, and its builder.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use huaweicloud_auth::Credentials;
use uuid::Uuid;

use crate::{
    backend::{
        GroupState, PartitionOffsets,
        memory::{CleanupPolicy, MemoryBackend, TopicSettings},
        memory_groups::{CommitSettings, GroupSettings},
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
        let offsets = self.backend.append(topic, partition, 0, records, None)?;
        Some(offsets.high_watermark)
    }

    /// As [`Gateway::append`], with the times of the first and the last record in milliseconds since 1970; the times of the
    /// records between them lie on a line. Times may fall, and may be before those of earlier records. When a partition
    /// has 10,000 such lines, further records change the times of the last one.
    pub fn append_at(
        &self,
        topic: &str,
        partition: i32,
        records: u64,
        times: (i64, i64),
    ) -> Option<i64> {
        let offsets = self
            .backend
            .append(topic, partition, 0, records, Some(times))?;
        Some(offsets.high_watermark)
    }

    /// Adds offsets without records to a partition, as compaction and transactions leave them. Returns the new high
    /// watermark, or `None` when the partition does not exist, has 10,000 lines of records, or its end would not be less than
    /// 2<sup>63</sup>.
    pub fn skip_offsets(&self, topic: &str, partition: i32, offsets: u64) -> Option<i64> {
        let offsets = self.backend.append(topic, partition, offsets, 0, None)?;
        Some(offsets.high_watermark)
    }

    /// Creates a topic, or replaces the one of the same name. Returns whether there was one.
    ///
    /// # Errors
    /// [`Error`] when a setting is invalid.
    pub fn put_topic(&self, topic: &TopicSettings) -> Result<bool, Error> {
        let put = self.backend.put(topic);
        let refuse = |rule| Error::invalid_setting("topic", &topic.name, rule);
        put.map(|(_, replaced)| replaced).map_err(refuse)
    }

    /// Deletes a topic with the commits of all groups in it. Returns whether there was one.
    pub fn remove_topic(&self, topic: &str) -> bool {
        self.backend.remove(topic)
    }

    /// Creates a consumer group, or replaces the one of the same name. Returns whether there was one.
    ///
    /// # Errors
    /// [`Error`] when a setting is invalid.
    pub fn put_group(&self, group: &GroupSettings) -> Result<bool, Error> {
        let refuse = |rule| Error::invalid_setting("group", &group.name, rule);
        self.backend.put_group(group).map_err(refuse)
    }

    /// Deletes a consumer group. Returns whether there was one.
    pub fn remove_group(&self, group: &str) -> bool {
        self.backend.remove_group(group)
    }

    /// Commits an offset like a consumer of a group, which is created if it does not exist.
    ///
    /// # Errors
    /// [`Error`] when the partition does not exist, or the name or the offset is invalid.
    pub fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), Error> {
        let topic = topic.to_owned();
        let commit = CommitSettings {
            topic,
            partition,
            offset,
        };
        let refuse = |rule| Error::invalid_setting("group", group, rule);
        self.backend.commit(group, commit).map_err(refuse)
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
    groups: Vec<GroupSettings>,
    key: AccessKeyConfig,
    generated: bool,
}

impl Default for MemoryGatewayBuilder {
    fn default() -> Self {
        Self {
            config: Config::new((Ipv4Addr::LOCALHOST, 0).into()),
            instance: InstanceConfig {
                id: Uuid::new_v4().to_string(),
                project_id: Uuid::new_v4().simple().to_string(),
                kafka: None,
                nudge_topic: None,
                memory: None,
                holds: Holds::default(),
            },
            topics: Vec::new(),
            groups: Vec::new(),
            key: AccessKeyConfig::generated(),
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

    /// Adds a consumer group that committed these offsets in partitions of a topic, each as partition and offset. It has no
    /// members. For the same group again, adds commits.
    pub fn group(
        mut self,
        name: impl Into<String>,
        topic: impl Into<String>,
        commits: impl IntoIterator<Item = (i32, i64)>,
    ) -> Self {
        let topic = topic.into();
        let commits = commits
            .into_iter()
            .map(|(partition, offset)| CommitSettings {
                topic: topic.clone(),
                partition,
                offset,
            });
        self.with_group(name.into()).commits.extend(commits);
        self
    }

    /// Sets the state of a consumer group, which is added if it does not exist.
    pub fn group_state(mut self, name: impl Into<String>, state: GroupState) -> Self {
        self.with_group(name.into()).state = state;
        self
    }

    fn with_group(&mut self, name: String) -> &mut GroupSettings {
        let known = self.groups.iter().position(|group| group.name == name);
        let index = known.unwrap_or_else(|| {
            self.groups.push(GroupSettings {
                name,
                state: GroupState::default(),
                commits: Vec::new(),
            });
            self.groups.len() - 1
        });
        // It is in the list.
        &mut self.groups[index]
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

    /// Injects faults into requests: [`Faults`], or one [`FaultRule`](crate::FaultRule).
    pub fn faults(mut self, faults: impl Into<Faults>) -> Self {
        self.config.faults = Some(faults.into());
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
            groups,
            mut key,
            generated,
        } = self;
        let no_environment = |_: &str| None;
        let credentials = key.credentials("[[access_key]]", &no_environment)?;
        let backend = Arc::new(MemoryBackend::new(&topics, &groups)?);
        let (project_id, instance_id) = (instance.project_id.clone(), instance.id.clone());
        config.instances.push(InstanceConfig {
            memory: Some(MemoryConfig { topics, groups }),
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
