//! Topics in memory, with Kafka's rules for deleting records.

use std::{
    collections::HashMap,
    future::ready,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use super::{
    ALL, Backend, BackendError, BackendFuture, CommittedOffset, DeletedRecords, Edge, FoundRecord,
    FoundRecords, GroupSummary, INTERNAL_TOPICS, KafkaErrorCode, Page, PartitionOffsets,
    RecordsToFind, TopicDeletion, TopicSummary,
    memory_groups::{CommitSettings, GroupSettings, MemoryGroups},
    partition_log::PartitionLog,
};
use crate::{
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
    error::Error,
    names,
};

/// The records of a new topic are spread over this time.
const SPREAD_MS: i64 = 24 * 60 * 60 * 1000;

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
    /// Records in each partition, from offset 0 on; less than 2<sup>63</sup>. Their times are spread over the last day.
    #[serde(default)]
    pub records: u64,
    /// Whether records may be deleted.
    #[serde(default)]
    pub cleanup_policy: CleanupPolicy,
}

/// A cluster in memory: each partition has a log start offset, a high watermark and times of records, but no records.
///
/// A deletion is checked in the order in which a Kafka broker checks it, with the same error codes.
#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    /// What existed at the start.
    initial: (Vec<TopicSettings>, Vec<GroupSettings>),
    cluster: Mutex<MemoryCluster>,
}

#[derive(Debug, Default)]
struct MemoryCluster {
    topics: HashMap<String, Topic>,
    groups: MemoryGroups,
    /// When the last topic was created. No two have the same time, so that clients can tell that a topic is another one.
    created: i64,
}

#[derive(Debug)]
struct Topic {
    internal: bool,
    cleanup_policy: CleanupPolicy,
    created_at: i64,
    partitions: Vec<MemoryPartition>,
}

#[derive(Clone, Debug)]
struct MemoryPartition {
    log: PartitionLog,
    last_update_time: i64,
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

    pub(crate) fn new(topics: &[TopicSettings], groups: &[GroupSettings]) -> Result<Self, Error> {
        let mut cluster = MemoryCluster::default();
        for settings in topics {
            let refuse = |rule| Error::invalid_setting("topic", &settings.name, rule);
            if cluster.put(settings).map_err(refuse)?.1 {
                return Err(refuse("the instance has two topics of this name"));
            }
        }
        for settings in groups {
            let refuse = |rule| Error::invalid_setting("group", &settings.name, rule);
            if cluster.put_group(settings).map_err(refuse)? {
                return Err(refuse("the instance has two groups of this name"));
            }
        }
        Ok(Self {
            initial: (topics.to_vec(), groups.to_vec()),
            cluster: Mutex::new(cluster),
        })
    }

    /// Returns to the topics and groups that existed at the start.
    pub(crate) fn reset(&self) {
        let (topics, groups) = &self.initial;
        let mut cluster = self.cluster();
        cluster.topics.clear();
        cluster.groups = MemoryGroups::default();
        // They were valid at the start.
        for topic in topics {
            let _ = cluster.put(topic);
        }
        for group in groups {
            let _ = cluster.put_group(group);
        }
    }

