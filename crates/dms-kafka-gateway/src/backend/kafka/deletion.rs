//! One deletion: attempts until each row is decided or the time is up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::Offset;

use super::{
    admins::Lease,
    answers::Failure,
    cluster::{Cluster, Partition},
};
use crate::{
    backend::{BackendError, DeletedRecords, KafkaErrorCode},
    deletion_target::{DeletionTarget, RecordsToDelete},
};

/// For how long a broker may keep an order to itself: meanwhile another one may have become the leader.
const PATIENCE: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is to be deleted, and how far it has come.
///
/// The first attempt trusts what librdkafka knows of the topic; the others ask the cluster first. A row is sent again
/// after whatever may pass, because it says the same both times: `-1` becomes a number once, before it is sent.
pub(super) struct Deletion<'a> {
    cluster: &'a Cluster,
    topic: &'a str,
    deadline: Instant,
    rows: Vec<Row>,
    /// Whether a broker may have got any row.
    sent: bool,
}

struct Row {
    asked: RecordsToDelete,
    /// The first offset that stays; for everything not known before the high watermark of the moment is.
    before: Option<i64>,
    state: State,
}

enum State {
    /// Not decided; the code says why not, once there is a reason.
    Pending(Option<KafkaErrorCode>),
    Decided(Result<i64, KafkaErrorCode>),
}

impl<'a> Deletion<'a> {
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

    /// Fails when there is no such topic, or no broker could be asked: then nothing was sent.
    pub(super) async fn run(mut self) -> Result<Vec<DeletedRecords>, BackendError> {
        let admin = self.cluster.admin(self.deadline).await?;
        let mut ask_first = self.rows.iter().any(|row| row.before.is_none());
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = self.attempt(&admin, ask_first).await.err();
            let time_is_up = self.deadline <= Instant::now() + pause;
            match failure {
                Some(failure) if !self.sent && (time_is_up || is_unknown(&failure)) => {
                    return Err(failure.into());
                }
                Some(failure) if is_unknown(&failure) => self.decide_all_unknown(),
                _ => {}
            }
            if time_is_up || self.is_decided() {
                return Ok(self.rows.iter().map(Row::answer).collect());
            }
            if ask_first {
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            ask_first = true;
        }
    }

    /// Fails when there is no such topic, or no broker answers: then this attempt sent nothing.
    async fn attempt(&mut self, admin: &Lease<'_>, ask_first: bool) -> Result<(), Failure> {
        if ask_first {
            let partitions = self
                .cluster
                .partitions_for(admin, self.topic, self.deadline);
            let partitions = partitions.await?;
            self.compare(&partitions);
            self.resolve(&partitions).await;
        }
        match self.send(admin).await {
            // librdkafka may know less than the cluster, which the next attempt asks.
            Err(failure) if is_unknown(&failure) => Ok(()),
            sent => sent,
        }
    }

    /// Decides the rows whose partition does not exist.
    fn compare(&mut self, partitions: &[Partition]) {
        let leaders: BTreeMap<i32, bool> = partitions
            .iter()
            .map(|partition| (partition.id, partition.has_leader()))
            .collect();
        for row in self.rows.iter_mut().filter(|row| row.is_pending()) {
            match leaders.get(&row.partition()) {
                Some(true) => {}
                Some(false) => row.learn(KafkaErrorCode::LEADER_NOT_AVAILABLE),
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
            // The reader may know less than the cluster; what it learns now helps the next attempt.
            let refreshed = self.cluster.partitions(self.topic, self.deadline).await;
            drop(refreshed);
        }
        for row in self.rows.iter_mut().filter(|row| row.before.is_none()) {
            match found.remove(&row.partition()) {
                Some(Ok(high_watermark)) => row.before = Some(high_watermark),
                Some(Err(failure)) => row.learn(failure.code),
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
        let time = PATIENCE.min(self.deadline.saturating_duration_since(Instant::now()));
        let mut answers = admin.delete_records(self.topic, &ready, time).await?;
        for row in self.rows.iter_mut().filter(|row| row.is_pending()) {
            match answers.remove(&row.partition()) {
                Some(Ok(low_watermark)) => row.state = State::Decided(Ok(low_watermark)),
                Some(Err(failure)) => row.learn(failure.code),
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

    /// Takes down a failure: for good, or until the next attempt.
    fn learn(&mut self, code: KafkaErrorCode) {
        let State::Pending(earlier) = self.state else {
            return;
        };
        // Whether an earlier attempt was applied is still not known.
        let open = earlier.filter(|earlier| may_have_applied(*earlier));
        let everything = self.asked.target == DeletionTarget::Everything;
        let behind = code == KafkaErrorCode::OFFSET_OUT_OF_RANGE && (everything || open.is_some());
        self.state = if may_pass(code) || behind {
            State::Pending(open.or(Some(code)))
        } else {
            State::Decided(Err(code))
        };
    }

    /// There is no such partition, or there is none any more.
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
            // What there is no code for may have gone wrong afterwards.
            State::Decided(Err(code)) => code == KafkaErrorCode::UNKNOWN_SERVER_ERROR,
            State::Decided(Ok(_)) => true,
        }
    }

    fn answer(&self) -> DeletedRecords {
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

/// Whether it is worth another attempt: these are about where things are and how long they take. An unknown partition is
/// among them because a broker may not have heard yet of one that the cluster has.
///
/// An offset out of range is not, unless it was in range before: a new leader starts from a high watermark that lags
/// behind its predecessor's, and catches up.
fn may_pass(code: KafkaErrorCode) -> bool {
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

/// Whether records may be gone in spite of the failure. A leader that loses its office while it waits for its followers
/// says so with `NOT_LEADER_OR_FOLLOWER`.
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
        row.answer().outcome.expect_err("a failure").value()
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
                row.learn(KafkaErrorCode::new(*code));
            }
            let found = (code_of(&row), row.is_pending());
            assert_eq!(found, expected, "{target:?} {codes:?}");
        }
    }

    #[test]
    fn a_failure_without_a_code_may_have_been_applied() {
        for (code, expected) in [(-1, true), (7, true), (13, true), (44, false), (1, false)] {
            let mut row = row();
            row.learn(KafkaErrorCode::new(code));
            assert_eq!(row.may_have_applied(), expected, "{code}");
        }
    }

    #[test]
    fn a_partition_that_is_gone_is_unknown_unless_records_may_have_gone_before() {
        for (earlier, expected) in [(None, 3), (Some(5), 3), (Some(13), 13), (Some(7), 7)] {
            let mut row = row();
            if let Some(code) = earlier {
                row.learn(KafkaErrorCode::new(code));
            }
            row.decide_unknown();
            assert_eq!(code_of(&row), expected, "{earlier:?}");
            assert!(!row.is_pending(), "{earlier:?}");
        }
    }
}
