//! Questions to a cluster and orders, each with a deadline.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
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
    admins::{Admins, Lease},
    answers::{Answers, Failure, answers_in},
};
use crate::error::Error;

/// For how long one broker may keep a question to itself: another one may answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Questions asked at a time. librdkafka blocks a thread for each, and the runtime's threads are everybody's.
const QUESTIONS: usize = 32;

/// How often the thread that writes log lines looks whether it is still needed.
const LOG_POLL: Duration = Duration::from_millis(250);

/// A topic that every cluster either has or knows not to have.
const ANY_TOPIC: &str = "__consumer_offsets";

/// One cluster, and what is known of it.
pub(super) struct Cluster {
    /// Delete.
    admins: Admins,
    config: ClientConfig,
    instance: String,
    /// Answers questions about offsets, and writes the log: nobody reads that of an `AdminClient`.
    reader: OnceCell<Arc<Reader>>,
    questions: Arc<Semaphore>,
    /// Topics that have existed. librdkafka never forgets a topic that it was asked for by name, so it is asked for no
    /// others.
    seen: Mutex<HashSet<String>>,
}

type Reader = BaseConsumer<LogContext>;

/// A partition, and the broker that leads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partition {
    pub(super) id: i32,
    /// Negative when there is none at the moment.
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
            admins: Admins::new(config.clone()),
            config,
            instance: instance.to_owned(),
            reader: OnceCell::new(),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            seen: Mutex::default(),
        })
    }

    /// The reader, which connects to the cluster when it is made.
    async fn reader(&self) -> Result<Arc<Reader>, Failure> {
        let reader = self.reader.get_or_try_init(async || {
            let mut config = self.config.clone();
            config.set_log_level(RDKafkaLogLevel::Notice);
            let context = LogContext {
                instance: self.instance.clone(),
            };
            // It starts threads, and may read certificates.
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

    /// A client to delete with, for one deletion alone.
    pub(super) async fn admin(&self, deadline: Instant) -> Result<Lease<'_>, Failure> {
        timeout_at(deadline.into(), self.admins.lease())
            .await
            .unwrap_or_else(|_| Err(Failure::time_is_up()))
    }

    /// Asks any broker anything, and waits for its answer.
    pub(super) async fn answers(&self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let reader = self.reader().await?;
            let asked = self.ask(deadline, move |time| {
                reader.fetch_metadata(Some(ANY_TOPIC), time).map(drop)
            });
            match asked.await {
                Err(_) if Instant::now() < deadline => {}
                answer => return answer,
            }
        }
    }

    /// The partitions of a topic as the cluster knows them now, which the reader takes note of.
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

    /// The same, which the client to delete with takes note of.
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
        let partitions = self.ask(deadline, move |time| {
            partitions_of(&fetch(seen.then_some(&*name), time)?, &name)
        });
        let partitions = partitions.await?;
        self.seen().insert(topic.to_owned());
        Ok(partitions)
    }

    /// The first or the next offset of each of these partitions.
    ///
    /// Each leader is asked on its own, so that one that is away hides nobody else's answer.
    pub(super) async fn offsets(
        &self,
        topic: &str,
        partitions: &[Partition],
        which: Offset,
        deadline: Instant,
    ) -> Answers {
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            by_leader
                .entry(partition.leader)
                .or_default()
                .push(partition.id);
        }
        let asked = by_leader.into_iter().map(async |(leader, ids)| {
            let answers = match leader {
                0.. => self.list_offsets(topic, ids.clone(), which, deadline).await,
                _ => Err(Failure::no_leader()),
            };
            answers.unwrap_or_else(|failure| {
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
    ) -> Result<Answers, Failure> {
        let (reader, topic) = (self.reader().await?, topic.to_owned());
        let answers = self.ask(deadline, move |time| {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for partition in partitions {
                list.add_partition_offset(&topic, partition, which)?;
            }
            reader
                .offsets_for_times(list, time)
                .map(|list| answers_in(&list))
        });
        answers.await
    }

    /// Asks a question that blocks its thread until it is answered, or until the time that it is given is up.
    async fn ask<T: Send + 'static>(
        &self,
        deadline: Instant,
        question: impl FnOnce(Duration) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = timeout_at(deadline.into(), self.questions.clone().acquire_owned());
        let permit = permit.await.map_err(|_| Failure::time_is_up())?;
        let time = PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
        let asked = spawn_blocking(move || {
            let answer = question(time);
            drop(permit);
            answer
        });
        // librdkafka keeps to the time; this is for the case that it does not.
        match timeout_at((deadline + PATIENCE).into(), asked).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(error)) => Err(Failure::unknown(&error)),
            Err(_) => Err(Failure::time_is_up()),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn partitions_of(metadata: &Metadata, topic: &str) -> KafkaResult<Vec<Partition>> {
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

/// Serves the reader's queue of log lines as long as there is a reader.
fn write_log(reader: &Arc<Reader>) -> std::io::Result<()> {
    let reader = Arc::downgrade(reader);
    let writer = thread::Builder::new().name("librdkafka log".to_owned());
    writer
        .spawn(move || {
            while let Some(reader) = reader.upgrade() {
                // It reads no topic, so there is nothing to get but what was written down by the context.
                drop(reader.poll(LOG_POLL));
            }
        })
        .map(drop)
}

/// Writes librdkafka's log lines about the cluster of one instance among the gateway's own.
struct LogContext {
    instance: String,
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let instance = &*self.instance;
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
        // The log has a line about it already.
        tracing::debug!(instance = &*self.instance, %error, reason, "librdkafka");
    }
}

impl ConsumerContext for LogContext {}

/// Has librdkafka look at everything, certificates too, without a server that it could connect to.
fn check(instance: &str, config: &ClientConfig) -> Result<(), Error> {
    let mut config = config.clone();
    config.remove("bootstrap.servers");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let client: KafkaResult<AdminClient<DefaultClientContext>> = config.create();
    client.map(drop).map_err(|error| refused(instance, error))
}

/// Names the property, but not its value: it may be a secret.
fn refused(instance: &str, error: KafkaError) -> Error {
    let setting = format!("kafka of instance {instance:?}:");
    match error {
        KafkaError::ClientConfig(result, _, property, _) => {
            let rule = match result {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => "librdkafka has no such property",
                _ => "librdkafka does not take this value for it",
            };
            Error::invalid_setting(&setting, &property, rule)
        }
        error => Error::refused_setting(&setting, "properties", "librdkafka refuses them", error),
    }
}
