//! A real Kafka cluster, through librdkafka.

use std::{fmt, time::Instant};

use rdkafka::Offset;
use zeroize::Zeroizing;

use super::{
    Backend, BackendError, BackendFuture, DeletedRecords, KafkaErrorCode, PartitionOffsets,
};
use crate::{deletion_target::RecordsToDelete, error::Error};

mod admin_pool;
mod cluster;
mod deletion;
mod results;

use cluster::{Cluster, Partition};
use deletion::KafkaDeletion;
use results::{Failure, PartitionResults};

/// The cluster behind one instance. The gateway connects to it on the first request that needs it.
pub(crate) struct KafkaBackend {
    cluster: Cluster,
}

impl KafkaBackend {
    pub(crate) fn new(
        instance: &str,
        properties: &[(String, Zeroizing<String>)],
    ) -> Result<Self, Error> {
        Cluster::new(instance, properties).map(|cluster| Self { cluster })
    }

    /// The id that the brokers gave the cluster when it was created.
    pub(crate) async fn cluster_id(&self, deadline: Instant) -> Result<String, BackendError> {
        Ok(self.cluster.id(deadline).await?)
    }

    async fn offsets(
        &self,
        topic: &str,
        deadline: Instant,
    ) -> Result<Vec<PartitionOffsets>, Failure> {
        let partitions = self.cluster.partitions(topic, deadline).await?;
        let list = async |which| {
            self.cluster
                .offsets(topic, &partitions, which, deadline)
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
}

fn take(results: &mut PartitionResults, partition: i32) -> Result<i64, Failure> {
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
        Box::pin(async move {
            match self.offsets(topic, deadline).await {
                // Leaders may have changed.
                Err(failure) if failure.code != KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                    Ok(self.offsets(topic, deadline).await?)
                }
                offsets => Ok(offsets?),
            }
        })
    }

    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(async move { Ok(self.cluster.ping(deadline).await?) })
    }
}