    /// Creates a topic, or replaces the one of the same name. Returns it, and whether there was one. Fails with the rule of
    /// [`TopicSettings`] that the settings break.
    pub(crate) fn put(&self, settings: &TopicSettings) -> Result<(TopicState, bool), &'static str> {
        self.cluster().put(settings)
    }

    /// Returns whether there was such a topic.
    pub(crate) fn remove(&self, topic: &str) -> bool {
        let mut cluster = self.cluster();
        cluster.groups.forget_topic(topic);
        cluster.topics.remove(topic).is_some()
    }

    /// Every topic, in the order of their names.
    pub(crate) fn state(&self) -> Vec<TopicState> {
        let cluster = self.cluster();
        let mut states: Vec<_> = cluster
            .topics
            .iter()
            .map(|(name, topic)| topic.state(name))
            .collect();
        states.sort_by(|a, b| a.name.cmp(&b.name));
        states
    }

    /// Every group, in the order of their names.
    pub(crate) fn group_state(&self) -> Vec<GroupSettings> {
        self.cluster().groups.state()
    }

    /// Creates a group, or replaces the one of the same name. Returns whether there was one. Fails with the rule of
    /// [`GroupSettings`] that the settings break.
    pub(crate) fn put_group(&self, settings: &GroupSettings) -> Result<bool, &'static str> {
        self.cluster().put_group(settings)
    }

    /// Returns whether there was such a group.
    pub(crate) fn remove_group(&self, group: &str) -> bool {
        self.cluster().groups.remove(group)
    }

    /// Commits an offset like a consumer of a group, which is created if it does not exist. Fails with the rule of
    /// [`GroupSettings`] that it breaks.
    pub(crate) fn commit(&self, group: &str, commit: CommitSettings) -> Result<(), &'static str> {
        let mut cluster = self.cluster();
        cluster.check_commit(&commit)?;
        cluster.groups.commit(group, commit)
    }

    /// Appends `skip` offsets without records, and records whose times lie between the first and the last one, now if
    /// absent. Returns `None` if there is no such partition, or as [`PartitionLog::append`] fails.
    pub(crate) fn append(
        &self,
        topic: &str,
        partition: i32,
        skip: u64,
        records: u64,
        times: Option<(i64, i64)>,
    ) -> Option<PartitionOffsets> {
        let now = Timestamp::now().as_millisecond();
        self.with_partition(topic, partition, |found| {
            let times = times.unwrap_or((now, now));
            let appended = found.log.append(skip, records, times);
            appended.then(|| {
                found.last_update_time = now;
                found.offsets(partition)
            })
        })
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<PartitionOffsets> {
        self.with_partition(topic, partition, |found| Some(found.offsets(partition)))
    }

    fn with_partition<T>(
        &self,
        topic: &str,
        partition: i32,
        result: impl FnOnce(&mut MemoryPartition) -> Option<T>,
    ) -> Option<T> {
        let mut cluster = self.cluster();
        let topic = cluster.topics.get_mut(topic)?;
        result(topic.partition(PartitionId::new(partition)?)?)
    }

    fn cluster(&self) -> MutexGuard<'_, MemoryCluster> {
        // No change can panic halfway, so a panic cannot leave a topic half changed.
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_topic<T>(
        &self,
        name: &str,
        result: impl FnOnce(&mut Topic) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let mut cluster = self.cluster();
        let topic = cluster.topics.get_mut(name);
        result(topic.ok_or(BackendError::UnknownTopic)?)
    }
}

impl MemoryCluster {
    fn put(&mut self, settings: &TopicSettings) -> Result<(TopicState, bool), &'static str> {
        let created = Timestamp::now().as_millisecond().max(self.created + 1);
        let topic = Topic::new(settings, created)?;
        self.created = created;
        let state = topic.state(&settings.name);
        self.groups.forget_topic(&settings.name);
        let replaced = self.topics.insert(settings.name.clone(), topic);
        Ok((state, replaced.is_some()))
    }

    fn put_group(&mut self, settings: &GroupSettings) -> Result<bool, &'static str> {
        for commit in &settings.commits {
            self.check_commit(commit)?;
        }
        self.groups.put(settings)
    }

    fn check_commit(&self, commit: &CommitSettings) -> Result<(), &'static str> {
        let topic = self.topics.get(&commit.topic);
        let index = usize::try_from(commit.partition).ok();
        let partition = topic.and_then(|topic| topic.partitions.get(index?));
        match partition {
            None => Err("the instance has no such topic or partition"),
            Some(_) if commit.offset < 0 => Err("an offset must be 0 or greater"),
            Some(_) => Ok(()),
        }
    }

    /// The current offsets of a partition, if it exists.
    fn offsets(&self, topic: &str, partition: i32) -> Option<PartitionOffsets> {
        let topic = self.topics.get(topic)?;
        let found = topic.partitions.get(PartitionId::new(partition)?.index())?;
        Some(found.offsets(partition))
    }
}

impl Backend for MemoryBackend {
    fn delete<'a>(&'a self, deletion: TopicDeletion<'a>) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(async move {
            let TopicDeletion { topic, rows, .. } = deletion;
            if !(deletion.intent)(rows.to_vec()).await {
                return Err(BackendError::NotAudited);
            }
            let mut deleted = Vec::with_capacity(rows.len());
            for part in rows.chunks(Self::PART) {
                if !deleted.is_empty() {
                    yield_now().await;
                }
                let delete = |topic: &mut Topic| {
                    deleted.extend(part.iter().map(|row| topic.delete(row)));
                    Ok(())
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
        page: Range<usize>,
        _deadline: Instant,
    ) -> BackendFuture<'a, Page<PartitionOffsets>> {
        let partitions = |topic: &mut Topic| {
            Ok(Page {
                total: topic.partitions.len(),
                items: topic.offsets(&page),
            })
        };
        Box::pin(ready(self.with_topic(topic, partitions)))
    }

