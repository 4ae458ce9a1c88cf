//! A real Kafka cluster, through librdkafka.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Instant};

use zeroize::Zeroizing;

use super::{
    Backend, BackendError, BackendFuture, BackendMetrics, CommittedOffset, DeletedRecords, Edge,
    FoundRecord, FoundRecords, GroupSummary, KafkaErrorCode, PartitionOffsets, RecordsToFind,
    TopicDeletion, TopicSummary,
};
use crate::{deletion_target::PartitionId, error::Error};

mod client;
mod cluster;
mod codes;
mod deletion;
mod job;
mod lanes;
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
use readers::Readers;
use reads::retried;
use results::Failure;

/// The cluster behind one instance. The gateway connects to it on the first request that needs it.
pub(crate) struct KafkaBackend {
    lanes: Arc<Lanes<Cluster>>,
    readers: Readers,
}

impl KafkaBackend {
    pub(crate) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
        nudge_topic: Option<&str>,
    ) -> Result<Self, Error> {
        let cluster = Cluster::new(instance, properties, nudge_topic)?;
        let readers = Readers::new(&cluster);
        let lanes = Lanes::new(cluster);
        Ok(Self { lanes, readers })
    }

    fn cluster(&self) -> &Cluster {
        &self.lanes.brokers
    }

    /// The id that the brokers gave the cluster when it was created.
    pub(crate) async fn cluster_id(&self, deadline: Instant) -> Result<String, BackendError> {
        Ok(self.cluster().id(deadline).await?)
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
    fn delete<'a>(&'a self, deletion: TopicDeletion<'a>) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(deletion::delete(&self.lanes, deletion))
    }

    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>> {
        retried(deadline, move || Box::pin(self.offsets(topic, deadline)))
    }

    fn offsets_for_time<'a>(
        &'a self,
        topic: &'a str,
        time: i64,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<(i32, i64)>> {
        retried(deadline, move || {
            Box::pin(self.time_offsets(topic, time, deadline))
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
            Box::pin(self.record_at(topic, partition, edge, deadline))
        })
    }

    fn find<'a>(
        &'a self,
        topic: &'a str,
        what: RecordsToFind,
        deadline: Instant,
    ) -> BackendFuture<'a, FoundRecords> {
        retried(deadline, move || {
            Box::pin(self.records(topic, what.clone(), deadline))
        })
    }

    fn topics(&self, deadline: Instant) -> BackendFuture<'_, Vec<TopicSummary>> {
        retried(deadline, move || Box::pin(self.all_topics(deadline)))
    }

    fn groups<'a>(
        &'a self,
        containing: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<GroupSummary>> {
        retried(deadline, move || {
            Box::pin(self.all_groups(containing, deadline))
        })
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<CommittedOffset>> {
        retried(deadline, move || {
            Box::pin(self.commits(group, topic, deadline))
        })
    }

    fn start(self: Arc<Self>, metrics: &BackendMetrics) {
        self.cluster().set_metrics(metrics);
        tokio::spawn(async move { self.cluster().warm_up().await });
    }

    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(async move { Ok(self.cluster().ask_leaders(deadline.into()).await?) })
    }
}
