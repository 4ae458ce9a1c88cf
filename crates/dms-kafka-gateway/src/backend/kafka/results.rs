//! Results of librdkafka's calls, with Kafka's error codes.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use rdkafka::{TopicPartitionList, error::KafkaError, types::RDKafkaErrorCode};

use crate::backend::{BackendError, KafkaErrorCode};

/// The offset of each partition of one topic, or why there is none.
pub(super) type PartitionResults = BTreeMap<i32, Result<i64, Failure>>;

/// The offset of each partition of one topic, if it has one.
pub(super) type OptionalResults = BTreeMap<i32, Result<Option<i64>, Failure>>;

pub(super) type TopicPartition = (Arc<str>, i32);

/// The offset of each partition, or why there is none.
pub(super) type TopicResults = HashMap<TopicPartition, Result<i64, Failure>>;

/// A missing offset becomes a failure.
pub(super) fn present<K, Of>(
    offsets: impl IntoIterator<Item = (K, Result<Option<i64>, Failure>)>,
) -> Of
where
    Of: FromIterator<(K, Result<i64, Failure>)>,
{
    let missing = || Failure::unknown(&"there is no offset in the response");
    let offsets = offsets.into_iter();
    offsets
        .map(|(partition, offset)| (partition, offset.and_then(|it| it.ok_or_else(missing))))
        .collect()
}

/// The offsets of partitions of one topic.
pub(super) fn offsets_in(list: &TopicPartitionList) -> OptionalResults {
    let offsets = topic_offsets_in(list).into_iter();
    offsets.map(|((_, id), offset)| (id, offset)).collect()
}

pub(super) fn topic_offsets_in(
    list: &TopicPartitionList,
) -> Vec<(TopicPartition, Result<Option<i64>, Failure>)> {
    let elements = list.elements();
    let offsets = elements.iter().map(|element| {
        let offset = element.offset().to_raw().filter(|offset| *offset >= 0);
        let result = element.error().map(|()| offset).map_err(Failure::from);
        ((element.topic().into(), element.partition()), result)
    });
    offsets.collect()
}

/// Takes the result of a partition that its topic has.
pub(super) fn take<T>(
    results: &mut BTreeMap<i32, Result<T, Failure>>,
    partition: i32,
) -> Result<T, Failure> {
    match results.remove(&partition) {
        // The topic exists, so the broker's metadata is outdated.
        Some(Err(failure)) if failure.code == KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            Err(Failure::no_leader())
        }
        Some(result) => result,
        None => Err(Failure::timed_out()),
    }
}

/// Why a call to the cluster, or its row for one partition, failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: KafkaErrorCode,
    reason: String,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Broker,
    /// librdkafka, or a timeout of the gateway.
    Client,
    /// librdkafka has not sent the row.
    NotSent,
    /// No other attempt helps: authentication failed, or the audit log cannot be written.
    Fatal,
}

impl Failure {
    pub(super) fn timed_out() -> Self {
        Self::client(
            KafkaErrorCode::REQUEST_TIMED_OUT,
            "it did not respond in time",
        )
    }

    pub(super) fn no_leader() -> Self {
        Self::client(
            KafkaErrorCode::LEADER_NOT_AVAILABLE,
            "a partition has no leader",
        )
    }

    /// A failure for which Kafka has no code.
    pub(super) fn unknown(reason: &impl ToString) -> Self {
        Self::client(KafkaErrorCode::UNKNOWN_SERVER_ERROR, reason)
    }

    pub(super) fn fatal(reason: &impl ToString) -> Self {
        Self {
            origin: Origin::Fatal,
            ..Self::client(KafkaErrorCode::NETWORK_EXCEPTION, reason)
        }
    }

    fn client(code: KafkaErrorCode, reason: &(impl ToString + ?Sized)) -> Self {
        Self {
            code,
            reason: reason.to_string(),
            origin: Origin::Client,
        }
    }

