//! Kafka's error codes, as far as a deletion of records can meet them.

/// An error code of the Kafka protocol: the number in `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KafkaErrorCode(i16);

#[cfg_attr(
    not(feature = "kafka"),
    expect(dead_code, reason = "memory neither hangs nor loses a leader")
)]
impl KafkaErrorCode {
    /// Anything that Kafka has no other code for.
    pub(crate) const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    /// The offset is higher than the partition's high watermark.
    pub(crate) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// The topic has no such partition.
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The partition has no leader at the moment.
    pub(crate) const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// The broker that was asked does not lead the partition, or does not any more.
    pub(crate) const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// Not every live replica got there in time, though the leader may have.
    pub(crate) const REQUEST_TIMED_OUT: Self = Self(7);
    /// The connection broke before the answer came.
    pub(crate) const NETWORK_EXCEPTION: Self = Self(13);
    /// The topic is Kafka's own, such as `__consumer_offsets`.
    pub(crate) const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// The topic's `cleanup.policy` lacks `delete`.
    pub(crate) const POLICY_VIOLATION: Self = Self(44);
    /// The disk that holds the partition is offline.
    pub(crate) const KAFKA_STORAGE_ERROR: Self = Self(56);

    /// The code that Kafka writes as `value`.
    pub(crate) const fn new(value: i16) -> Self {
        Self(value)
    }

    /// The number that Kafka writes.
    pub(crate) const fn value(self) -> i16 {
        self.0
    }
}
