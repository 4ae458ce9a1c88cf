//! What stands behind an instance: something that keeps topics and deletes records from them.

use std::{fmt, pin::Pin, time::Instant};

mod error_code;
#[cfg(feature = "kafka")]
mod kafka;
mod memory;

pub(crate) use error_code::KafkaErrorCode;
#[cfg(feature = "kafka")]
pub(crate) use kafka::KafkaBackend;
pub(crate) use memory::MemoryBackend;
pub use memory::{CleanupPolicy, TopicSettings};

/// Up to where the records of one partition are to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeforeOffset {
    /// Every record whose offset is lower than this one; never negative.
    Offset(i64),
    /// Every record below the high watermark of the moment: `-1` on the wire.
    HighWatermark,
}

/// One row of a deletion: a partition and the offset before which its records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordsToDelete {
    /// Partition index within the topic; never negative.
    pub(crate) partition: i32,
    /// The first offset that stays.
    pub(crate) before: BeforeOffset,
}

/// What became of one row of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeletedRecords {
    /// Partition index, as asked for.
    pub(crate) partition: i32,
    /// The low watermark after the deletion (the lowest log start offset among the partition's live replicas), or
    /// Kafka's code for why nothing is known to be deleted.
    pub(crate) outcome: Result<i64, KafkaErrorCode>,
    /// How many records went, where the backend knows: for metrics.
    pub(crate) records: Option<u64>,
}

/// The offsets of one partition at the moment of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// Partition index within the topic.
    pub partition: i32,
    /// Offset of the first record that can still be read.
    pub log_start_offset: i64,
    /// Offset that the next readable record will get.
    pub high_watermark: i64,
    /// When the newest record was written, in milliseconds since 1970; 0 where that is not known.
    pub last_update_time: i64,
}

/// Why a backend could not answer for a whole topic.
///
/// A partition that cannot be served is not such an error: it gets a [`KafkaErrorCode`] of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendError {
    /// The cluster has no topic of that name.
    #[error("the topic does not exist")]
    UnknownTopic,
    /// The cluster cannot be reached; nothing was deleted.
    #[error("the Kafka cluster is not available: {0}")]
    #[cfg_attr(
        not(any(test, feature = "kafka")),
        expect(dead_code, reason = "memory can always be reached")
    )]
    Unavailable(String),
}

/// The answer of a [`Backend`], on its way.
pub(crate) type BackendFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// Keeps topics and deletes their records: one Kafka cluster, or something that behaves like one.
pub(crate) trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Deletes records and answers with one [`DeletedRecords`] for each row, in the order of the rows.
    ///
    /// No partition occurs twice in `rows`. A row that fails leaves the others alone. Rows undecided at `deadline`
    /// are answered with Kafka's `REQUEST_TIMED_OUT` (7).
    ///
    /// # Errors
    /// [`BackendError`] when the topic does not exist or the cluster cannot be reached: then nothing was deleted.
    fn delete<'a>(
        &'a self,
        topic: &'a str,
        rows: &'a [RecordsToDelete],
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>>;

    /// The offsets of every partition of a topic, ordered by partition.
    ///
    /// # Errors
    /// [`BackendError`] when the topic does not exist or the cluster cannot be reached before `deadline`.
    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>>;

    /// Whether a request sent now can be served: asked by `/readyz`.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when the cluster does not answer before `deadline`.
    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()>;
}
