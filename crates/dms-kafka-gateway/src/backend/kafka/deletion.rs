//! One deletion: attempts until each row is decided or the deadline is reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::Offset;

use super::{
    admin_pool::Lease,
    cluster::{Cluster, Partition},
    results::Failure,
};
use crate::{
    backend::{BackendError, DeletedRecords, KafkaErrorCode},
    deletion_target::{DeletionTarget, RecordsToDelete},
};

/// The longest time for one attempt: meanwhile another broker may have become the leader.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The rows of a deletion and their state.
///
/// The first attempt uses librdkafka's metadata of the topic; later ones refresh it first. A row is retried after a temporary
/// failure. A retry deletes no other records, because `-1` is resolved to an offset once, before the first attempt.
pub(super) struct KafkaDeletion<'a> {
    cluster: &'a Cluster,
    topic: &'a str,
    deadline: Instant,
    rows: Vec<Row>,
    /// Whether a broker may have received any row.
    sent: bool,
}

struct Row {
    asked: RecordsToDelete,
    /// The first offset that is kept; for everything, `None` until the high watermark is known.
    before: Option<i64>,
    state: State,
}

enum State {
    /// Not decided, and the code of the last failure, if any.
    Pending(Option<KafkaErrorCode>),
    Decided(Result<i64, KafkaErrorCode>),
}

impl<'a> KafkaDeletion<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        topic: &'a str,
        rows: &[RecordsToDelete],
        deadline: Instant,
    ) -> Self {
        Self {
            cluster,
            topic,
            deadline,
            rows: rows.iter().map(Row::new).collect(),
            sent: false,
        }
    }

    /// Fails when there is no such topic, or no broker could be reached: then nothing was sent.
    pub(super) async fn run(mut self) -> Result<Vec<DeletedRecords>, BackendError> {
        let admin = self.cluster.admin(self.deadline).await?;
        let mut refresh = self.rows.iter().any(|row| row.before.is_none());
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = self.attempt(&admin, refresh).await.err();
            let is_late = self.deadline <= Instant::now() + pause;
            match failure {
                Some(failure) if !self.sent && (is_late || is_unknown(&failure)) => {
                    return Err(failure.into());
                }
                Some(failure) if is_unknown(&failure) => self.decide_all_unknown(),
                _ => {}
            }
            if is_late || self.is_decided() {
                return Ok(self.rows.iter().map(Row::to_deleted).collect());
            }
            if refresh {
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            refresh = true;
        }
    }

    /// Fails when there is no such topic, or no broker responds: then this attempt sent nothing.
    async fn attempt(&mut self, admin: &Lease<'_>, refresh: bool) -> Result<(), Failure> {
        if refresh {
            let partitions = self
                .cluster
                .partitions_for(admin, self.topic, self.deadline);
            let partitions = partitions.await?;
            self.check_partitions(&partitions);
            self.resolve(&partitions).await;
        }
        match self.send(admin).await {
            // librdkafka's metadata may be outdated; the next attempt refreshes it.
            Err(failure) if is_unknown(&failure) => Ok(()),
            sent => sent,
        }
    }

    /// Decides the rows whose partition does not exist.
    fn check_partitions(&mut self, partitions: &[Partition]) {
        let leaders: BTreeMap<i32, bool> = partitions
            .iter()
            .map(|partition| (partition.id, partition.has_leader()))
            .collect();
        for row in self.rows.iter_mut().filter(|row| row.is_pending()) {
            match leaders.get(&row.partition()) {
                Some(true) => {}
                Some(false) => row.record_failure(KafkaErrorCode::LEADER_NOT_AVAILABLE),
                None => row.decide_unknown(),
            }
        }
    }

    async fn resolve(&mut self, partitions: &[Partition]) {
        let wanted: BTreeSet<i32> = self
            .rows
            .iter()
            .filter(|row| row.is_pending() && row.before.is_none())
            .map(Row::partition)
            .collect();
        if wanted.is_empty() {
            return;
        }
        let wanted: Vec<Partition> = partitions
            .iter()
            .copied()
            .filter(|partition| wanted.contains(&partition.id))
            .collect();
        let found = self
            .cluster
            .offsets(self.topic, &wanted, Offset::End, self.deadline);
        let mut found = found.await;
        if found.values().any(Result::is_err) {
            // The reader's metadata may be outdated; refreshing it helps the next attempt.
            let refreshed = self.cluster.partitions(self.topic, self.deadline).await;
            drop(refreshed);
        }
        for row in self.rows.iter_mut().filter(|row| row.before.is_none()) {
            match found.remove(&row.partition()) {
                Some(Ok(high_watermark)) => row.before = Some(high_watermark),
                Some(Err(failure)) => row.record_failure(failure.code),
                None => {}
            }
        }
    }

    /// Sends every row that is not decided and has an offset.
    async fn send(&mut self, admin: &Lease<'_>) -> Result<(), Failure> {
        let pending = self.rows.iter().filter(|row| row.is_pending());
        let ready: Vec<(i32, i64)> = pending
            .filter_map(|row| Some((row.partition(), row.before?)))
            .collect();
        if ready.is_empty() {
            return Ok(());
        }
        let time = ATTEMPT_TIMEOUT.min(self.deadline.saturating_duration_since(Instant::now()));
        let mut results = admin.delete_records(self.topic, &ready, time).await?;
        for row in self.rows.iter_mut().filter(|row| row.is_pending()) {
            match results.remove(&row.partition()) {
                Some(Ok(low_watermark)) => row.state = State::Decided(Ok(low_watermark)),
                Some(Err(failure)) => row.record_failure(failure.code),
                None => continue,
            }
            self.sent |= row.may_have_applied();
        }
        Ok(())
    }

    fn is_decided(&self) -> bool {
        !self.rows.iter().any(Row::is_pending)
    }

    fn decide_all_unknown(&mut self) {
        for row in self.rows.iter_mut().filter(|row| row.is_pending()) {
            row.decide_unknown();
        }
    }
}

