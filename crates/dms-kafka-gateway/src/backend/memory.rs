//! Topics in memory, with Kafka's rules for deleting records.

use std::{
    collections::HashMap,
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use super::{
    Backend, BackendError, BackendFuture, DeletedRecords, KafkaErrorCode, PartitionOffsets,
};
use crate::{
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
    error::Error,
    names,
};

/// Internal topics: Kafka refuses to delete their records.
const INTERNAL_TOPICS: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

/// More partitions than this in one topic are considered a typing error.
const MAX_PARTITIONS: u32 = 1_000_000;

/// A topic's `cleanup.policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum CleanupPolicy {
    /// `delete`, alone or with `compact`: records may be deleted.
    #[default]
    #[serde(rename = "delete", alias = "compact,delete", alias = "delete,compact")]
    Delete,
    /// `compact` alone: Kafka refuses to delete records.
    #[serde(rename = "compact")]
    Compact,
}

/// A topic that exists when the gateway starts.
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

/// A cluster in memory: each partition has a log start offset and a high watermark, but no records.
///
/// A deletion is checked in the order in which a Kafka broker checks it, with the same error codes.
#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    /// The topics that existed at the start.
    initial: Vec<TopicSettings>,
    topics: Mutex<HashMap<String, Topic>>,
}

#[derive(Debug)]
struct Topic {
    internal: bool,
    cleanup_policy: CleanupPolicy,
    partitions: Vec<PartitionOffsets>,
}

/// A topic of a cluster in memory, for the control API.
#[derive(Debug, Serialize)]
pub(crate) struct TopicState {
    name: String,
    cleanup_policy: CleanupPolicy,
    partitions: Vec<PartitionState>,
}

/// A partition, under the names of the API.
#[derive(Debug, Serialize)]
pub(crate) struct PartitionState {
    partition: i32,
    start_offset: i64,
    end_offset: i64,
}

impl MemoryBackend {
    /// Rows that are deleted before another request gets a turn.
    const PART: usize = 10_000;

    pub(crate) fn with_topics(settings: &[TopicSettings]) -> Result<Self, Error> {
        let backend = Self {
            initial: settings.to_vec(),
            topics: Mutex::default(),
        };
        for settings in settings {
            let refuse = |rule| Error::invalid_setting("topic", &settings.name, rule);
            if backend.put(settings).map_err(refuse)?.1 {
                return Err(refuse("the instance has two topics of this name"));
            }
        }
        Ok(backend)
    }

    /// Returns to the topics that existed at the start, with their records.
    pub(crate) fn reset(&self) {
        // They were valid at the start.
        let topic =
            |settings: &TopicSettings| Some((settings.name.clone(), Topic::new(settings).ok()?));
        *self.topics() = self.initial.iter().filter_map(topic).collect();
    }