    fn offsets_for_time<'a>(
        &'a self,
        topic: &'a str,
        page: Range<usize>,
        time: i64,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<(i32, i64)>> {
        let offsets = |topic: &mut Topic| {
            let listed = topic.on_page(&page);
            let offset =
                |(number, it): (i32, &MemoryPartition)| (number, it.log.offset_for_time(time));
            Ok(listed.map(offset).collect())
        };
        Box::pin(ready(self.with_topic(topic, offsets)))
    }

    fn edge<'a>(
        &'a self,
        topic: &'a str,
        partition: PartitionId,
        edge: Edge,
        _deadline: Instant,
    ) -> BackendFuture<'a, Option<FoundRecord>> {
        let record = |topic: &mut Topic| {
            let partition = topic.partition(partition);
            let log = &partition.ok_or(BackendError::UnknownPartition)?.log;
            Ok(match edge {
                Edge::Oldest => log.at_or_after(log.start()),
                Edge::Newest => log.newest(),
            })
        };
        Box::pin(ready(self.with_topic(topic, record)))
    }

    fn find<'a>(
        &'a self,
        topic: &'a str,
        what: RecordsToFind,
        _deadline: Instant,
    ) -> BackendFuture<'a, FoundRecords> {
        let find = |topic: &mut Topic| topic.find(what);
        Box::pin(ready(self.with_topic(topic, find)))
    }

    fn topics(&self, _deadline: Instant) -> BackendFuture<'_, Vec<TopicSummary>> {
        let cluster = self.cluster();
        let summary = |(name, topic): (&String, &Topic)| TopicSummary {
            name: name.clone(),
            partitions: topic.partitions.len(),
            replicas: Some(1),
            internal: topic.internal,
            created_at: Some(topic.created_at),
        };
        let mut topics: Vec<_> = cluster.topics.iter().map(summary).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Box::pin(ready(Ok(topics)))
    }

    fn groups<'a>(
        &'a self,
        containing: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<GroupSummary>> {
        let cluster = self.cluster();
        let end = |topic: &str, partition| {
            let offsets = cluster.offsets(topic, partition)?;
            Some(offsets.high_watermark)
        };
        let groups = cluster.groups.summaries(containing, end);
        Box::pin(ready(Ok(groups)))
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<CommittedOffset>> {
        let cluster = self.cluster();
        let committed = match cluster.groups.committed(group, topic) {
            _ if !cluster.topics.contains_key(topic) => Err(BackendError::UnknownTopic),
            None => Err(BackendError::UnknownGroup),
            Some(commits) => {
                let committed = commits.filter_map(|(partition, offset)| {
                    let partition = cluster.offsets(topic, partition)?;
                    Some(CommittedOffset { partition, offset })
                });
                Ok(committed.collect())
            }
        };
        Box::pin(ready(committed))
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

impl MemoryPartition {
    fn offsets(&self, partition: i32) -> PartitionOffsets {
        PartitionOffsets {
            partition,
            log_start_offset: self.log.start(),
            high_watermark: self.log.end(),
            last_update_time: self.last_update_time,
        }
    }
}

impl Topic {
    /// Fails with the rule of [`TopicSettings`] that the settings break.
    fn new(settings: &TopicSettings, created_at: i64) -> Result<Self, &'static str> {
        if !names::is_topic(&settings.name) {
            return Err("its name must be 1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor ..");
        }
        if !(1..=MAX_PARTITIONS).contains(&settings.partitions) {
            return Err("it must have 1 to 1000000 partitions");
        }
        if settings.records > i64::MAX.unsigned_abs() {
            return Err("it must have less than 2^63 records in each partition");
        }
        let now = Timestamp::now().as_millisecond();
        let mut log = PartitionLog::empty();
        log.append(0, settings.records, (now - SPREAD_MS, now));
        let partition = MemoryPartition {
            log,
            last_update_time: now,
        };
        Ok(Self {
            internal: INTERNAL_TOPICS.contains(&&*settings.name),
            cleanup_policy: settings.cleanup_policy,
            created_at,
            partitions: vec![partition; settings.partitions as usize],
        })
    }

    fn on_page(&self, page: &Range<usize>) -> impl Iterator<Item = (i32, &MemoryPartition)> {
        let numbered = (0..).zip(&self.partitions);
        numbered.take(page.end).skip(page.start)
    }

    fn offsets(&self, page: &Range<usize>) -> Vec<PartitionOffsets> {
        let partitions = self.on_page(page);
        let offsets = partitions.map(|(number, partition)| partition.offsets(number));
        offsets.collect()
    }

    fn find(&mut self, what: RecordsToFind) -> Result<FoundRecords, BackendError> {
        match what {
            RecordsToFind::AtOrAfter { partition, offset } => {
                let log = &self.partition(partition);
                let log = &log.as_ref().ok_or(BackendError::UnknownPartition)?.log;
                let record = log.at_or_after(offset);
                let records = record.map(|record| (partition.number(), record));
                Ok(FoundRecords {
                    total: u64::from(records.is_some()),
                    records: records.into_iter().collect(),
                })
            }
            RecordsToFind::Between {
                times,
                reverse,
                skip,
                limit,
            } => {
                let mut found = FoundRecords::default();
                let mut add = |(number, log): (i32, &PartitionLog), offsets: Range<i64>| {
                    let records = offsets.start.abs_diff(offsets.end);
                    let skipped = skip.saturating_sub(found.total).min(records);
                    let taken = (records - skipped).min((limit - found.records.len()) as u64);
                    found.total = found.total.saturating_add(records);
                    for index in skipped..skipped + taken {
                        let offset = if reverse {
                            offsets.end.saturating_sub_unsigned(index + 1)
                        } else {
                            offsets.start.saturating_add_unsigned(index)
                        };
                        let record = log.at_or_after(offset);
                        found.records.extend(record.map(|record| (number, record)));
                    }
                };
                let logs = self.partitions.iter().map(|partition| &partition.log);
                let logs: Vec<_> = (0..).zip(logs).collect();
                if reverse {
                    for log in logs.into_iter().rev() {
                        let ranges = log.1.between(times.clone()).rev();
                        ranges.for_each(|offsets| add(log, offsets));
                    }
                } else {
                    for log in logs {
                        let ranges = log.1.between(times.clone());
                        ranges.for_each(|offsets| add(log, offsets));
                    }
                }
                Ok(found)
            }
        }
    }

    fn state(&self, name: &str) -> TopicState {
        TopicState {
            name: name.to_owned(),
            cleanup_policy: self.cleanup_policy,
            partitions: self
                .offsets(&ALL)
                .iter()
                .map(PartitionState::from)
                .collect(),
        }
    }

    fn partition(&mut self, partition: PartitionId) -> Option<&mut MemoryPartition> {
        self.partitions.get_mut(partition.index())
    }

    fn delete(&mut self, row: &RecordsToDelete) -> DeletedRecords {
        let mut records = 0;
        let outcome = self.deletable(row.partition).and_then(|partition| {
            let log = &mut partition.log;
            let before = match row.target {
                DeletionTarget::Before(offset) => offset,
                DeletionTarget::Everything => log.end(),
            };
            if before > log.end() {
                return Err(KafkaErrorCode::OFFSET_OUT_OF_RANGE);
            }
            records = log.delete_before(before);
            Ok(log.start())
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
    ) -> Result<&mut MemoryPartition, KafkaErrorCode> {
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
    use std::sync::Arc;

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
        let backend = MemoryBackend::new(&[topic], &[]).expect("a topic");
        let rows = (0..15_000).filter_map(PartitionId::new);
        let target = DeletionTarget::Before(4);
        let rows: Vec<_> = rows
            .map(|partition| RecordsToDelete { partition, target })
            .collect();
        let mut deletion = backend.delete(TopicDeletion {
            topic: "t",
            caller: "",
            rows: &rows,
            deadline: Instant::now(),
            intent: Arc::new(|_| Box::pin(ready(true))),
        });
        assert!(poll!(&mut deletion).is_pending());
        assert!(backend.remove("t"));
        let deleted = deletion.await.expect("results");
        let codes: Vec<_> = deleted.iter().map(DeletedRecords::error_code).collect();
        let mut expected = vec![0; MemoryBackend::PART];
        expected.resize(15_000, 3);
        assert_eq!(codes, expected);
    }
}