impl Row {
    fn new(asked: &RecordsToDelete) -> Self {
        Self {
            asked: *asked,
            before: match asked.target {
                DeletionTarget::Before(offset) => Some(offset),
                DeletionTarget::Everything => None,
            },
            state: State::Pending(None),
        }
    }

    /// The partition's number for librdkafka.
    fn partition(&self) -> i32 {
        self.asked.partition.number()
    }

    fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending(_))
    }

    /// Records a failure: permanent, or until the next attempt.
    fn record_failure(&mut self, code: KafkaErrorCode) {
        let State::Pending(earlier) = self.state else {
            return;
        };
        // It is still unknown whether an earlier attempt was applied.
        let open = earlier.filter(|earlier| may_have_applied(*earlier));
        let everything = self.asked.target == DeletionTarget::Everything;
        let behind = code == KafkaErrorCode::OFFSET_OUT_OF_RANGE && (everything || open.is_some());
        self.state = if is_temporary(code) || behind {
            State::Pending(open.or(Some(code)))
        } else {
            State::Decided(Err(code))
        };
    }

    /// The partition does not exist, or no longer exists.
    fn decide_unknown(&mut self) {
        let code = match self.state {
            State::Pending(Some(earlier)) if may_have_applied(earlier) => earlier,
            _ => KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        };
        self.state = State::Decided(Err(code));
    }

    fn may_have_applied(&self) -> bool {
        match self.state {
            State::Pending(code) => code.is_some_and(may_have_applied),
            // A failure without a code may have come after the deletion.
            State::Decided(Err(code)) => code == KafkaErrorCode::UNKNOWN_SERVER_ERROR,
            State::Decided(Ok(_)) => true,
        }
    }

    fn to_deleted(&self) -> DeletedRecords {
        let outcome = match self.state {
            State::Decided(outcome) => outcome,
            State::Pending(code) => Err(code.unwrap_or(KafkaErrorCode::REQUEST_TIMED_OUT)),
        };
        DeletedRecords {
            partition: self.asked.partition,
            outcome,
            records: None,
        }
    }
}

