//! Kafka's error codes, as far as a deletion of records can meet them.

/// An error code of the Kafka protocol: the number in `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KafkaErrorCode(i16);

impl KafkaErrorCode {
    /// The offset is higher than the partition's high watermark.
    pub(crate) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// The topic has no such partition.
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The topic is Kafka's own, such as `__consumer_offsets`.
    pub(crate) const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// The topic's `cleanup.policy` lacks `delete`.
    pub(crate) const POLICY_VIOLATION: Self = Self(44);

    /// The code that Kafka writes as `value`.
    pub(crate) const fn new(value: i16) -> Self {
        Self(value)
    }

    /// The number that Kafka writes.
    pub(crate) const fn value(self) -> i16 {
        self.0
    }
}