    /// Names the broker that did not respond.
    pub(super) fn of_broker(self, id: i32) -> Self {
        Self {
            reason: format!("broker {id}: {}", self.reason),
            ..self
        }
    }

    pub(super) fn is_from_broker(&self) -> bool {
        self.origin == Origin::Broker
    }

    /// Whether another broker may answer.
    pub(super) fn is_no_answer(&self) -> bool {
        self.origin == Origin::Client && !self.is_unknown_topic()
    }

    pub(super) fn is_not_sent(&self) -> bool {
        self.origin == Origin::NotSent
    }

    pub(super) fn is_fatal(&self) -> bool {
        self.origin == Origin::Fatal
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.code == KafkaErrorCode::REQUEST_TIMED_OUT
    }

    pub(super) fn is_unknown_topic(&self) -> bool {
        self.code == KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    }
}

/// Lower codes are librdkafka's own.
const KAFKAS_LOWEST_CODE: i32 = -1;

impl From<RDKafkaErrorCode> for Failure {
    fn from(code: RDKafkaErrorCode) -> Self {
        Self {
            code: kafka_code(code),
            reason: code.to_string(),
            origin: match code {
                RDKafkaErrorCode::Noop => Origin::NotSent,
                _ if (code as i32) < KAFKAS_LOWEST_CODE => Origin::Client,
                _ => Origin::Broker,
            },
        }
    }
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        let code = match &error {
            KafkaError::AdminOp(code) => Some(*code),
            _ => error.rdkafka_error_code(),
        };
        code.map_or_else(|| Self::unknown(&error), Self::from)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<Failure> for BackendError {
    fn from(failure: Failure) -> Self {
        match failure.code {
            KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Self::UnknownTopic,
            _ if failure.is_fatal() => Self::Refused(failure.reason),
            _ => Self::Unavailable(failure.reason),
        }
    }
}

/// Kafka's code for one of librdkafka's. Negative codes other than -1 are librdkafka's own.
fn kafka_code(code: RDKafkaErrorCode) -> KafkaErrorCode {
    match code {
        RDKafkaErrorCode::OperationTimedOut
        | RDKafkaErrorCode::MessageTimedOut
        | RDKafkaErrorCode::TimedOutQueue => KafkaErrorCode::REQUEST_TIMED_OUT,
        RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::BrokerDestroy
        | RDKafkaErrorCode::Resolve
        | RDKafkaErrorCode::Authentication
        | RDKafkaErrorCode::SSL => KafkaErrorCode::NETWORK_EXCEPTION,
        // NoEnt: librdkafka knows none of the partitions of a request.
        RDKafkaErrorCode::UnknownPartition
        | RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::NoEnt => KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        other => match i16::try_from(other as i32) {
            Ok(code @ 1..) => KafkaErrorCode::new(code),
            _ => KafkaErrorCode::UNKNOWN_SERVER_ERROR,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafkas_own_codes_become_kafka_codes() {
        for (code, expected) in [
            (RDKafkaErrorCode::OperationTimedOut, 7),
            (RDKafkaErrorCode::BrokerTransportFailure, 13),
            (RDKafkaErrorCode::AllBrokersDown, 13),
            (RDKafkaErrorCode::Authentication, 13),
            (RDKafkaErrorCode::UnknownPartition, 3),
            (RDKafkaErrorCode::NoEnt, 3),
            (RDKafkaErrorCode::InvalidArgument, -1),
            (RDKafkaErrorCode::Unknown, -1),
            (RDKafkaErrorCode::OffsetOutOfRange, 1),
            (RDKafkaErrorCode::UnknownTopicOrPartition, 3),
            (RDKafkaErrorCode::NotLeaderForPartition, 6),
            (RDKafkaErrorCode::PolicyViolation, 44),
        ] {
            assert_eq!(kafka_code(code).value(), expected, "{code:?}");
            let failure = Failure::from(KafkaError::AdminOp(code));
            assert_eq!(failure.code.value(), expected, "{code:?} of a whole call");
        }
    }
}
