//! Admin queries and commands, each with a deadline.

use std::{
    array,
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

use futures_util::future::{join_all, try_join};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    config::RDKafkaLogLevel,
    consumer::Consumer as _,
    error::{KafkaError, KafkaResult},
    metadata::Metadata,
    types::RDKafkaErrorCode,
};
use tokio::{
    select,
    sync::{Mutex as AsyncMutex, OnceCell, Semaphore, watch},
    task::spawn_blocking,
    time::{Instant, sleep, timeout, timeout_at},
};
use zeroize::Zeroizing;

use super::{
    client::{create, lock},
    lanes::{Brokers, Leaders},
    librdkafka::{LogContext, Reader, check, write_log},
    nudge::{self, Nudge},
    queue::LANES,
    results::{
        self, Failure, OptionalResults, PartitionResults, TopicPartition, TopicResults,
        topic_offsets_in,
    },
};
use crate::{backend::BackendMetrics, error::Error};

/// The longest time for one query: after it, another broker may be queried. Also how much longer than its broker a client
/// waits.
pub(super) const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest time for the metadata of one topic.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a query may take while brokers refuse the gateway.
const REFUSED_QUERY_TIMEOUT: Duration = Duration::from_millis(300);

/// Concurrent queries. librdkafka blocks a thread for each, and the runtime's blocking threads are shared.
const MAX_QUERIES: usize = 32;

/// How long the gateway's metadata of a topic is used. An outdated leader refuses, and then it is refreshed.
const LEADERS_FOR: Duration = Duration::from_secs(60);

/// The topic of commits, which need not exist.
pub(super) const OFFSETS_TOPIC: &str = "__consumer_offsets";

pub(super) struct Cluster {
    pub(super) config: ClientConfig,
    instance: String,
    /// Queries metadata and offsets, and writes the log: an `AdminClient` does not pass its log lines to a context.
    reader: OnceCell<Arc<Reader>>,
    lanes: [OnceCell<Arc<Admin>>; LANES],
    nudge: Option<Nudge>,
    metrics: OnceLock<BackendMetrics>,
    queries: Arc<Semaphore>,
    /// Topics that have existed. librdkafka keeps every topic name that was queried, so only these names are queried.
    seen: Mutex<HashSet<String>>,
    topics: Mutex<HashMap<Arc<str>, Arc<KnownLeaders>>>,
    /// One partition of each leader, and until when they are used.
    probes: Mutex<Option<(Instant, Vec<Probe>)>>,
    /// Why brokers refuse the gateway, until one responds.
    refused: watch::Sender<Option<String>>,
}

type Admin = AdminClient<DefaultClientContext>;

/// Locked while its leaders are asked for, so that concurrent deletions ask once.
type KnownLeaders = AsyncMutex<Option<Arc<Leaders>>>;

/// A partition, and the broker that leads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) id: i32,
    /// Negative if there is none.
    leader: i32,
}

/// A leader, and one of its partitions.
#[derive(Clone)]
struct Probe {
    leader: i32,
    partition: TopicPartition,
}