fn is_unknown(failure: &Failure) -> bool {
    failure.code == KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION
}

/// Whether another attempt may succeed. An unknown partition is temporary, because a broker may not know a new partition
/// yet.
///
/// An offset out of range is temporary only if it was in range before: the high watermark of a new leader may be lower
/// than that of the previous leader for a while.
fn is_temporary(code: KafkaErrorCode) -> bool {
    [
        KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        KafkaErrorCode::LEADER_NOT_AVAILABLE,
        KafkaErrorCode::NOT_LEADER_OR_FOLLOWER,
        KafkaErrorCode::REQUEST_TIMED_OUT,
        KafkaErrorCode::NETWORK_EXCEPTION,
        KafkaErrorCode::KAFKA_STORAGE_ERROR,
    ]
    .contains(&code)
}

/// Whether records may have been deleted despite the failure. A broker that stops being the leader while it waits for its
/// followers reports `NOT_LEADER_OR_FOLLOWER`.
fn may_have_applied(code: KafkaErrorCode) -> bool {
    ![
        KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        KafkaErrorCode::LEADER_NOT_AVAILABLE,
        KafkaErrorCode::OFFSET_OUT_OF_RANGE,
    ]
    .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deletion_target::PartitionId;

    fn row_for(target: DeletionTarget) -> Row {
        Row::new(&RecordsToDelete {
            partition: PartitionId::new(0).expect("a partition"),
            target,
        })
    }

    fn row() -> Row {
        row_for(DeletionTarget::Before(1))
    }

    fn code_of(row: &Row) -> i16 {
        row.to_deleted().outcome.expect_err("a failure").value()
    }

    /// After each list of failures: the code of the row, and whether it is sent again.
    #[test]
    fn temporary_failures_are_retried_and_unknown_outcomes_are_kept() {
        const BEFORE: DeletionTarget = DeletionTarget::Before(1);
        const EVERYTHING: DeletionTarget = DeletionTarget::Everything;
        for (target, codes, expected) in [
            (BEFORE, &[][..], (7, true)),
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
            (BEFORE, &[17, 7], (17, false)),
            (BEFORE, &[29], (29, false)),
            (BEFORE, &[-1, 7], (-1, false)),
            // A new leader may not have reached the high watermark yet.
            (EVERYTHING, &[1], (1, true)),
            (EVERYTHING, &[1, 13], (13, true)),
            (EVERYTHING, &[13, 1], (13, true)),
            (EVERYTHING, &[1, 44], (44, false)),
        ] {
            let mut row = row_for(target);
            for code in codes {
                row.record_failure(KafkaErrorCode::new(*code));
            }
            let found = (code_of(&row), row.is_pending());
            assert_eq!(found, expected, "{target:?} {codes:?}");
        }
    }

    #[test]
    fn a_failure_without_a_code_may_have_been_applied() {
        for (code, expected) in [(-1, true), (7, true), (13, true), (44, false), (1, false)] {
            let mut row = row();
            row.record_failure(KafkaErrorCode::new(code));
            assert_eq!(row.may_have_applied(), expected, "{code}");
        }
    }

    #[test]
    fn a_removed_partition_is_unknown_unless_an_attempt_may_have_been_applied() {
        for (earlier, expected) in [(None, 3), (Some(5), 3), (Some(13), 13), (Some(7), 7)] {
            let mut row = row();
            if let Some(code) = earlier {
                row.record_failure(KafkaErrorCode::new(code));
            }
            row.decide_unknown();
            assert_eq!(code_of(&row), expected, "{earlier:?}");
            assert!(!row.is_pending(), "{earlier:?}");
        }
    }
}
