//! What Kafka's error codes mean for a row of a deletion.

use crate::backend::KafkaErrorCode;

/// Whether another attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// With the same leader, or with another one after the metadata was refreshed.
    Retry,
    /// Unless a high watermark proves that the offset is beyond it: that of a new leader may be lower than that of the previous
    /// one for a while.
    RetryIfInRange,
    Final,
}

/// Whether records may have been deleted, if a broker responds to a deletion with the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    No,
    Maybe,
}

use Attempt::{Final, Retry, RetryIfInRange};
use Effect::{Maybe, No};

/// Every other code is final, and its deletion may have been applied. The client's table of outcomes (`outcome.md` of the
/// crate `dms-kafka`) treats the codes with `No` as not applied.
const CODES: [(KafkaErrorCode, Attempt, Effect); 16] = [
    (KafkaErrorCode::OFFSET_OUT_OF_RANGE, RetryIfInRange, No),
    // A broker may not know a new partition yet.
    (KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Retry, No),
    (KafkaErrorCode::LEADER_NOT_AVAILABLE, Retry, No),
    // Also from a broker that stops being the leader while it waits for its followers.
    (KafkaErrorCode::NOT_LEADER_OR_FOLLOWER, Retry, Maybe),
    (KafkaErrorCode::REQUEST_TIMED_OUT, Retry, Maybe),
    (KafkaErrorCode::BROKER_NOT_AVAILABLE, Retry, Maybe),
    (KafkaErrorCode::REPLICA_NOT_AVAILABLE, Retry, Maybe),
    (KafkaErrorCode::NETWORK_EXCEPTION, Retry, Maybe),
    (KafkaErrorCode::INVALID_TOPIC_EXCEPTION, Final, No),
    (KafkaErrorCode::TOPIC_AUTHORIZATION_FAILED, Final, No),
    (KafkaErrorCode::POLICY_VIOLATION, Final, No),
    (KafkaErrorCode::KAFKA_STORAGE_ERROR, Retry, Maybe),
    (KafkaErrorCode::LISTENER_NOT_FOUND, Retry, Maybe),
    (KafkaErrorCode::FENCED_LEADER_EPOCH, Retry, Maybe),
    (KafkaErrorCode::UNKNOWN_LEADER_EPOCH, Retry, Maybe),
    (KafkaErrorCode::OFFSET_NOT_AVAILABLE, Retry, Maybe),
];

fn meaning(code: KafkaErrorCode) -> (Attempt, Effect) {
    let found = CODES.iter().find(|(known, ..)| *known == code);
    found.map_or((Final, Maybe), |(_, attempt, effect)| (*attempt, *effect))
}

/// What is known of one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowState {
    /// Whether it was handed to a client that was connected to the partition's leader.
    sent: bool,
    /// The first failure after which records may have been deleted.
    open: Option<KafkaErrorCode>,
    /// The last failure of a row that is not decided.
    last: Option<KafkaErrorCode>,
    decided: Option<Result<i64, KafkaErrorCode>>,
}

impl RowState {
    pub(super) fn is_decided(self) -> bool {
        self.decided.is_some()
    }

    pub(super) fn is_sent(self) -> bool {
        self.sent
    }

    /// Whether records may have been deleted, or were.
    pub(super) fn may_be_applied(self) -> bool {
        self.open.is_some() || matches!(self.decided, Some(Ok(_)))
    }

    /// Records the response to the row that was sent. `may_be_in_range` says that its offset was a high
    /// watermark before, or that none proves it to be beyond.
    pub(super) fn respond(&mut self, result: Result<i64, KafkaErrorCode>, may_be_in_range: bool) {
        self.sent = true;
        let code = match result {
            Ok(low_watermark) => return self.decided = Some(Ok(low_watermark)),
            Err(code) => code,
        };
        let (attempt, effect) = meaning(code);
        let in_range_before = may_be_in_range || self.open.is_some();
        if effect == Maybe {
            self.open.get_or_insert(code);
        }
        self.fail(
            code,
            attempt == Retry || (attempt == RetryIfInRange && in_range_before),
        );
    }

    /// Records a failure before the row was sent again.
    pub(super) fn fail_before_sent(&mut self, code: KafkaErrorCode) {
        // Other codes with `No` are retried: they may be those of outdated metadata.
        self.fail(code, meaning(code) != (Final, No));
    }