impl Cluster {
    pub(super) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
        nudge_topic: Option<&str>,
    ) -> Result<Self, Error> {
        // Before librdkafka's first use of OpenSSL. Otherwise OpenSSL frees its memory when the process ends, while
        // librdkafka's threads still use it, and the process ends with SIGSEGV.
        #[cfg(feature = "kafka-tls")]
        openssl::init();
        let mut config = ClientConfig::new();
        for (name, value) in properties {
            config.set(name, value.as_str());
        }
        check(instance, &config)?;
        let nudge = nudge_topic.map(|topic| Nudge::new(topic, config.clone()));
        Ok(Self {
            nudge,
            metrics: OnceLock::new(),
            config,
            instance: instance.to_owned(),
            reader: OnceCell::new(),
            lanes: array::from_fn(|_| OnceCell::new()),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            seen: Mutex::default(),
            topics: Mutex::default(),
            probes: Mutex::default(),
            refused: watch::Sender::new(None),
        })
    }

    /// The reader, which connects to the cluster when it is created.
    pub(super) async fn reader(&self) -> Result<Arc<Reader>, Failure> {
        let reader = self.reader.get_or_try_init(async || {
            let mut config = self.config.clone();
            config.set_log_level(RDKafkaLogLevel::Notice);
            let context = self.log_context();
            create(move || {
                let reader: Arc<Reader> = Arc::new(config.create_with_context(context)?);
                write_log(&reader)
                    .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
                Ok(reader)
            })
            .await
        });
        reader.await.cloned()
    }

    pub(super) fn log_context(&self) -> LogContext {
        LogContext {
            instance: self.instance.clone(),
            #[cfg(feature = "kafka-tls")]
            config: self.config.clone(),
            refused: self.refused.clone(),
        }
    }

    /// The id of the cluster.
    pub(super) async fn id(&self, deadline: impl Into<Instant>) -> Result<String, Failure> {
        let (deadline, reader) = (deadline.into(), self.reader().await?);
        loop {
            let reader = reader.clone();
            let asked = self.query(QUERY_TIMEOUT, deadline, move |time| {
                reader.fetch_metadata(Some(OFFSETS_TOPIC), time).map(drop)
            });
            match asked.await {
                Err(failure) if !failure.is_fatal() && Instant::now() < deadline => {}
                result => break result?,
            }
        }
        let found = self.query(QUERY_TIMEOUT, deadline, move |time| {
            Ok(reader.client().fetch_cluster_id(time))
        });
        let id = found.await?;
        id.ok_or_else(|| Failure::unknown(&"the brokers do not tell the id of their cluster"))
    }

    /// The client of a lane, which connects to the cluster when it is created.
    async fn lane(&self, lane: usize) -> Result<Arc<Admin>, Failure> {
        let client = self.lanes[lane].get_or_try_init(async || {
            let mut config = self.config.clone();
            // The log lines of these clients are not read, and would fill their queue.
            config.set_log_level(RDKafkaLogLevel::Emerg);
            create(move || Ok(Arc::new(config.create()?))).await
        });
        client.await.cloned()
    }

    pub(super) fn set_metrics(&self, metrics: &BackendMetrics) {
        // The gateway starts once.
        let _ = self.metrics.set(metrics.clone());
    }

    /// Connects before the first request needs it, and warns if the nudge topic does not fit.
    pub(super) async fn warm_up(&self) {
        let instance = &*self.instance;
        if let Err(failure) = try_join(self.reader(), self.lane(0)).await {
            tracing::warn!(instance, reason = %failure, "cannot connect to the cluster yet");
        }
        match self.check_nudge_topic().await {
            Ok(None) => {}
            Ok(Some(lacks)) => tracing::warn!(
                instance,
                lacks,
                "nudge_topic does not wake every follower: some deletions take longer"
            ),
            Err(failure) => {
                tracing::warn!(instance, reason = %failure, "nudge_topic cannot be checked");
            }
        }
    }

    /// What the nudge topic lacks.
    async fn check_nudge_topic(&self) -> Result<Option<String>, Failure> {
        let Some(nudge) = &self.nudge else {
            return Ok(None);
        };
        let (reader, topic) = (self.reader().await?, nudge.topic.clone());
        let deadline = Instant::now() + 2 * QUERY_TIMEOUT;
        self.partitions(&topic, deadline).await?;
        let metadata = self.query(QUERY_TIMEOUT, deadline, move |time| {
            reader.fetch_metadata(Some(&topic), time)
        });
        Ok(nudge.lacks(&metadata.await?))
    }

    /// Wakes followers again and again, until it is dropped.
    async fn keep_nudging(&self, leader: i32) -> Infallible {
        let (Some(nudge), Some(metrics)) = (&self.nudge, self.metrics.get()) else {
            return pending().await;
        };
        sleep(nudge::FIRST).await;
        loop {
            if nudge.is_due(leader) {
                let deadline = Instant::now() + QUERY_TIMEOUT;
                let not_before = nudge.failed(leader);
                let leaders = self.leaders(&nudge.topic, not_before, deadline).await;
                nudge.send(leader, leaders, metrics).await;
            }
            sleep(nudge::INTERVAL).await;
        }
    }

    /// Asks the leader of a partition of each leader for an offset. Fails if one of them does not respond.
    pub(super) async fn ask_leaders(&self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let asked = self.ask_probes(deadline).await;
            if asked.is_ok() {
                return Ok(());
            }
            *lock(&self.probes) = None;
            if asked.as_ref().is_err_and(Failure::is_fatal) || Instant::now() >= deadline {
                return asked;
            }
        }
    }

    async fn ask_probes(&self, deadline: Instant) -> Result<(), Failure> {
        let known = lock(&self.probes).clone();
        let probes = match known.filter(|(until, _)| Instant::now() < *until) {
            Some((_, probes)) => probes,
            None => self.find_probes(deadline).await?,
        };
        let asked = probes.iter().map(async |probe| {
            let partitions = vec![probe.partition.clone()];
            let results = self.list_offsets(partitions, Offset::End, deadline).await;
            let failed = match results {
                Ok(results) => results.into_iter().find_map(|(_, offset)| offset.err()),
                Err(failure) => Some(failure),
            };
            failed.map_or(Ok(()), |failure| Err(failure.of_broker(probe.leader)))
        });
        let asked = join_all(asked).await;
        asked.into_iter().collect::<Result<(), _>>()?;
        lock(&self.probes).get_or_insert((Instant::now() + LEADERS_FOR, probes));
        Ok(())
    }

    async fn find_probes(&self, deadline: Instant) -> Result<Vec<Probe>, Failure> {
        let reader = self.reader().await?;
        let metadata = self.query(QUERY_TIMEOUT, deadline, move |time| {
            reader.fetch_metadata(None, time)
        });
        let metadata = metadata.await?;
        let mut probes = BTreeMap::new();
        for topic in metadata.topics() {
            for partition in topic.partitions() {
                if partition.leader() >= 0 {
                    probes
                        .entry(partition.leader())
                        .or_insert((topic.name().into(), partition.id()));
                }
            }
        }
        let probes = probes.into_iter();
        Ok(probes
            .map(|(leader, partition)| Probe { leader, partition })
            .collect())
    }

    /// The current partitions of a topic; updates the reader's metadata.
    pub(super) async fn partitions(
        &self,
        topic: &str,
        deadline: impl Into<Instant>,
    ) -> Result<Vec<Partition>, Failure> {
        let reader = self.reader().await?;
        let (name, seen) = (topic.to_owned(), lock(&self.seen).contains(topic));
        let partitions = self.query(QUERY_TIMEOUT, deadline, move |time| {
            let time = if seen {
                time.min(METADATA_TIMEOUT)
            } else {
                time
            };
            partitions_of(&reader.fetch_metadata(seen.then_some(&*name), time)?, &name)
        });
        let partitions = partitions.await.inspect_err(|failure| {
            let is_nudge = |nudge: &Nudge| *nudge.topic == *topic;
            // A nudge topic has a warning of its own.
            if failure.is_unknown_topic() && !self.nudge.as_ref().is_some_and(is_nudge) {
                let instance = &*self.instance;
                tracing::warn!(
                    instance,
                    topic,
                    "the cluster shows no such topic: it does not exist, or the user of the gateway lacks the ACL operation Describe"
                );
            }
        })?;
        lock(&self.seen).insert(topic.to_owned());
        Ok(partitions)
    }

    /// The first or the next offset of each of these partitions.
    pub(super) async fn offsets(
        &self,
        topic: &str,
        partitions: &[Partition],
        which: Offset,
        deadline: impl Into<Instant>,
    ) -> PartitionResults {
        let found = self.optional_offsets(topic, partitions, which, deadline);
        results::present(found.await)
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
        deadline: impl Into<Instant>,
    ) -> OptionalResults {
        let (topic, deadline): (Arc<str>, Instant) = (topic.into(), deadline.into());
        let mut by_leader: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
        for partition in partitions {
            let of_leader = by_leader.entry(partition.leader).or_default();
            of_leader.push((topic.clone(), partition.id));
        }
        let asked = by_leader.into_iter().map(async |(leader, partitions)| {
            let results = match leader {
                0.. => self.list_offsets(partitions.clone(), which, deadline).await,
                _ => Err(Failure::no_leader()),
            };
            results.unwrap_or_else(|failure| {
                let failed = |partition| (partition, Err(failure.clone()));
                partitions.into_iter().map(failed).collect()
            })
        });
        let results = join_all(asked).await.into_iter().flatten();
        results.map(|((_, id), result)| (id, result)).collect()
    }

    async fn list_offsets(
        &self,
        partitions: Vec<TopicPartition>,
        which: Offset,
        deadline: Instant,
    ) -> Result<Vec<(TopicPartition, Result<Option<i64>, Failure>)>, Failure> {
        let reader = self.reader().await?;
        let results = self.query(QUERY_TIMEOUT, deadline, move |time| {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for (topic, partition) in partitions {
                list.add_partition_offset(&topic, partition, which)?;
            }
            reader
                .offsets_for_times(list, time)
                .map(|list| topic_offsets_in(&list))
        });
        results.await
    }

    /// Lets the client of a lane ask metadata for a topic. librdkafka chooses a broker, which may hang.
    async fn ask_metadata(
        &self,
        client: Arc<Admin>,
        topic: Arc<str>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        loop {
            let (client, topic) = (client.clone(), topic.clone());
            let asked = self.query(METADATA_TIMEOUT, deadline, move |time| {
                client.inner().fetch_metadata(Some(&topic), time).map(drop)
            });
            match asked.await {
                Err(failure) if failure.is_no_answer() && Instant::now() < deadline => {}
                result => return result,
            }
        }
    }

    /// Runs a query that blocks its thread until it ends, or until its timeout.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        longest: Duration,
        deadline: impl Into<Instant>,
        query: impl FnOnce(Duration) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let deadline = deadline.into();
        let permit = timeout_at(deadline, self.queries.clone().acquire_owned());
        let permit = permit.await.map_err(|_| Failure::timed_out())?;
        let time = longest.min(deadline.saturating_duration_since(Instant::now()));
        let refused = self.refused.clone();
        let asked = spawn_blocking(move || {
            let result = query(time);
            if result.is_ok() {
                refused.send_if_modified(|reason| reason.take().is_some());
            }
            drop(permit);
            result
        });
        select! {
            // A guard in case librdkafka does not keep the timeout.
            asked = timeout(time + QUERY_TIMEOUT, asked) => match asked {
                Ok(Ok(result)) => Ok(result?),
                Ok(Err(error)) => Err(Failure::unknown(&error)),
                Err(_) => Err(Failure::timed_out()),
            },
            failure = self.refusal() => Err(failure),
        }
    }

    /// Waits until brokers have refused the gateway for long enough.
    async fn refusal(&self) -> Failure {
        sleep(REFUSED_QUERY_TIMEOUT).await;
        let mut refused = self.refused.subscribe();
        // The sender is not dropped before this future.
        let refused = refused.wait_for(Option::is_some).await;
        let reason = refused.ok().and_then(|reason| reason.clone());
        Failure::fatal(&reason.unwrap_or_default())
    }
}

