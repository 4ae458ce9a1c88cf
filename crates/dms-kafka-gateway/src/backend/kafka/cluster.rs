//! Admin queries and commands, each with a deadline.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use huaweicloud_auth::text;
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    admin::AdminClient,
    client::DefaultClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult},
    metadata::Metadata,
    types::{RDKafkaConfRes, RDKafkaErrorCode},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::spawn_blocking,
    time::timeout_at,
};
use zeroize::Zeroizing;

use super::{
    admin_pool::{AdminPool, Lease},
    results::{self, Failure, OptionalResults, PartitionResults, offsets_in},
};
use crate::error::Error;

/// The longest time for one query: after it, another broker may be queried.
pub(super) const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Concurrent queries. librdkafka blocks a thread for each, and the runtime's blocking threads are shared.
const MAX_QUERIES: usize = 32;

/// How often the thread that writes log lines checks whether it is still needed.
const LOG_POLL: Duration = Duration::from_millis(250);

/// The topic of commits, which need not exist.
pub(super) const OFFSETS_TOPIC: &str = "__consumer_offsets";

pub(super) struct Cluster {
    pool: AdminPool,
    pub(super) config: ClientConfig,
    instance: String,
    /// Queries offsets, and writes the log: an `AdminClient` does not pass its log lines to a context.
    reader: OnceCell<Arc<Reader>>,
    queries: Arc<Semaphore>,
    /// Topics that have existed. librdkafka keeps every topic name that was queried, so only these names are queried.
    seen: Mutex<HashSet<String>>,
}

pub(super) type Reader = BaseConsumer<LogContext>;

/// A partition, and the broker that leads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) id: i32,
    /// Negative if there is none.
    leader: i32,
}

impl Partition {
    pub(super) fn has_leader(self) -> bool {
        self.leader >= 0
    }
}

