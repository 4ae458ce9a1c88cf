//! A real Kafka cluster, through librdkafka.

use std::{fmt, ops::Range, sync::Arc, time::Instant};

use zeroize::Zeroizing;

use super::{
    Backend, BackendError, BackendFuture, BackendMetrics, CommittedOffset, DeletedRecords, Edge,
    FoundRecord, FoundRecords, GroupSummary, Page, PartitionOffsets, RecordsToFind, TopicDeletion,
    TopicSummary,
};
use crate::{deletion_target::PartitionId, error::Error};

mod client;
mod cluster;
mod codes;
mod deletion;
mod job;
mod lanes;
mod librdkafka;
#[cfg(feature = "kafka-tls")]
mod listener;
mod nudge;
mod queue;
mod readers;
mod reads;
mod records;
mod results;
#[cfg(test)]
mod simulation;

use cluster::Cluster;
use lanes::Lanes;
use reads::{Reads, retried};

/// The cluster behind one instance. The gateway connects to it on the first request that needs it.
pub(crate) struct KafkaBackend {
    cluster: Arc<Cluster>,
    lanes: Arc<Lanes<Cluster>>,
    reads: Reads,
}

impl KafkaBackend {
    pub(crate) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
        nudge_topic: Option<&str>,
    ) -> Result<Self, Error> {
        let cluster = Arc::new(Cluster::new(instance, properties, nudge_topic)?);
        let reads = Reads::new(cluster.clone());
        let lanes = Lanes::new(cluster.clone());
        Ok(Self {
            cluster,
            lanes,
            reads,
        })
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
    fn delete<'a>(&'a self, deletion: TopicDeletion<'a>) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(deletion::delete(&self.lanes, deletion))
    }

    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        page: Range<usize>,
        deadline: Instant,
    ) -> BackendFuture<'a, Page<PartitionOffsets>> {
        retried(deadline, move || {
            Box::pin(self.reads.offsets(topic, page.clone(), deadline))
        })
    }

    fn offsets_for_time<'a>(
        &'a self,
        topic: &'a str,
        page: Range<usize>,
        time: i64,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<(i32, i64)>> {
        retried(deadline, move || {
            let page = page.clone();
            Box::pin(self.reads.time_offsets(topic, page, time, deadline))
        })
    }

    fn edge<'a>(
        &'a self,
        topic: &'a str,
        partition: PartitionId,
        edge: Edge,
        deadline: Instant,
    ) -> BackendFuture<'a, Option<FoundRecord>> {
        retried(deadline, move || {
            Box::pin(self.reads.record_at(topic, partition, edge, deadline))
        })
    }

    fn find<'a>(
        &'a self,
        topic: &'a str,
        what: RecordsToFind,
        deadline: Instant,
    ) -> BackendFuture<'a, FoundRecords> {
        retried(deadline, move || {
            Box::pin(self.reads.records(topic, what.clone(), deadline))
        })
    }

    fn topics(&self, deadline: Instant) -> BackendFuture<'_, Vec<TopicSummary>> {
        retried(deadline, move || Box::pin(self.reads.all_topics(deadline)))
    }

    fn groups<'a>(
        &'a self,
        containing: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<GroupSummary>> {
        retried(deadline, move || {
            Box::pin(self.reads.all_groups(containing, deadline))
        })
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<CommittedOffset>> {
        retried(deadline, move || {
            Box::pin(self.reads.commits(group, topic, deadline))
        })
    }

    fn start(self: Arc<Self>, metrics: &BackendMetrics) {
        self.cluster.set_metrics(metrics);
        tokio::spawn(async move { self.cluster.warm_up().await });
    }

    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(async move { Ok(self.cluster.ask_leaders(deadline.into()).await?) })
    }
}
