//! Results of librdkafka's calls, with Kafka's error codes.

use std::collections::BTreeMap;

use rdkafka::{TopicPartitionList, error::KafkaError, types::RDKafkaErrorCode};

use crate::backend::{BackendError, KafkaErrorCode};

/// The offset of each partition, or why there is none.
pub(super) type PartitionResults = BTreeMap<i32, Result<i64, Failure>>;

/// The offset of each partition, if it has one.
pub(super) type OptionalResults = BTreeMap<i32, Result<Option<i64>, Failure>>;

pub(super) fn results_in(list: &TopicPartitionList) -> PartitionResults {
    all(offsets_in(list))
}

/// A missing offset becomes a failure.
pub(super) fn all(offsets: OptionalResults) -> PartitionResults {
    let missing = || Failure::unknown(&"there is no offset in the response");
    let offsets = offsets.into_iter();
    offsets
        .map(|(partition, offset)| (partition, offset.and_then(|it| it.ok_or_else(missing))))
        .collect()
}

pub(super) fn offsets_in(list: &TopicPartitionList) -> OptionalResults {
    let elements = list.elements();
    let offsets = elements.iter().map(|element| {
        let offset = element.offset().to_raw().filter(|offset| *offset >= 0);
        let result = element.error().map(|()| offset).map_err(Failure::from);
        (element.partition(), result)
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
}

impl Failure {
    pub(super) fn timed_out() -> Self {
        Self {
            code: KafkaErrorCode::REQUEST_TIMED_OUT,
            reason: "it did not respond in time".to_owned(),
        }
    }

    pub(super) fn no_leader() -> Self {
        Self {
            code: KafkaErrorCode::LEADER_NOT_AVAILABLE,
            reason: "a partition has no leader".to_owned(),
        }
    }

    /// A failure for which Kafka has no code.
    pub(super) fn unknown(reason: &impl ToString) -> Self {
        Self {
            code: KafkaErrorCode::UNKNOWN_SERVER_ERROR,
            reason: reason.to_string(),
        }
    }
}

impl From<RDKafkaErrorCode> for Failure {
    fn from(code: RDKafkaErrorCode) -> Self {
        Self {
            code: kafka_code(code),
            reason: code.to_string(),
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

impl From<Failure> for BackendError {
    fn from(failure: Failure) -> Self {
        match failure.code {
            KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Self::UnknownTopic,
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
