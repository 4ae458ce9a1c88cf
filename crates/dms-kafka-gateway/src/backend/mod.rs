//! The topics behind an instance: in memory, or in a Kafka cluster.

use std::{
    any::Any,
    fmt,
    future::ready,
    ops::{Range, RangeInclusive},
    pin::Pin,
    sync::Arc,
    time::Instant,
};

use prometheus_client::metrics::{counter::Counter, histogram::Histogram};
use serde::{Deserialize, Serialize};

use crate::deletion_target::{PartitionId, RecordsToDelete};

#[cfg(feature = "kafka")]
pub(crate) mod kafka;
pub(crate) mod memory;
pub(crate) mod memory_groups;
mod partition_log;

/// Internal topics: Kafka refuses to delete their records.
const INTERNAL_TOPICS: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

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
    pub(crate) const BROKER_NOT_AVAILABLE: Self = Self(8);
    pub(crate) const REPLICA_NOT_AVAILABLE: Self = Self(9);
    /// The connection broke before the response arrived.
    pub(crate) const NETWORK_EXCEPTION: Self = Self(13);
    /// The Kafka user must not see the consumer group.
    pub(crate) const GROUP_AUTHORIZATION_FAILED: Self = Self(30);
    /// The topic is internal, such as `__consumer_offsets`.
    pub(crate) const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// The topic's `cleanup.policy` lacks `delete`.
    pub(crate) const POLICY_VIOLATION: Self = Self(44);
    /// The disk of the partition is offline.
    pub(crate) const KAFKA_STORAGE_ERROR: Self = Self(56);
    pub(crate) const LISTENER_NOT_FOUND: Self = Self(72);
    pub(crate) const FENCED_LEADER_EPOCH: Self = Self(74);
    pub(crate) const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    /// A new leader does not know its high watermark yet.
    pub(crate) const OFFSET_NOT_AVAILABLE: Self = Self(78);

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

/// Part of a list.
pub(crate) struct Page<T> {
    /// Of the whole list.
    pub(crate) total: usize,
    pub(crate) items: Vec<T>,
}

/// The page with all items.
pub(crate) const ALL: Range<usize> = 0..usize::MAX;

/// A topic in the list of an instance's topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicSummary {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    pub(crate) replicas: Option<usize>,
    pub(crate) internal: bool,
    /// In milliseconds since 1970.
    pub(crate) created_at: Option<i64>,
}

/// The state of a consumer group, in the vendor's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum GroupState {
    /// It has no members and no commits.
    Dead,
    /// It has commits, but no members.
    #[default]
    Empty,
    /// Its members are joining.
    PreparingRebalance,
    /// Its partitions are being assigned to its members.
    CompletingRebalance,
    /// Its members read.
    Stable,
    /// The gateway cannot tell.
    Unknown,
}

/// A consumer group in the list of an instance's groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupSummary {
    pub(crate) name: String,
    pub(crate) state: GroupState,
    /// Offsets from its commits to the ends of their partitions, if known.
    pub(crate) lag: Option<u64>,
}

/// What a group committed in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) partition: PartitionOffsets,
    /// The next offset that the group reads.
    pub(crate) offset: i64,
}

/// Offset and time of a record; never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundRecord {
    pub(crate) offset: i64,
    /// In milliseconds since 1970.
    pub(crate) timestamp: i64,
}

/// A record at the start or the end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Oldest,
    Newest,
}

/// Which records of a topic to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordsToFind {
    /// The first record at or after an offset.
    AtOrAfter { partition: PartitionId, offset: i64 },
    /// The records with these times, in the order of partitions and offsets, or in the reverse order.
    Between {
        times: RangeInclusive<i64>,
        reverse: bool,
        skip: u64,
        limit: usize,
    },
}

/// Records of a topic, each with its partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundRecords {
    /// How many there are without `skip` and `limit`.
    pub(crate) total: u64,
    pub(crate) records: Vec<(i32, FoundRecord)>,
}

