//! The read-only operations.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Instant};

use rdkafka::{Offset, TopicPartitionList, consumer::Consumer as _};
use tokio::time::sleep;

use super::{
    cluster::{Cluster, OFFSETS_TOPIC, Partition, QUERY_TIMEOUT, partitions_of},
    deletion::pauses,
    readers::Readers,
    records::RecordReader,
    results::{Failure, offsets_in, take},
};
use crate::{
    backend::{
        ALL, BackendError, BackendFuture, CommittedOffset, Edge, FoundRecord, FoundRecords,
        GroupState, GroupSummary, INTERNAL_TOPICS, KafkaErrorCode, Page, PartitionOffsets,
        RecordsToFind, TopicSummary,
    },
    deletion_target::PartitionId,
};

/// The group of clients that read records. They neither join it nor commit.
const RECORD_READERS: &str = "dms-kafka-gateway";

/// Further attempts, with new metadata, until the deadline: leaders may have changed.
pub(super) fn retried<'a, T: Send + 'a>(
    deadline: Instant,
    attempt: impl Fn() -> BackendFuture<'a, T> + Send + 'a,
) -> BackendFuture<'a, T> {
    Box::pin(async move {
        let mut pauses = pauses();
        loop {
            let result = attempt().await;
            let pause = pauses.next().unwrap_or_default();
            match result {
                Err(BackendError::Unavailable(_)) if Instant::now() + pause < deadline => {
                    sleep(pause).await;
                }
                result => return result,
            }
        }
    })
}

pub(super) struct Reads {
    cluster: Arc<Cluster>,
    group_readers: Readers,
    record_readers: Readers,
}

fn on_page<'a>(all: &'a [Partition], page: &Range<usize>) -> &'a [Partition] {
    let start = page.start.min(all.len());
    &all[start..page.end.clamp(start, all.len())]
}

