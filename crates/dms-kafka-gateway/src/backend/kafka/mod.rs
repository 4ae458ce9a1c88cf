//! A real Kafka cluster, through librdkafka.

use std::{fmt, sync::Arc, time::Instant};

use zeroize::Zeroizing;

use super::{
    Backend, BackendError, BackendFuture, CommittedOffset, DeletedRecords, Edge, FoundRecord,
    FoundRecords, GroupSummary, PartitionOffsets, RecordsToFind, TopicSummary,
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
use reads::{Reads, twice};

/// The cluster behind one instance. The gateway connects to it on the first request that needs it.
pub(crate) struct KafkaBackend {
    cluster: Arc<Cluster>,
    reads: Reads,
}

impl KafkaBackend {
    pub(crate) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
    ) -> Result<Self, Error> {
        let cluster = Arc::new(Cluster::new(instance, properties)?);
        let reads = Reads::new(cluster.clone());
        Ok(Self { cluster, reads })
    }

    /// The id that the brokers gave the cluster when it was created.
    pub(crate) async fn cluster_id(&self, deadline: Instant) -> Result<String, BackendError> {
        Ok(self.cluster.id(deadline).await?)
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
        twice(move || Box::pin(self.reads.offsets(topic, deadline)))
    }

    fn offsets_for_time<'a>(
        &'a self,
        topic: &'a str,
        time: i64,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<(i32, i64)>> {
        twice(move || Box::pin(self.reads.time_offsets(topic, time, deadline)))
    }

    fn edge<'a>(
        &'a self,
        topic: &'a str,
        partition: PartitionId,
        edge: Edge,
        deadline: Instant,
    ) -> BackendFuture<'a, Option<FoundRecord>> {
        twice(move || Box::pin(self.reads.record_at(topic, partition, edge, deadline)))
    }

    fn find<'a>(
        &'a self,
        topic: &'a str,
        what: RecordsToFind,
        deadline: Instant,
    ) -> BackendFuture<'a, FoundRecords> {
        twice(move || Box::pin(self.reads.records(topic, what.clone(), deadline)))
    }

    fn topics(&self, deadline: Instant) -> BackendFuture<'_, Vec<TopicSummary>> {
        twice(move || Box::pin(self.reads.all_topics(deadline)))
    }

    fn groups<'a>(
        &'a self,
        containing: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<GroupSummary>> {
        twice(move || Box::pin(self.reads.all_groups(containing, deadline)))
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<CommittedOffset>> {
        twice(move || Box::pin(self.reads.commits(group, topic, deadline)))
    }

    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(async move { Ok(self.cluster.ping(deadline).await?) })
    }
}
