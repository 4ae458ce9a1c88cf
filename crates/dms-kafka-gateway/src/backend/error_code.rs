//! Kafka's error codes, as far as a deletion of records can meet them.

use std::fmt;

/// An error code of the Kafka protocol.
///
/// It goes to the caller as the number in `error_code`; [`KafkaErrorCode::name`] is for people.
///
/// ```
/// use dms_kafka_gateway::KafkaErrorCode;
///
/// assert_eq!(KafkaErrorCode::OFFSET_OUT_OF_RANGE.value(), 1);
/// assert_eq!(KafkaErrorCode::OFFSET_OUT_OF_RANGE.to_string(), "1 OFFSET_OUT_OF_RANGE");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KafkaErrorCode(i16);

impl KafkaErrorCode {
    /// The broker met something it has no code for.
    pub const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    /// The offset is higher than the partition's high watermark.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// The topic has no such partition.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The broker asked is not the partition's leader.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// The replicas did not confirm in time; the leader may have deleted.
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    /// The connection to the broker broke; it may have deleted.
    pub const NETWORK_EXCEPTION: Self = Self(13);
    /// The topic is Kafka's own, such as `__consumer_offsets`.
    pub const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// The gateway's user may not delete from this topic.
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// The topic's `cleanup.policy` lacks `delete`.
    pub const POLICY_VIOLATION: Self = Self(44);
    /// The broker's log directory is offline.
    pub const KAFKA_STORAGE_ERROR: Self = Self(56);

    /// The code that Kafka writes as `value`.
    pub const fn new(value: i16) -> Self {
        Self(value)
    }

    /// The number that Kafka gives the code.
    pub const fn value(self) -> i16 {
        self.0
    }

    /// Kafka's name for the code, when a deletion of records is known to answer with it.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::UNKNOWN_SERVER_ERROR => "UNKNOWN_SERVER_ERROR",
            Self::OFFSET_OUT_OF_RANGE => "OFFSET_OUT_OF_RANGE",
            Self::UNKNOWN_TOPIC_OR_PARTITION => "UNKNOWN_TOPIC_OR_PARTITION",
            Self::NOT_LEADER_OR_FOLLOWER => "NOT_LEADER_OR_FOLLOWER",
            Self::REQUEST_TIMED_OUT => "REQUEST_TIMED_OUT",
            Self::NETWORK_EXCEPTION => "NETWORK_EXCEPTION",
            Self::INVALID_TOPIC_EXCEPTION => "INVALID_TOPIC_EXCEPTION",
            Self::TOPIC_AUTHORIZATION_FAILED => "TOPIC_AUTHORIZATION_FAILED",
            Self::POLICY_VIOLATION => "POLICY_VIOLATION",
            Self::KAFKA_STORAGE_ERROR => "KAFKA_STORAGE_ERROR",
            _ => return None,
        })
    }
}

impl fmt::Display for KafkaErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => self.0.fmt(f),
        }
    }
}
