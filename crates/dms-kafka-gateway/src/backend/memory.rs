//! Topics held in memory, with Kafka's rules for deleting records.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;

use super::{
    Backend, BackendError, BackendFuture, BeforeOffset, DeletedRecords, KafkaErrorCode,
    PartitionOffsets, RecordsToDelete,
};
use crate::{error::Error, names};

/// Kafka's own topics, from which it lets nobody delete records.
const INTERNAL_TOPICS: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

/// More partitions than this in one topic are taken for a slip of the hand.
const MOST_PARTITIONS: u32 = 1_000_000;

/// A topic's `cleanup.policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum CleanupPolicy {
    /// `delete`, alone or with `compact`: records may be deleted.
    #[default]
    #[serde(rename = "delete", alias = "compact,delete", alias = "delete,compact")]
    Delete,
    /// `compact` alone: Kafka refuses to delete records.
    #[serde(rename = "compact")]
    Compact,
}

/// A topic to begin with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSettings {
    /// 1 to 249 of `A-Z a-z 0-9 . _ -`, and neither `.` nor `..`.
    pub name: String,
    /// From 1 to 1,000,000.
    pub partitions: u32,
    /// Records in each partition, from offset 0 on; less than 2<sup>63</sup>.
    #[serde(default)]
    pub records: u64,
    /// Whether records may be deleted.
    #[serde(default)]
    pub cleanup_policy: CleanupPolicy,
}

/// A cluster in memory: it keeps each partition's log start offset and high watermark, and no records.
///
/// It checks a deletion in the order in which a Kafka broker does and answers with the same codes.
#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    topics: Mutex<HashMap<String, Topic>>,
}

#[derive(Debug)]
struct Topic {
    internal: bool,
    cleanup_policy: CleanupPolicy,
    partitions: Vec<Partition>,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    log_start_offset: i64,
    high_watermark: i64,
    last_update_time: i64,
}

/// What deleting did to a partition.
#[derive(Clone, Copy)]
struct Advanced {
    log_start_offset: i64,
    records: u64,
}

impl MemoryBackend {
    /// A cluster with these topics.
    ///
    /// # Errors
    /// [`Error`] when a topic breaks a rule of [`TopicSettings`] or two have one name.
    pub(crate) fn with_topics(topics: &[TopicSettings]) -> Result<Self, Error> {
        let cluster = Self::default();
        topics
            .iter()
            .try_for_each(|settings| cluster.create_topic(settings))?;
        Ok(cluster)
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// [`Error`] when it breaks a rule of [`TopicSettings`] or there is one of its name.
    pub(crate) fn create_topic(&self, settings: &TopicSettings) -> Result<(), Error> {
        let refuse = |rule| Err(Error::invalid_setting("topic", &settings.name, rule));
        if !names::is_topic(&settings.name) {
            return refuse("its name must be 1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor ..");
        }
        if !(1..=MOST_PARTITIONS).contains(&settings.partitions) {
            return refuse("it must have 1 to 1000000 partitions");
        }
        let Ok(high_watermark) = i64::try_from(settings.records) else {
            return refuse("an offset has 63 bits; give it fewer records");
        };
        match self.topics().entry(settings.name.clone()) {
            Entry::Occupied(_) => refuse("there is one of this name"),
            Entry::Vacant(vacant) => {
                vacant.insert(Topic::new(settings, high_watermark));
                Ok(())
            }
        }
    }

    /// Appends records to a partition, as a producer would, and returns its new high watermark.
    ///
    /// `None` when there is no such partition.
    pub(crate) fn append(&self, topic: &str, partition: i32, records: u64) -> Option<i64> {
        let mut topics = self.topics();
        let partition = topics.get_mut(topic)?.partition_mut(partition)?;
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        partition.high_watermark = partition.high_watermark.saturating_add(records);
        partition.last_update_time = now_in_milliseconds();
        Some(partition.high_watermark)
    }

    /// The offsets of one partition, or `None` when there is no such partition.
    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<PartitionOffsets> {
        let topics = self.topics();
        let found = topics
            .get(topic)?
            .partitions
            .get(usize::try_from(partition).ok()?)?;
        Some(found.offsets(partition))
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, Topic>> {
        // Every change is one assignment, so a panic elsewhere cannot leave a topic half changed.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delete_now(
        &self,
        topic: &str,
        rows: &[RecordsToDelete],
    ) -> Result<Vec<DeletedRecords>, BackendError> {
        let mut topics = self.topics();
        let topic = topics.get_mut(topic).ok_or(BackendError::UnknownTopic)?;
        Ok(rows.iter().map(|row| topic.delete(row)).collect())
    }

    fn partitions_now(&self, topic: &str) -> Result<Vec<PartitionOffsets>, BackendError> {
        let topics = self.topics();
        let topic = topics.get(topic).ok_or(BackendError::UnknownTopic)?;
        Ok((0..)
            .zip(&topic.partitions)
            .map(|(index, partition)| partition.offsets(index))
            .collect())
    }
}

impl Backend for MemoryBackend {
    fn delete<'a>(
        &'a self,
        topic: &'a str,
        rows: &'a [RecordsToDelete],
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(ready(self.delete_now(topic, rows)))
    }

    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>> {
        Box::pin(ready(self.partitions_now(topic)))
    }

    fn ready(&self, _deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

impl Topic {
    fn new(settings: &TopicSettings, high_watermark: i64) -> Self {
        let partition = Partition {
            log_start_offset: 0,
            high_watermark,
            last_update_time: now_in_milliseconds(),
        };
        Self {
            internal: INTERNAL_TOPICS.contains(&&*settings.name),
            cleanup_policy: settings.cleanup_policy,
            partitions: (0..settings.partitions).map(|_| partition).collect(),
        }
    }

    fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    fn delete(&mut self, row: &RecordsToDelete) -> DeletedRecords {
        let advanced = self
            .deletable(row.partition)
            .and_then(|partition| partition.advance(row.before));
        DeletedRecords {
            partition: row.partition,
            outcome: advanced.map(|advanced| advanced.log_start_offset),
            records: Some(advanced.map_or(0, |advanced| advanced.records)),
        }
    }

    /// The partition, if its records may be deleted. The order of the checks is the broker's.
    fn deletable(&mut self, partition: i32) -> Result<&mut Partition, KafkaErrorCode> {
        let (internal, cleanup_policy) = (self.internal, self.cleanup_policy);
        let partition = self
            .partition_mut(partition)
            .ok_or(KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        if internal {
            return Err(KafkaErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        if cleanup_policy == CleanupPolicy::Compact {
            return Err(KafkaErrorCode::POLICY_VIOLATION);
        }
        Ok(partition)
    }
}

impl Partition {
    fn advance(&mut self, before: BeforeOffset) -> Result<Advanced, KafkaErrorCode> {
        let before = match before {
            BeforeOffset::Offset(offset) => offset,
            BeforeOffset::HighWatermark => self.high_watermark,
        };
        if !(0..=self.high_watermark).contains(&before) {
            return Err(KafkaErrorCode::OFFSET_OUT_OF_RANGE);
        }
        let log_start_offset = self.log_start_offset.max(before);
        let records = log_start_offset.abs_diff(self.log_start_offset);
        self.log_start_offset = log_start_offset;
        Ok(Advanced {
            log_start_offset,
            records,
        })
    }

    fn offsets(&self, partition: i32) -> PartitionOffsets {
        PartitionOffsets {
            partition,
            log_start_offset: self.log_start_offset,
            high_watermark: self.high_watermark,
            last_update_time: self.last_update_time,
        }
    }
}

fn now_in_milliseconds() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
