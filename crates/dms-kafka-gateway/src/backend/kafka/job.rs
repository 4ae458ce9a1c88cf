//! The rows of one deletion, shared by the request that waits for them and the lanes that send them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::Notify, time::Instant};

use super::{codes::RowState, results::Failure};
use crate::{
    backend::{BackendError, DeletedRecords, Intent, TopicDeletion},
    deletion_target::{DeletionTarget, RecordsToDelete},
};

pub(super) struct Job {
    pub(super) topic: Arc<str>,
    pub(super) caller: Arc<str>,
    intent: Intent,
    state: Mutex<JobState>,
    changed: Notify,
}

struct JobState {
    rows: Vec<Row>,
    /// After the deadline no row may be sent.
    closed: bool,
    failure: Option<Failure>,
    audit_failed: bool,
}

struct Row {
    asked: RecordsToDelete,
    /// The first offset that is kept; for everything, `None` until the high watermark is known.
    before: Option<i64>,
    state: RowState,
    place: Place,
    /// Whether its intent was recorded.
    intended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// With the request, which decides when it is queued.
    Waiting,
    /// In a queue, or taken from it and not sent.
    Queued,
    InFlight,
    /// It is neither sent nor queued any more.
    GivenUp,
}

/// One row of a job in a queue.
#[derive(Clone)]
pub(super) struct QueuedRow {
    pub(super) job: Arc<Job>,
    pub(super) index: usize,
    pub(super) partition: i32,
    /// Since when the metadata of the lane that sends it must be.
    pub(super) metadata: Instant,
}

impl Job {
    pub(super) fn new(deletion: &TopicDeletion<'_>) -> Arc<Self> {
        let rows = deletion.rows.iter().map(|asked| Row {
            asked: *asked,
            before: match asked.target {
                DeletionTarget::Before(offset) => Some(offset),
                DeletionTarget::Everything => None,
            },
            state: RowState::default(),
            place: Place::Waiting,
            intended: false,
        });
        Arc::new(Self {
            topic: deletion.topic.into(),
            caller: deletion.caller.into(),
            intent: deletion.intent.clone(),
            state: Mutex::new(JobState {
                rows: rows.collect(),
                closed: false,
                failure: None,
                audit_failed: false,
            }),
            changed: Notify::new(),
        })
    }

    /// Index and partition of each row that is to be queued.
    pub(super) fn waiting(&self) -> Vec<(usize, i32)> {
        let state = self.state();
        let waiting = (0..).zip(&state.rows).filter(|(_, row)| row.is_waiting());
        waiting
            .map(|(index, row)| (index, row.partition()))
            .collect()
    }

    /// Whether each row is decided or given up.
    pub(super) fn is_done(&self) -> bool {
        let is_done = |row: &Row| row.state.is_decided() || row.place == Place::GivenUp;
        self.state().rows.iter().all(is_done)
    }

    /// Whether records may have been deleted, or may be before a response arrives.
    pub(super) fn may_be_applied(&self) -> bool {
        let is_under_way = |row: &Row| matches!(row.place, Place::Queued | Place::InFlight);
        let is_possible = |row: &Row| is_under_way(row) || row.state.may_be_applied();
        self.state().rows.iter().any(is_possible)
    }

    /// Waits until a row was decided, or is to be queued again.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn queue(&self, index: usize) {
        self.state().rows[index].place = Place::Queued;
    }

    pub(super) fn decide_unknown(&self, index: usize) {
        self.state().rows[index].state.decide_unknown();
    }

    /// Whether the request still waits for the row.
    pub(super) fn is_open(&self) -> bool {
        !self.state().closed
    }

    pub(super) fn needs_end(&self, index: usize) -> bool {
        self.state().rows[index].before.is_none()
    }

    /// Replaces everything by the offset that is deleted, whatever happens afterwards.
    pub(super) fn set_end(&self, index: usize, end: i64) {
        self.state().rows[index].before.get_or_insert(end);
    }

    /// Records the intent of the rows that have none. If the result is false, they must not be sent.
    pub(super) async fn intend(&self, indices: &[usize]) -> bool {
        let new: Vec<usize> = {
            let state = self.state();
            let is_new = |index: &usize| !state.rows[*index].intended;
            indices.iter().copied().filter(is_new).collect()
        };
        if new.is_empty() {
            return true;
        }
        let asked = {
            let state = self.state();
            new.iter().map(|index| state.rows[*index].asked).collect()
        };
        let intended = (self.intent)(asked).await;
        let mut state = self.state();
        state.audit_failed |= !intended;
        for index in new {
            state.rows[index].intended = intended;
        }
        intended
    }

    /// Marks a row as in flight, and returns its offset. Returns `None` if it must not be sent any more.
    pub(super) fn send(&self, index: usize) -> Option<i64> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let before = state.rows[index].before?;
        state.rows[index].place = Place::InFlight;
        Some(before)
    }

    /// The row is not on its way to a broker: it is to be queued again, or is decided.
    pub(super) fn not_sent(&self, index: usize, failure: &Failure) {
        let mut state = self.state();
        state.rows[index].place = if failure.is_fatal() {
            Place::GivenUp
        } else {
            Place::Waiting
        };
        state.rows[index].state.fail_before_sent(failure.code);
        state.failure = Some(failure.clone());
        self.changed.notify_one();
    }

    /// Whether the offset of a row is beyond this end.
    pub(super) fn is_beyond(&self, index: usize, end: i64) -> bool {
        let before = self.state().rows[index].before;
        before.is_some_and(|before| before > end)
    }

    /// The leader refused the offset of a row. [`Job::respond`] decides whether it is queued again.
    pub(super) fn refuse(&self, index: usize, failure: &Failure) {
        let mut state = self.state();
        let row = &mut state.rows[index];
        row.place = Place::Queued;
        row.state.respond(Err(failure.code), true);
    }

    /// `may_be_in_range` says that no high watermark proves the offset to be beyond it.
    pub(super) fn respond(
        &self,
        index: usize,
        result: Result<i64, Failure>,
        may_be_in_range: bool,
    ) {
        let mut state = self.state();
        let row = &mut state.rows[index];
        let result = result.map_err(|failure| failure.code);
        row.place = Place::Waiting;
        row.state
            .respond(result, may_be_in_range || row.asked.is_everything());
        self.changed.notify_one();
    }

    /// Ends the job. Fails if nothing was sent and nothing was decided.
    pub(super) fn close(&self) -> Result<Vec<DeletedRecords>, BackendError> {
        let mut state = self.state();
        state.closed = true;
        let is_unsent = |row: &Row| !row.is_in_flight() && !row.state.is_sent();
        if state
            .rows
            .iter()
            .all(|row| is_unsent(row) && !row.state.is_decided())
        {
            if state.audit_failed {
                return Err(BackendError::NotAudited);
            }
            let failure = state.failure.take().unwrap_or_else(Failure::timed_out);
            return Err(failure.into());
        }
        let deleted = state.rows.iter().map(|row| DeletedRecords {
            partition: row.asked.partition,
            outcome: row.state.outcome(row.is_in_flight()),
            records: None,
        });
        Ok(deleted.collect())
    }

    fn state(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn partition(&self) -> i32 {
        self.asked.partition.number()
    }

    fn is_waiting(&self) -> bool {
        self.place == Place::Waiting && !self.state.is_decided()
    }

    fn is_in_flight(&self) -> bool {
        self.place == Place::InFlight
    }
}

impl QueuedRow {
    pub(super) fn topic(&self) -> &Arc<str> {
        &self.job.topic
    }
}