impl Reads {
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        Self {
            group_readers: Readers::new(&cluster),
            record_readers: Readers::new(&cluster),
            cluster,
        }
    }

    /// Start and end of each partition on a page.
    pub(super) async fn offsets(
        &self,
        topic: &str,
        page: Range<usize>,
        deadline: Instant,
    ) -> Result<Page<PartitionOffsets>, BackendError> {
        let all = self.cluster.partitions(topic, deadline).await?;
        let listed = on_page(&all, &page);
        Ok(Page {
            total: all.len(),
            items: self.offsets_of(topic, listed, deadline).await?,
        })
    }

    async fn offsets_of(
        &self,
        topic: &str,
        partitions: &[Partition],
        deadline: Instant,
    ) -> Result<Vec<PartitionOffsets>, Failure> {
        let list = async |which| {
            self.cluster
                .offsets(topic, partitions, which, deadline)
                .await
        };
        // The start first: it may move meanwhile, but not past the end.
        let (mut starts, mut ends) = (list(Offset::Beginning).await, list(Offset::End).await);
        let offsets = partitions.iter().map(|Partition { id, .. }| {
            Ok(PartitionOffsets {
                partition: *id,
                log_start_offset: take(&mut starts, *id)?,
                high_watermark: take(&mut ends, *id)?,
                last_update_time: 0,
            })
        });
        offsets.collect()
    }

    pub(super) async fn time_offsets(
        &self,
        topic: &str,
        page: Range<usize>,
        time: i64,
        deadline: Instant,
    ) -> Result<Vec<(i32, i64)>, BackendError> {
        let all = self.cluster.partitions(topic, deadline).await?;
        let partitions = on_page(&all, &page);
        // Negative times have other meanings in Kafka.
        let which = match time {
            0.. => Offset::Offset(time),
            _ => Offset::Beginning,
        };
        // The ends first: a record that is written between the two calls is not older.
        let ends = self
            .cluster
            .offsets(topic, partitions, Offset::End, deadline);
        let mut ends = ends.await;
        let found = self
            .cluster
            .optional_offsets(topic, partitions, which, deadline);
        let mut found = found.await;
        let offsets = partitions.iter().map(|Partition { id, .. }| {
            let end = take(&mut ends, *id)?;
            Ok((*id, take(&mut found, *id)?.unwrap_or(end)))
        });
        offsets.collect()
    }

    pub(super) async fn record_at(
        &self,
        topic: &str,
        partition: PartitionId,
        edge: Edge,
        deadline: Instant,
    ) -> Result<Option<FoundRecord>, BackendError> {
        let partition = partition.number();
        let offsets = self.offsets_of_one(topic, partition, deadline).await?;
        let found = self.with_records(topic, deadline, move |reader| match edge {
            Edge::Oldest => reader.first(partition, offsets),
            Edge::Newest => reader.last(partition, offsets),
        });
        found.await
    }

    pub(super) async fn records(
        &self,
        topic: &str,
        what: RecordsToFind,
        deadline: Instant,
    ) -> Result<FoundRecords, BackendError> {
        match what {
            RecordsToFind::AtOrAfter { partition, offset } => {
                let partition = partition.number();
                let Range { start, end } = self.offsets_of_one(topic, partition, deadline).await?;
                let found = self.with_records(topic, deadline, move |reader| {
                    reader.first(partition, start.max(offset)..end)
                });
                let record = found.await?.map(|record| (partition, record));
                Ok(FoundRecords {
                    total: u64::from(record.is_some()),
                    records: record.into_iter().collect(),
                })
            }
            RecordsToFind::Between {
                times,
                reverse,
                skip,
                limit,
            } => {
                let starts = self
                    .time_offsets(topic, ALL, *times.start(), deadline)
                    .await?;
                let ends = self.offsets(topic, ALL, deadline).await?.items;
                let partitions = starts.into_iter().zip(ends);
                let partitions = partitions
                    .map(|((partition, start), offsets)| (partition, start..offsets.high_watermark))
                    .collect();
                let found = self.with_records(topic, deadline, move |reader| {
                    reader.between(partitions, &times, reverse, (skip, limit))
                });
                found.await
            }
        }
    }

    async fn offsets_of_one(
        &self,
        topic: &str,
        partition: i32,
        deadline: Instant,
    ) -> Result<Range<i64>, BackendError> {
        let mut partitions = self.cluster.partitions(topic, deadline).await?;
        partitions.retain(|found| found.id == partition);
        let offsets = self.offsets_of(topic, &partitions, deadline).await?;
        let found = offsets.first().ok_or(BackendError::UnknownPartition)?;
        Ok(found.log_start_offset..found.high_watermark)
    }

    async fn with_records<T: Send + 'static>(
        &self,
        topic: &str,
        deadline: Instant,
        read: impl FnOnce(RecordReader<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        let topic = topic.to_owned();
        let found = self
            .record_readers
            .read(RECORD_READERS, deadline, move |client| {
                read(RecordReader {
                    client,
                    topic: &topic,
                    deadline,
                })
            });
        Ok(found.await?)
    }

    pub(super) async fn all_topics(
        &self,
        deadline: Instant,
    ) -> Result<Vec<TopicSummary>, BackendError> {
        let reader = self.cluster.reader().await?;
        let topics = self.cluster.query(QUERY_TIMEOUT, deadline, move |time| {
            let metadata = reader.fetch_metadata(None, time)?;
            // A topic with an error is being created or removed.
            let topics = metadata.topics().iter();
            let topics = topics.filter(|topic| topic.error().is_none());
            let summary = |topic: &rdkafka::metadata::MetadataTopic| TopicSummary {
                name: topic.name().to_owned(),
                partitions: topic.partitions().len(),
                replicas: topic.partitions().first().map(|it| it.replicas().len()),
                internal: INTERNAL_TOPICS.contains(&topic.name()),
                // The library does not tell it, nor the topic's id.
                created_at: None,
            };
            Ok(topics.map(summary).collect())
        });
        let mut topics: Vec<_> = topics.await?;
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }

    pub(super) async fn all_groups(
        &self,
        containing: &str,
        deadline: Instant,
    ) -> Result<Vec<GroupSummary>, BackendError> {
        let coordinators = self.coordinators(deadline).await?;
        let mut groups = self.group_list(None, deadline).await?;
        if coordinators != self.coordinators(deadline).await? {
            let reason = "the coordinators of consumer groups changed";
            return Err(Failure::unknown(&reason).into());
        }
        groups.retain(|group| group.name.contains(containing));
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(groups)
    }

    /// The partitions of the topic of commits, whose leaders coordinate the groups.
    ///
    /// When librdkafka lists groups, the response of one broker hides the error of another. So the leaders are queried
    /// before and after that.
    async fn coordinators(&self, deadline: Instant) -> Result<Vec<Partition>, Failure> {
        let reader = self.cluster.reader().await?;
        let partitions = self.cluster.query(QUERY_TIMEOUT, deadline, move |time| {
            partitions_of(
                &reader.fetch_metadata(Some(OFFSETS_TOPIC), time)?,
                OFFSETS_TOPIC,
            )
        });
        let partitions = match partitions.await {
            // No group has committed yet.
            Err(failure) if failure.code == KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                Vec::new()
            }
            partitions => partitions?,
        };
        let ends = self
            .cluster
            .offsets(OFFSETS_TOPIC, &partitions, Offset::End, deadline);
        let mut ends = ends.await;
        for Partition { id, .. } in &partitions {
            take(&mut ends, *id)?;
        }
        Ok(partitions)
    }

    /// All groups, or only the one with this name.
    async fn group_list(
        &self,
        name: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<GroupSummary>, Failure> {
        let _permit = self.group_readers.permit(deadline).await?;
        let (reader, name) = (self.cluster.reader().await?, name.map(str::to_owned));
        let time = deadline.saturating_duration_since(Instant::now());
        let groups = self.cluster.query(time, deadline, move |time| {
            let list = reader.fetch_group_list(name.as_deref(), time)?;
            let summary = |group: &rdkafka::groups::GroupInfo| GroupSummary {
                name: group.name().to_owned(),
                state: state(group.state()),
                lag: None,
            };
            Ok(list.groups().iter().map(summary).collect())
        });
        groups.await
    }

    pub(super) async fn commits(
        &self,
        group: &str,
        topic: &str,
        deadline: Instant,
    ) -> Result<Vec<CommittedOffset>, BackendError> {
        let mut partitions = self.cluster.partitions(topic, deadline).await?;
        // librdkafka takes C strings.
        if group.contains('\0') {
            return Err(BackendError::UnknownGroup);
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for Partition { id, .. } in &partitions {
            list.add_partition(topic, *id);
        }
        let found = self.group_readers.read(group, deadline, move |client| {
            let time = deadline.saturating_duration_since(Instant::now());
            Ok(offsets_in(&client.committed_offsets(list, time)?))
        });
        let mut commits = BTreeMap::new();
        for (partition, offset) in found.await? {
            commits.extend(offset?.map(|offset| (partition, offset)));
        }
        // Kafka responds alike for a group that does not exist.
        if commits.is_empty() && self.group_list(Some(group), deadline).await?.is_empty() {
            return Err(BackendError::UnknownGroup);
        }
        partitions.retain(|partition| commits.contains_key(&partition.id));
        // The offsets last: the group may commit meanwhile.
        let offsets = self.offsets_of(topic, &partitions, deadline).await?;
        let committed = offsets.into_iter().filter_map(|partition| {
            let offset = *commits.get(&partition.partition)?;
            Some(CommittedOffset { partition, offset })
        });
        Ok(committed.collect())
    }
}

/// A group of Kafka's newer protocol is listed, and described as dead: librdkafka's request does not know it.
fn state(name: &str) -> GroupState {
    match name {
        "Empty" => GroupState::Empty,
        "PreparingRebalance" => GroupState::PreparingRebalance,
        "CompletingRebalance" | "AwaitingSync" => GroupState::CompletingRebalance,
        "Stable" => GroupState::Stable,
        _ => GroupState::Unknown,
    }
}