/// Why a call for a whole topic or instance failed.
///
/// The failure of one partition is not such an error: it is a [`KafkaErrorCode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendError {
    #[error("the topic does not exist")]
    UnknownTopic,
    #[error("the topic has no such partition")]
    UnknownPartition,
    #[error("the consumer group does not exist")]
    UnknownGroup,
    #[error("the backend does not have this operation")]
    NotSupported,
    /// The cluster cannot be reached; nothing was deleted.
    #[error("the Kafka cluster is not available: {0}")]
    #[cfg_attr(
        not(any(test, feature = "kafka")),
        expect(dead_code, reason = "topics in memory are always available")
    )]
    Unavailable(String),
    /// The brokers refuse the gateway's credentials or its connection; nothing was deleted.
    #[error("the Kafka cluster refuses the gateway: {0}")]
    #[cfg_attr(
        not(feature = "kafka"),
        expect(dead_code, reason = "topics in memory refuse no client")
    )]
    Refused(String),
    #[error("the audit log cannot be written, so nothing was deleted")]
    NotAudited,
}

pub(crate) type BackendFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// Records that rows are about to be sent. If the result is false, they must not be.
pub(crate) type Intent =
    Arc<dyn Fn(Vec<RecordsToDelete>) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A deletion from one topic. No partition occurs twice in its rows.
#[derive(Clone)]
#[cfg_attr(
    not(feature = "kafka"),
    expect(
        dead_code,
        reason = "topics in memory have neither brokers nor a deadline"
    )
)]
pub(crate) struct TopicDeletion<'a> {
    pub(crate) topic: &'a str,
    /// Callers that wait for the same broker take turns.
    pub(crate) caller: &'a str,
    pub(crate) rows: &'a [RecordsToDelete],
    pub(crate) deadline: Instant,
    /// Called with each row before it is sent for the first time.
    pub(crate) intent: Intent,
}

/// Metrics of the clusters behind all instances.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "there is none"))]
pub(crate) struct BackendMetrics {
    /// Seconds from sending a deletion to a broker to its response.
    pub(crate) deletions: Histogram,
    /// Records appended to nudge topics.
    pub(crate) nudges: Counter,
}

fn not_supported<'a, T: Send + 'a>() -> BackendFuture<'a, T> {
    Box::pin(ready(Err(BackendError::NotSupported)))
}

/// One Kafka cluster, or a replacement with the same rules.
///
/// A backend that lacks an operation which is not needed for deletions fails with [`BackendError::NotSupported`].
pub(crate) trait Backend: Any + fmt::Debug + Send + Sync {
    /// Deletes records, and returns one [`DeletedRecords`] for each row, in the order of the rows.
    ///
    /// A row that fails does not affect the others. A row that was not sent by the deadline gets Kafka's
    /// `LEADER_NOT_AVAILABLE` (5), and one that was sent without a response `REQUEST_TIMED_OUT` (7). When the whole call
    /// fails, nothing was deleted.
    fn delete<'a>(&'a self, deletion: TopicDeletion<'a>) -> BackendFuture<'a, Vec<DeletedRecords>>;

    /// The offsets of a page of a topic's partitions, ordered by partition.
    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        page: Range<usize>,
        deadline: Instant,
    ) -> BackendFuture<'a, Page<PartitionOffsets>>;

    /// For each partition on the page, the smallest offset of a record that is not older than `time`; the end offset if
    /// there is none.
    fn offsets_for_time<'a>(
        &'a self,
        _topic: &'a str,
        _page: Range<usize>,
        _time: i64,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<(i32, i64)>> {
        not_supported()
    }

    /// The record at an edge of a partition, if it has records.
    fn edge<'a>(
        &'a self,
        _topic: &'a str,
        _partition: PartitionId,
        _edge: Edge,
        _deadline: Instant,
    ) -> BackendFuture<'a, Option<FoundRecord>> {
        not_supported()
    }

    fn find<'a>(
        &'a self,
        _topic: &'a str,
        _what: RecordsToFind,
        _deadline: Instant,
    ) -> BackendFuture<'a, FoundRecords> {
        not_supported()
    }

    /// Every topic, ordered by name.
    fn topics(&self, _deadline: Instant) -> BackendFuture<'_, Vec<TopicSummary>> {
        not_supported()
    }

    /// Every consumer group whose name contains this text, ordered by name.
    fn groups<'a>(
        &'a self,
        _containing: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<GroupSummary>> {
        not_supported()
    }

    /// The commits of a group in a topic, ordered by partition. A partition without a commit is absent.
    fn committed<'a>(
        &'a self,
        _group: &'a str,
        _topic: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<CommittedOffset>> {
        not_supported()
    }

    /// Called once, when the gateway starts to serve.
    fn start(self: Arc<Self>, _metrics: &BackendMetrics) {}

    /// Fails when the backend cannot serve requests now; called by `/readyz`.
    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()>;
}
