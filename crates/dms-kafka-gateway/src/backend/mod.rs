//! The topics behind an instance: in memory, or in a Kafka cluster.

use std::{any::Any, fmt, pin::Pin, time::Instant};

use crate::deletion_target::{PartitionId, RecordsToDelete};

#[cfg(feature = "kafka")]
pub(crate) mod kafka;
pub(crate) mod memory;

/// The result of one row of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeletedRecords {
    pub(crate) partition: PartitionId,
    /// The low watermark after the deletion (the lowest log start offset among the partition's live replicas), or
    /// Kafka's code if the deletion is not known to have succeeded.
    pub(crate) outcome: Result<i64, KafkaErrorCode>,
    /// How many records were deleted, if the backend knows: for metrics.
    pub(crate) records: Option<u64>,
}

impl DeletedRecords {
    pub(crate) fn error_code(&self) -> i16 {
        self.outcome.map_or_else(KafkaErrorCode::value, |_| 0)
    }
}

/// An error code of the Kafka protocol: the number in `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KafkaErrorCode(i16);

#[cfg_attr(
    not(feature = "kafka"),
    expect(dead_code, reason = "topics in memory have no brokers and leaders")
)]
impl KafkaErrorCode {
    /// Every failure that has no other code.
    pub(crate) const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    pub(crate) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    pub(crate) const LEADER_NOT_AVAILABLE: Self = Self(5);
    pub(crate) const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// Not every live replica applied the deletion in time; the leader may have.
    pub(crate) const REQUEST_TIMED_OUT: Self = Self(7);
    /// The connection broke before the response arrived.
    pub(crate) const NETWORK_EXCEPTION: Self = Self(13);
    /// The topic is internal, such as `__consumer_offsets`.
    pub(crate) const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// The topic's `cleanup.policy` lacks `delete`.
    pub(crate) const POLICY_VIOLATION: Self = Self(44);
    /// The disk of the partition is offline.
    pub(crate) const KAFKA_STORAGE_ERROR: Self = Self(56);

    pub(crate) const fn new(value: i16) -> Self {
        Self(value)
    }

    pub(crate) const fn value(self) -> i16 {
        self.0
    }
}

/// The current offsets of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// Partition index within the topic.
    pub partition: i32,
    /// Offset of the first record that can still be read.
    pub log_start_offset: i64,
    /// Offset that the next readable record will get.
    pub high_watermark: i64,
    /// When the newest record was written, in milliseconds since 1970; 0 if unknown.
    pub last_update_time: i64,
}

/// Why a call for a whole topic failed.
///
/// The failure of one partition is not such an error: it is a [`KafkaErrorCode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendError {
    #[error("the topic does not exist")]
    UnknownTopic,
    /// The cluster cannot be reached; nothing was deleted.
    #[error("the Kafka cluster is not available: {0}")]
    #[cfg_attr(
        not(any(test, feature = "kafka")),
        expect(dead_code, reason = "topics in memory are always available")
    )]
    Unavailable(String),
}

pub(crate) type BackendFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// One Kafka cluster, or a replacement with the same rules.
pub(crate) trait Backend: Any + fmt::Debug + Send + Sync {
    /// Deletes records, and returns one [`DeletedRecords`] for each row, in the order of the rows.
    ///
    /// No partition occurs twice in `rows`. A row that fails does not affect the others. Rows undecided at `deadline`
    /// get Kafka's `REQUEST_TIMED_OUT` (7). When the whole call fails, nothing was deleted.
    fn delete<'a>(
        &'a self,
        topic: &'a str,
        rows: &'a [RecordsToDelete],
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>>;

    /// The offsets of every partition of a topic, ordered by partition.
    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>>;

    /// Fails when the backend cannot serve requests now; called by `/readyz`.
    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()>;
}
