//! A real Kafka cluster, through librdkafka.

use std::{collections::BTreeMap, fmt, time::Instant};

use zeroize::Zeroizing;

use super::{
    Backend, BackendError, BackendFuture, CommittedOffset, DeletedRecords, Edge, FoundRecord,
    FoundRecords, GroupSummary, KafkaErrorCode, PartitionOffsets, RecordsToFind, TopicSummary,
};
use crate::{
    deletion_target::{PartitionId, RecordsToDelete},
    error::Error,
};

mod admin_pool;
mod cluster;
mod deletion;
mod readers;
mod reads;
mod records;
mod results;

use cluster::Cluster;
use deletion::KafkaDeletion;
use readers::Readers;
use reads::twice;
use results::Failure;

/// The cluster behind one instance. The gateway connects to it on the first request that needs it.
pub(crate) struct KafkaBackend {
    cluster: Cluster,
    group_readers: Readers,
    record_readers: Readers,
}

impl KafkaBackend {
    pub(crate) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
    ) -> Result<Self, Error> {
        let cluster = Cluster::new(instance, properties)?;
        Ok(Self {
            group_readers: Readers::new(&cluster),
            record_readers: Readers::new(&cluster),
            cluster,
        })
    }

    /// The id that the brokers gave the cluster when it was created.
    pub(crate) async fn cluster_id(&self, deadline: Instant) -> Result<String, BackendError> {
        Ok(self.cluster.id(deadline).await?)
    }
}

fn take<T>(results: &mut BTreeMap<i32, Result<T, Failure>>, partition: i32) -> Result<T, Failure> {
    match results.remove(&partition) {
        // The topic exists, so the broker's metadata is outdated.
        Some(Err(failure)) if failure.code == KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            Err(Failure::no_leader())
        }
        Some(result) => result,
        None => Err(Failure::timed_out()),
    }
}

impl fmt::Debug for KafkaBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBackend").finish_non_exhaustive()
    }
}

impl Backend for KafkaBackend {
    fn delete<'a>(
        &'a self,
        topic: &'a str,
        rows: &'a [RecordsToDelete],
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(KafkaDeletion::new(&self.cluster, topic, rows, deadline).run())
    }

    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>> {
        twice(move || Box::pin(self.offsets(topic, deadline)))
    }

    fn offsets_for_time<'a>(
        &'a self,
        topic: &'a str,
        time: i64,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<(i32, i64)>> {
        twice(move || Box::pin(self.time_offsets(topic, time, deadline)))
    }

    fn edge<'a>(
        &'a self,
        topic: &'a str,
        partition: PartitionId,
        edge: Edge,
        deadline: Instant,
    ) -> BackendFuture<'a, Option<FoundRecord>> {
        twice(move || Box::pin(self.record_at(topic, partition, edge, deadline)))
    }

    fn find<'a>(
        &'a self,
        topic: &'a str,
        what: RecordsToFind,
        deadline: Instant,
    ) -> BackendFuture<'a, FoundRecords> {
        twice(move || Box::pin(self.records(topic, what.clone(), deadline)))
    }

    fn topics(&self, deadline: Instant) -> BackendFuture<'_, Vec<TopicSummary>> {
        twice(move || Box::pin(self.all_topics(deadline)))
    }

    fn groups<'a>(
        &'a self,
        containing: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<GroupSummary>> {
        twice(move || Box::pin(self.all_groups(containing, deadline)))
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<CommittedOffset>> {
        twice(move || Box::pin(self.commits(group, topic, deadline)))
    }

    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(async move { Ok(self.cluster.ping(deadline).await?) })
    }
}