impl Cluster {
    pub(super) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
    ) -> Result<Self, Error> {
        let mut config = ClientConfig::new();
        for (name, value) in properties {
            config.set(name, value.as_str());
        }
        check(instance, &config)?;
        Ok(Self {
            pool: AdminPool::new(config.clone()),
            config,
            instance: instance.to_owned(),
            reader: OnceCell::new(),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            seen: Mutex::default(),
        })
    }

    /// The reader, which connects to the cluster when it is created.
    pub(super) async fn reader(&self) -> Result<Arc<Reader>, Failure> {
        let reader = self.reader.get_or_try_init(async || {
            let mut config = self.config.clone();
            config.set_log_level(RDKafkaLogLevel::Notice);
            let context = self.log_context();
            // Creating a client starts threads, and may read certificates.
            let created = spawn_blocking(move || {
                let reader: Arc<Reader> = Arc::new(config.create_with_context(context)?);
                write_log(&reader)
                    .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
                Ok::<_, KafkaError>(reader)
            });
            let created = created.await.map_err(|error| Failure::unknown(&error))?;
            created.map_err(Failure::from)
        });
        reader.await.cloned()
    }

    pub(super) fn log_context(&self) -> LogContext {
        LogContext {
            instance: self.instance.clone(),
        }
    }

    pub(super) async fn admin(&self, deadline: Instant) -> Result<Lease<'_>, Failure> {
        timeout_at(deadline.into(), self.pool.lease())
            .await
            .unwrap_or_else(|_| Err(Failure::timed_out()))
    }

    /// Queries any broker, to see whether the cluster responds.
    pub(super) async fn ping(&self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let reader = self.reader().await?;
            let asked = self.query(QUERY_TIMEOUT, deadline, move |time| {
                reader.fetch_metadata(Some(OFFSETS_TOPIC), time).map(drop)
            });
            match asked.await {
                Err(_) if Instant::now() < deadline => {}
                result => return result,
            }
        }
    }

    /// The id of the cluster.
    pub(super) async fn id(&self, deadline: Instant) -> Result<String, Failure> {
        self.ping(deadline).await?;
        let reader = self.reader().await?;
        let found = self.query(QUERY_TIMEOUT, deadline, move |time| {
            Ok(reader.client().fetch_cluster_id(time))
        });
        let id = found.await?;
        id.ok_or_else(|| Failure::unknown(&"the brokers do not tell the id of their cluster"))
    }

    /// The current partitions of a topic; updates the reader's metadata.
    pub(super) async fn partitions(
        &self,
        topic: &str,
        deadline: Instant,
    ) -> Result<Vec<Partition>, Failure> {
        let reader = self.reader().await?;
        self.find(topic, deadline, move |topic, time| {
            reader.fetch_metadata(topic, time)
        })
        .await
    }

    /// The current partitions of a topic; updates the metadata of the client that deletes.
    pub(super) async fn partitions_for(
        &self,
        lease: &Lease<'_>,
        topic: &str,
        deadline: Instant,
    ) -> Result<Vec<Partition>, Failure> {
        let admin = lease.client();
        self.find(topic, deadline, move |topic, time| {
            admin.inner().fetch_metadata(topic, time)
        })
        .await
    }

    async fn find(
        &self,
        topic: &str,
        deadline: Instant,
        fetch: impl FnOnce(Option<&str>, Duration) -> KafkaResult<Metadata> + Send + 'static,
    ) -> Result<Vec<Partition>, Failure> {
        let (name, seen) = (topic.to_owned(), self.seen().contains(topic));
        let partitions = self.query(QUERY_TIMEOUT, deadline, move |time| {
            partitions_of(&fetch(seen.then_some(&*name), time)?, &name)
        });
        let partitions = partitions.await?;
        self.seen().insert(topic.to_owned());
        Ok(partitions)
    }

    /// The first or the next offset of each of these partitions.
    pub(super) async fn offsets(
        &self,
        topic: &str,
        partitions: &[Partition],
        which: Offset,
        deadline: Instant,
    ) -> PartitionResults {
        let found = self.optional_offsets(topic, partitions, which, deadline);
        results::all(found.await)
    }

    /// The first or the next offset of each of these partitions, or the first one at or after the time that an
    /// `Offset::Offset` has in milliseconds since 1970, if there is one.
    ///
    /// Each leader is queried separately, so that an unavailable one does not affect the others' partitions.
    pub(super) async fn optional_offsets(
        &self,
        topic: &str,
        partitions: &[Partition],
        which: Offset,
        deadline: Instant,
    ) -> OptionalResults {
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            by_leader
                .entry(partition.leader)
                .or_default()
                .push(partition.id);
        }
        let asked = by_leader.into_iter().map(async |(leader, ids)| {
            let results = match leader {
                0.. => self.list_offsets(topic, ids.clone(), which, deadline).await,
                _ => Err(Failure::no_leader()),
            };
            results.unwrap_or_else(|failure| {
                ids.into_iter()
                    .map(|id| (id, Err(failure.clone())))
                    .collect()
            })
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn list_offsets(
        &self,
        topic: &str,
        partitions: Vec<i32>,
        which: Offset,
        deadline: Instant,
    ) -> Result<OptionalResults, Failure> {
        let (reader, topic) = (self.reader().await?, topic.to_owned());
        let results = self.query(QUERY_TIMEOUT, deadline, move |time| {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for partition in partitions {
                list.add_partition_offset(&topic, partition, which)?;
            }
            reader
                .offsets_for_times(list, time)
                .map(|list| offsets_in(&list))
        });
        results.await
    }

    /// Runs a query that blocks its thread until it ends, or until its timeout.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        longest: Duration,
        deadline: Instant,
        query: impl FnOnce(Duration) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = timeout_at(deadline.into(), self.queries.clone().acquire_owned());
        let permit = permit.await.map_err(|_| Failure::timed_out())?;
        let time = longest.min(deadline.saturating_duration_since(Instant::now()));
        let asked = spawn_blocking(move || {
            let result = query(time);
            drop(permit);
            result
        });
        // A guard in case librdkafka does not keep the timeout.
        match timeout_at((deadline + QUERY_TIMEOUT).into(), asked).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(error)) => Err(Failure::unknown(&error)),
            Err(_) => Err(Failure::timed_out()),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn partitions_of(metadata: &Metadata, topic: &str) -> KafkaResult<Vec<Partition>> {
    let topic = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(topic) = topic else {
        return Err(KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ));
    };
    if let Some(error) = topic.error() {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    let partitions = topic.partitions().iter().map(|partition| Partition {
        id: partition.id(),
        leader: partition.leader(),
    });
    let mut partitions: Vec<_> = partitions.collect();
    partitions.sort_by_key(|partition| partition.id);
    Ok(partitions)
}

/// Polls the reader's queue of log lines until the reader is dropped.
fn write_log(reader: &Arc<Reader>) -> std::io::Result<()> {
    let reader = Arc::downgrade(reader);
    let writer = thread::Builder::new().name("librdkafka log".to_owned());
    writer
        .spawn(move || {
            while let Some(reader) = reader.upgrade() {
                // It reads no topic: polling only passes log lines to the context.
                drop(reader.poll(LOG_POLL));
            }
        })
        .map(drop)
}

/// The most characters of a message of librdkafka in the log.
const MAX_LOG_MESSAGE: usize = 2000;

/// Writes librdkafka's log lines about one instance's cluster to the gateway's log.
#[derive(Clone)]
pub(super) struct LogContext {
    instance: String,
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let instance = &*self.instance;
        // It may quote a broker.
        let message = &*text::sanitize(message, &[], MAX_LOG_MESSAGE);
        match level {
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(instance, facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(instance, facility, message, "librdkafka");
            }
            _ => tracing::warn!(instance, facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // librdkafka also logs it, through `log`.
        let reason = &*text::sanitize(reason, &[], MAX_LOG_MESSAGE);
        tracing::debug!(instance = &*self.instance, %error, reason, "librdkafka");
    }
}

impl ConsumerContext for LogContext {}

/// Lets librdkafka check the properties and certificates without connecting.
fn check(instance: &str, config: &ClientConfig) -> Result<(), Error> {
    let mut config = config.clone();
    config.remove("bootstrap.servers");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let client: KafkaResult<AdminClient<DefaultClientContext>> = config.create();
    client.map(drop).map_err(|error| refused(instance, error))
}

/// Names the property, but not its value, which may be a secret.
fn refused(instance: &str, error: KafkaError) -> Error {
    let setting = format!("kafka of instance {instance:?}:");
    match error {
        KafkaError::ClientConfig(result, _, property, _) => {
            let rule = match result {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => "librdkafka has no such property",
                _ => "librdkafka does not accept this value",
            };
            Error::invalid_setting(&setting, &property, rule)
        }
        error => Error::refused_setting(&setting, "properties", "librdkafka refuses them", error),
    }
}