/// An `AdminClient` needs up to 100 ms to stop its thread.
impl Drop for Cluster {
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            if let Some(client) = lane.take() {
                // If there can be no more threads, this one waits.
                let _ = thread::Builder::new().spawn(move || drop(client));
            }
        }
    }
}

impl Brokers for Cluster {
    async fn leaders(
        &self,
        name: &Arc<str>,
        not_before: Option<Instant>,
        deadline: Instant,
    ) -> Result<Arc<Leaders>, Failure> {
        let topic = lock(&self.topics).entry(name.clone()).or_default().clone();
        let mut known = topic.lock().await;
        if let Some(leaders) = &*known
            && not_before.is_none_or(|time| leaders.asked >= time)
            && leaders.asked.elapsed() < LEADERS_FOR
        {
            return Ok(leaders.clone());
        }
        let asked = Instant::now();
        match self.partitions(name, deadline).await {
            Ok(partitions) => {
                let of = partitions.iter().map(|found| (found.id, found.leader));
                let of = of.collect();
                // An old answer that is confirmed suffices for lanes.
                let confirmed = known
                    .take()
                    .filter(|old| not_before.is_none() && old.of == of);
                let since = confirmed.map_or(asked, |old| old.since);
                let leaders = Arc::new(Leaders { asked, since, of });
                Ok(known.insert(leaders).clone())
            }
            Err(failure) => {
                if failure.is_unknown_topic() {
                    lock(&self.topics).remove(name);
                }
                Err(failure)
            }
        }
    }

