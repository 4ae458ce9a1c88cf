//! Wakes followers that wait for records, so that they apply a deletion at once.
//!
//! A follower asks its leader for records, and the leader responds when there are some, at the latest after the brokers'
//! `replica.fetch.wait.max.ms`. Only then does the follower learn of a deletion. A record in any partition that the follower
//! copies from this leader ends the wait.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    message::DeliveryResult,
    metadata::{Metadata, MetadataBroker},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};
use tokio::{sync::Mutex as AsyncMutex, task::spawn_blocking, time::Instant};

use super::{
    client::{create, lock},
    lanes::Leaders,
    results::Failure,
};
use crate::backend::BackendMetrics;

/// The first nudge after a deletion is sent; without followers, it has been responded to by then.
pub(super) const FIRST: Duration = Duration::from_millis(2);

/// The time between nudges while a deletion waits.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);

/// After a failure, nothing is nudged for this long.
const PAUSE: Duration = Duration::from_secs(5);

/// Properties of the producer: a record is sent at once, and never again.
const PROPERTIES: [(&str, &str); 5] = [
    ("acks", "1"),
    ("enable.idempotence", "false"),
    ("linger.ms", "0"),
    ("message.timeout.ms", "1000"),
    ("retries", "0"),
];

pub(super) struct Nudge {
    pub(super) topic: Arc<str>,
    config: ClientConfig,
    /// Replaced after a failure: librdkafka remembers for long that a topic does not exist.
    producer: AsyncMutex<Option<Arc<BaseProducer<Reports>>>>,
    leaders: Mutex<HashMap<i32, State>>,
}

/// Of the nudges of one leader.
#[derive(Clone, Copy, Default)]
struct State {
    /// When the leader may be nudged again.
    next: Option<Instant>,
    /// The last failure since a record was written. The first one is logged.
    failed: Option<Instant>,
}

/// Whether the last record for each leader was written.
struct Reports {
    results: Mutex<HashMap<usize, Result<(), Failure>>>,
    metrics: BackendMetrics,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    /// The leader.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, leader: usize) {
        let result = match result {
            Ok(_) => {
                self.metrics.nudges.inc();
                Ok(())
            }
            Err((error, _)) => Err(Failure::from(error.clone())),
        };
        lock(&self.results).insert(leader, result);
    }
}

impl Nudge {
    pub(super) fn new(topic: &str, mut config: ClientConfig) -> Self {
        for (name, value) in PROPERTIES {
            config.set(name, value);
        }
        // Only consumers have it; librdkafka warns otherwise.
        config.remove("isolation.level");
        // The log lines of this client are not read.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        Self {
            topic: topic.into(),
            config,
            producer: AsyncMutex::default(),
            leaders: Mutex::default(),
        }
    }

    /// Whether the leader is to be nudged now. Deletions of several lanes share nudges.
    pub(super) fn is_due(&self, leader: i32) -> bool {
        let (mut leaders, now) = (lock(&self.leaders), Instant::now());
        let next = &mut leaders.entry(leader).or_default().next;
        let is_due = next.is_none_or(|next| next <= now);
        if is_due {
            // Less than the interval, so that the lane that nudged last is on time.
            *next = Some(now + INTERVAL * 4 / 5);
        }
        is_due
    }

    /// Since when the leaders of the topic must be.
    pub(super) fn failed(&self, leader: i32) -> Option<Instant> {
        lock(&self.leaders).get(&leader)?.failed
    }

    async fn producer(
        &self,
        metrics: &BackendMetrics,
    ) -> Result<Arc<BaseProducer<Reports>>, Failure> {
        let mut known = self.producer.lock().await;
        if let Some(producer) = &*known {
            return Ok(producer.clone());
        }
        let (config, metrics) = (self.config.clone(), metrics.clone());
        let results = Mutex::default();
        let reports = Reports { results, metrics };
        let created = create(move || Ok(Arc::new(config.create_with_context(reports)?)));
        Ok(known.insert(created.await?).clone())
    }

    /// Appends one record to each partition of the topic that the leader has.
    pub(super) async fn send(
        &self,
        leader: i32,
        leaders: Result<Arc<Leaders>, Failure>,
        metrics: &BackendMetrics,
    ) {
        let sent = async {
            let leaders = leaders?;
            let producer = self.producer(metrics).await?;
            let key = usize::try_from(leader).unwrap_or_default();
            let mut is_led = false;
            for (partition, _) in leaders.of.iter().filter(|(_, of)| **of == leader) {
                is_led = true;
                let record = BaseRecord::<(), _, _>::with_opaque_to(&self.topic, key);
                let record = record.partition(*partition).payload(&[0]);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            if !is_led {
                let reason = format!("broker {leader} leads no partition of it");
                return Err(Failure::unknown(&reason));
            }
            producer.poll(Duration::ZERO);
            let reported = lock(&producer.context().results).remove(&key);
            reported.transpose()
        };
        let result = sent.await;
        if result.is_err() {
            let broken = self.producer.lock().await.take();
            spawn_blocking(move || drop(broken));
        }
        let mut leaders = lock(&self.leaders);
        let state = leaders.entry(leader).or_default();
        match result {
            Ok(Some(())) => state.failed = None,
            // There is no report yet.
            Ok(None) => {}
            Err(failure) => {
                let (topic, now) = (&*self.topic, Instant::now());
                state.next = Some(now + PAUSE);
                if state.failed.replace(now).is_none() {
                    tracing::warn!(topic, leader, reason = %failure, "nudge_topic cannot be written to: deletions take longer");
                }
            }
        }
    }

    /// What the topic lacks to reach each broker from each other one.
    pub(super) fn lacks(&self, metadata: &Metadata) -> Option<String> {
        let brokers: BTreeSet<i32> = metadata.brokers().iter().map(MetadataBroker::id).collect();
        let mut topics = metadata.topics().iter();
        let topic = topics.find(|topic| topic.name() == &*self.topic)?;
        let mut reached: HashMap<i32, BTreeSet<i32>> = HashMap::new();
        for partition in topic.partitions() {
            let followers = reached.entry(partition.leader()).or_default();
            followers.extend(partition.replicas());
        }
        let lacks = brokers.iter().filter_map(|leader| {
            let Some(followers) = reached.get(leader) else {
                return Some(format!("broker {leader} leads no partition"));
            };
            let missing: Vec<_> = brokers.difference(followers).collect();
            (!missing.is_empty())
                .then(|| format!("no partition of broker {leader} has a replica on {missing:?}"))
        });
        let lacks: Vec<String> = lacks.collect();
        (!lacks.is_empty()).then(|| lacks.join("; "))
    }
}
