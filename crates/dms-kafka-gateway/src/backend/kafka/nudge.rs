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
    ClientConfig,
    config::RDKafkaLogLevel,
    metadata::{Metadata, MetadataBroker},
    producer::{BaseProducer, BaseRecord},
};
use tokio::{sync::OnceCell, time::Instant};

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
    producer: OnceCell<Arc<BaseProducer>>,
    /// When each leader may be nudged again.
    next: Mutex<HashMap<i32, Instant>>,
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
            producer: OnceCell::new(),
            next: Mutex::default(),
        }
    }

    /// Whether the leader is to be nudged now. Deletions of several lanes share nudges.
    pub(super) fn is_due(&self, leader: i32) -> bool {
        let (mut next, now) = (lock(&self.next), Instant::now());
        let is_due = next.get(&leader).is_none_or(|next| *next <= now);
        if is_due {
            // Less than the interval, so that the lane that nudged last is on time.
            next.insert(leader, now + INTERVAL * 4 / 5);
        }
        is_due
    }

    /// Appends one record to each partition of the topic that the leader has.
    pub(super) async fn send(
        &self,
        leader: i32,
        leaders: Result<Arc<Leaders>, Failure>,
        metrics: &BackendMetrics,
    ) {
        let sent = async {
            let producer = self.producer.get_or_try_init(async || {
                let config = self.config.clone();
                create(move || Ok(Arc::new(config.create()?))).await
            });
            let (leaders, producer) = (leaders?, producer.await?);
            for (partition, _) in leaders.of.iter().filter(|(_, of)| **of == leader) {
                let record = BaseRecord::<(), [u8; 1]>::to(&self.topic);
                let record = record.partition(*partition).payload(&[0]);
                producer.send(record).map_err(|(error, _)| error)?;
                metrics.nudges.inc();
            }
            // Its reports are not needed.
            producer.poll(Duration::ZERO);
            Ok::<_, Failure>(())
        };
        if let Err(failure) = sent.await {
            let topic = &*self.topic;
            tracing::warn!(topic, reason = %failure, "nudge_topic cannot be written to: deletions take longer");
            lock(&self.next).insert(leader, Instant::now() + PAUSE);
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