    /// The partition does not exist, or no longer exists.
    pub(super) fn decide_unknown(&mut self) {
        self.fail(KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION, false);
    }

    fn fail(&mut self, code: KafkaErrorCode, retry: bool) {
        self.last = Some(code);
        if !retry {
            self.decided = Some(Err(self.open.unwrap_or(code)));
        }
    }

    /// The result of the row at the deadline. `in_flight` says that it was sent, and there is no response.
    pub(super) fn outcome(self, in_flight: bool) -> Result<i64, KafkaErrorCode> {
        let in_flight = in_flight.then_some(KafkaErrorCode::REQUEST_TIMED_OUT);
        // Without an open failure, nothing was deleted, and the code must say so.
        let not_applied = self.last.filter(|code| meaning(*code).1 == No);
        self.decided.unwrap_or(Err(self
            .open
            .or(in_flight)
            .or(not_applied)
            .unwrap_or(KafkaErrorCode::LEADER_NOT_AVAILABLE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After each list of failures of a sent row: its code, and whether it is sent again.
    #[test]
    fn temporary_failures_are_retried_and_unknown_outcomes_are_kept() {
        const BEFORE: bool = false;
        const EVERYTHING: bool = true;
        for (may_be_in_range, codes, expected) in [
            (BEFORE, &[][..], (5, true)),
            (BEFORE, &[3], (3, true)),
            (BEFORE, &[3, 5], (5, true)),
            (BEFORE, &[5, 6], (6, true)),
            (BEFORE, &[6, 5], (6, true)),
            (BEFORE, &[7, 3], (7, true)),
            (BEFORE, &[13, 6], (13, true)),
            (BEFORE, &[1], (1, false)),
            (BEFORE, &[5, 1], (1, false)),
            (BEFORE, &[6, 1], (6, true)),
            (BEFORE, &[13, 1], (13, true)),
            (BEFORE, &[5, 44], (44, false)),
            (BEFORE, &[13, 44], (13, false)),
            (BEFORE, &[17, 7], (17, false)),
            (BEFORE, &[29], (29, false)),
            (BEFORE, &[8, 9, 72, 74, 75, 78], (8, true)),
            (BEFORE, &[-1, 7], (-1, false)),
            (BEFORE, &[87], (87, false)),
            // A new leader may not have reached the high watermark yet.
            (EVERYTHING, &[1], (1, true)),
            (EVERYTHING, &[1, 13], (13, true)),
            (EVERYTHING, &[13, 1], (13, true)),
            (EVERYTHING, &[1, 44], (44, false)),
        ] {
            let mut row = RowState::default();
            for code in codes {
                if !row.is_decided() {
                    row.respond(Err(KafkaErrorCode::new(*code)), may_be_in_range);
                }
            }
            let code = row.outcome(false).expect_err("a failure").value();
            assert_eq!(
                (code, !row.is_decided()),
                expected,
                "{may_be_in_range} {codes:?}"
            );
        }
    }

    /// After each list of failures of a query: the code of the row, and whether it is queried again.
    #[test]
    fn a_row_that_was_not_sent_is_never_possibly_applied() {
        for (codes, expected) in [
            (&[78][..], (5, true)),
            (&[75, 6], (5, true)),
            (&[-1], (5, true)),
            (&[13, 7], (5, true)),
            (&[56], (5, true)),
            (&[29], (29, false)),
            (&[17], (17, false)),
        ] {
            let mut row = RowState::default();
            for code in codes {
                row.fail_before_sent(KafkaErrorCode::new(*code));
            }
            let code = row.outcome(false).expect_err("a failure").value();
            assert_eq!((code, !row.is_decided()), expected, "{codes:?}");
        }
    }

    #[test]
    fn a_removed_partition_is_unknown_unless_an_attempt_may_have_been_applied() {
        for (earlier, expected) in [(None, 3), (Some(5), 3), (Some(13), 13), (Some(7), 7)] {
            let mut row = RowState::default();
            if let Some(code) = earlier {
                row.respond(Err(KafkaErrorCode::new(code)), false);
            }
            row.decide_unknown();
            let code = row.outcome(false).expect_err("a failure").value();
            assert_eq!((code, row.is_decided()), (expected, true), "{earlier:?}");
        }
    }
}