    async fn ends(&self, partitions: Vec<TopicPartition>) -> Result<TopicResults, Failure> {
        let deadline = Instant::now() + QUERY_TIMEOUT;
        // librdkafka has one error for all partitions of a call: halves show which of them it is about.
        let (mut ends, mut parts) = (Vec::new(), vec![partitions]);
        while let Some(mut part) = parts.pop() {
            match self.list_offsets(part.clone(), Offset::End, deadline).await {
                Ok(found) => ends.extend(found),
                Err(failure) if failure.is_from_broker() && part.len() > 1 => {
                    parts.push(part.split_off(part.len() / 2));
                    parts.push(part);
                }
                Err(failure) => {
                    ends.extend(part.into_iter().map(|it| (it, Err(failure.clone()))));
                }
            }
        }
        Ok(results::present(ends))
    }

    async fn connect(
        &self,
        lane: usize,
        topics: Vec<Arc<str>>,
        (topic, partition): TopicPartition,
    ) -> Result<(), Failure> {
        let (client, deadline) = (self.lane(lane).await?, Instant::now() + QUERY_TIMEOUT);
        let asked = topics.into_iter().map(|topic| {
            let client = client.clone();
            self.ask_metadata(client, topic, deadline)
        });
        let mut asked = join_all(asked).await;
        let asked_leader = self.query(QUERY_TIMEOUT, deadline, move |time| {
            let offsets = client.inner().fetch_watermarks(&topic, partition, time);
            offsets.map(drop)
        });
        asked.push(asked_leader.await);
        let mut failures = asked.into_iter().filter_map(Result::err);
        failures
            .find(|failure| !failure.is_from_broker())
            .map_or(Ok(()), Err)
    }