    /// Creates a topic, or replaces the one of the same name. Returns it, and whether there was one. Fails with the rule of
    /// [`TopicSettings`] that the settings break.
    pub(crate) fn put(&self, settings: &TopicSettings) -> Result<(TopicState, bool), &'static str> {
        let topic = Topic::new(settings)?;
        let state = topic.state(&settings.name);
        let replaced = self.topics().insert(settings.name.clone(), topic);
        Ok((state, replaced.is_some()))
    }

    /// Returns whether there was such a topic.
    pub(crate) fn remove(&self, topic: &str) -> bool {
        self.topics().remove(topic).is_some()
    }

    /// Every topic, in the order of their names.
    pub(crate) fn state(&self) -> Vec<TopicState> {
        let topics = self.topics();
        let mut states: Vec<_> = topics
            .iter()
            .map(|(name, topic)| topic.state(name))
            .collect();
        states.sort_by(|a, b| a.name.cmp(&b.name));
        states
    }

    /// Returns `None` if there is no such partition, or its end would not be less than 2<sup>63</sup>.
    pub(crate) fn append(
        &self,
        topic: &str,
        partition: i32,
        records: u64,
    ) -> Option<PartitionOffsets> {
        let mut topics = self.topics();
        let partition = topics
            .get_mut(topic)?
            .partition(PartitionId::new(partition)?)?;
        partition.high_watermark = partition.high_watermark.checked_add_unsigned(records)?;
        partition.last_update_time = Timestamp::now().as_millisecond();
        Some(*partition)
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<PartitionOffsets> {
        let mut topics = self.topics();
        let topic = topics.get_mut(topic)?;
        topic.partition(PartitionId::new(partition)?).copied()
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, Topic>> {
        // Every change is one assignment, so a panic cannot leave a topic half changed.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_topic<T>(
        &self,
        name: &str,
        result: impl FnOnce(&mut Topic) -> T,
    ) -> Result<T, BackendError> {
        let mut topics = self.topics();
        let topic = topics.get_mut(name).ok_or(BackendError::UnknownTopic)?;
        Ok(result(topic))
    }
}

impl Backend for MemoryBackend {
    fn delete<'a>(
        &'a self,
        topic: &'a str,
        rows: &'a [RecordsToDelete],
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(async move {
            let mut deleted = Vec::with_capacity(rows.len());
            for part in rows.chunks(Self::PART) {
                if !deleted.is_empty() {
                    yield_now().await;
                }
                let delete = |topic: &mut Topic| {
                    deleted.extend(part.iter().map(|row| topic.delete(row)));
                };
                match self.with_topic(topic, delete) {
                    Err(error) if deleted.is_empty() => return Err(error),
                    // The control API removed it: the earlier rows were deleted.
                    Err(_) => deleted.extend(part.iter().map(|row| DeletedRecords {
                        partition: row.partition,
                        outcome: Err(KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                        records: Some(0),
                    })),
                    Ok(()) => {}
                }
            }
            Ok(deleted)
        })
    }

    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>> {
        let partitions = |topic: &mut Topic| topic.partitions.clone();
        Box::pin(ready(self.with_topic(topic, partitions)))
    }

    fn ready(&self, _deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

impl From<&PartitionOffsets> for PartitionState {
    fn from(offsets: &PartitionOffsets) -> Self {
        Self {
            partition: offsets.partition,
            start_offset: offsets.log_start_offset,
            end_offset: offsets.high_watermark,
        }
    }
}

impl Topic {
    /// Fails with the rule of [`TopicSettings`] that the settings break.
    fn new(settings: &TopicSettings) -> Result<Self, &'static str> {
        if !names::is_topic(&settings.name) {
            return Err("its name must be 1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor ..");
        }
        if !(1..=MAX_PARTITIONS).contains(&settings.partitions) {
            return Err("it must have 1 to 1000000 partitions");
        }
        let high_watermark = i64::try_from(settings.records)
            .map_err(|_| "it must have less than 2^63 records in each partition")?;
        let last_update_time = Timestamp::now().as_millisecond();
        let partitions = (0..).take(settings.partitions as usize);
        let partitions = partitions.map(|partition| PartitionOffsets {
            partition,
            log_start_offset: 0,
            high_watermark,
            last_update_time,
        });
        Ok(Self {
            internal: INTERNAL_TOPICS.contains(&&*settings.name),
            cleanup_policy: settings.cleanup_policy,
            partitions: partitions.collect(),
        })
    }

    fn state(&self, name: &str) -> TopicState {
        TopicState {
            name: name.to_owned(),
            cleanup_policy: self.cleanup_policy,
            partitions: self.partitions.iter().map(PartitionState::from).collect(),
        }
    }

    fn partition(&mut self, partition: PartitionId) -> Option<&mut PartitionOffsets> {
        self.partitions.get_mut(partition.index())
    }

    fn delete(&mut self, row: &RecordsToDelete) -> DeletedRecords {
        let mut records = 0;
        let outcome = self.deletable(row.partition).and_then(|partition| {
            let before = match row.target {
                DeletionTarget::Before(offset) => offset,
                DeletionTarget::Everything => partition.high_watermark,
            };
            if before > partition.high_watermark {
                return Err(KafkaErrorCode::OFFSET_OUT_OF_RANGE);
            }
            let log_start_offset = partition.log_start_offset.max(before);
            records = log_start_offset.abs_diff(partition.log_start_offset);
            partition.log_start_offset = log_start_offset;
            Ok(log_start_offset)
        });
        DeletedRecords {
            partition: row.partition,
            outcome,
            records: Some(records),
        }
    }

    /// The partition, if its records may be deleted. A broker checks in the same order.
    fn deletable(
        &mut self,
        partition: PartitionId,
    ) -> Result<&mut PartitionOffsets, KafkaErrorCode> {
        let (internal, cleanup_policy) = (self.internal, self.cleanup_policy);
        let partition = self
            .partition(partition)
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

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    /// A call that fails as a whole has deleted nothing.
    #[tokio::test]
    async fn a_topic_that_is_removed_during_a_deletion_has_results() {
        let topic = TopicSettings {
            name: "t".to_owned(),
            partitions: 15_000,
            records: 10,
            cleanup_policy: CleanupPolicy::Delete,
        };
        let backend = MemoryBackend::with_topics(&[topic]).expect("a topic");
        let rows = (0..15_000).filter_map(PartitionId::new);
        let target = DeletionTarget::Before(4);
        let rows: Vec<_> = rows
            .map(|partition| RecordsToDelete { partition, target })
            .collect();
        let mut deletion = backend.delete("t", &rows, Instant::now());
        assert!(poll!(&mut deletion).is_pending());
        assert!(backend.remove("t"));
        let deleted = deletion.await.expect("results");
        let codes: Vec<_> = deleted.iter().map(DeletedRecords::error_code).collect();
        let mut expected = vec![0; MemoryBackend::PART];
        expected.resize(15_000, 3);
        assert_eq!(codes, expected);
    }
}