    async fn delete(
        &self,
        lane: usize,
        leader: i32,
        rows: Vec<(TopicPartition, i64)>,
        patience: Duration,
    ) -> Result<TopicResults, Failure> {
        let client = self.lane(lane).await?;
        // The broker's timeout must be shorter than the client's, so that its response still arrives.
        let time = patience + QUERY_TIMEOUT;
        let options = AdminOptions::new()
            .request_timeout(Some(time))
            .operation_timeout(Some(patience));
        let deleting = {
            let mut list = TopicPartitionList::with_capacity(rows.len());
            for ((topic, partition), before) in rows {
                list.add_partition_offset(&topic, partition, Offset::Offset(before))?;
            }
            client.delete_records(&list, &options)
        };
        let started = Instant::now();
        let deleted = select! {
            deleted = timeout(time + QUERY_TIMEOUT, deleting) => deleted,
            never = self.keep_nudging(leader) => match never {},
        };
        if let Some(metrics) = self.metrics.get() {
            metrics.deletions.observe(started.elapsed().as_secs_f64());
        }
        match deleted {
            // When it fails as a whole, librdkafka found no leader.
            Ok(deleted) => Ok(results::present(topic_offsets_in(&deleted?))),
            Err(_) => Ok(TopicResults::new()),
        }
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
