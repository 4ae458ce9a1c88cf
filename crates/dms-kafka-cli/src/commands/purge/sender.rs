//! Sends the requests of a purge concurrently, and records and reports each result.

use std::cell::RefCell;
use std::time::Duration;

use dms_kafka::{
    DeletionTarget, Error, ErrorKind, Outcome, PartitionDeletion, PurgeRequest, PurgeResult,
    PurgeTarget, codes,
};
use futures_util::{Stream, StreamExt as _, future, stream};

use super::journal::{Journal, JournalEntry, Recorded};
use super::progress::Progress;
use super::report::PurgeReport;
use super::rows::{RowCounts, RowState, RowStates};
use crate::exit::Failure;
use crate::interrupt::Interrupts;

pub(super) struct RequestSender<'a> {
    pub(super) states: &'a RowStates,
    pub(super) journal: Option<&'a Journal>,
    pub(super) progress: &'a Progress,
    pub(super) concurrency: usize,
    pub(super) max_failures: Option<u64>,
    /// The counts of earlier runs.
    pub(super) before: RowCounts,
    pub(super) tick: Duration,
    pub(super) reasons: RefCell<StopReasons>,
}

/// Why no further requests are sent.
#[derive(Default)]
pub(super) struct StopReasons {
    /// After the second interrupt, requests in flight are abandoned.
    pub(super) interrupts: u32,
    pub(super) too_many_failures: bool,
    /// The same error is certain for every further request.
    pub(super) fatal: Option<Failure>,
    pub(super) journal: Option<Failure>,
    pub(super) output: Option<Failure>,
}

impl StopReasons {
    fn any(&self) -> bool {
        self.interrupts > 0
            || self.too_many_failures
            || self.fatal.is_some()
            || self.journal.is_some()
            || self.output.is_some()
    }

    pub(super) fn journal_failed(&mut self, error: &std::io::Error) {
        self.journal.get_or_insert_with(|| {
            Failure::output(format!(
                "the journal cannot be written: {error}; rows that it does not record will be sent again, except deletions \
                 of all records"
            ))
        });
    }
}

impl RequestSender<'_> {
    /// Sends the first request alone: if its credentials are rejected, no other request brings the access key closer to
    /// lockout.
    pub(super) async fn send_all(
        self,
        purge: dms_kafka::Purge,
        rows: impl Stream<Item = PurgeTarget> + Send + 'static,
        report: &mut PurgeReport,
        interrupts: &mut Interrupts,
    ) -> StopReasons {
        let mut requests = Box::pin(purge.requests(rows));
        let first = requests.next().await;
        self.send_some(stream::iter(first), 1, report, interrupts)
            .await;
        self.send_some(requests, self.concurrency, report, interrupts)
            .await;
        self.reasons.into_inner()
    }

    async fn send_some(
        &self,
        requests: impl Stream<Item = PurgeRequest>,
        concurrency: usize,
        report: &mut PurgeReport,
        interrupts: &mut Interrupts,
    ) {
        let results = requests
            .take_while(|_| future::ready(!self.is_stopping()))
            .map(|request| self.send(request))
            .buffer_unordered(concurrency);
        let mut results = std::pin::pin!(results);
        let mut ticks =
            tokio::time::interval_at(tokio::time::Instant::now() + self.tick, self.tick);
        loop {
            tokio::select! {
                result = results.next() => match result {
                    Some(Some(result)) => self.finish(result, report),
                    Some(None) => {}
                    None => return,
                },
                _ = ticks.tick() => self.progress.tick(&self.states.counts()),
                () = interrupts.next() => {
                    let mut reasons = self.reasons.borrow_mut();
                    reasons.interrupts += 1;
                    if reasons.interrupts > 1 {
                        return;
                    }
                    self.progress.note(
                        "stopping: waiting for the requests in flight; interrupt again to exit without them",
                    );
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.reasons.borrow().any()
    }

    /// Sends a request. If it deletes all records, its intent is recorded first.
    async fn send(&self, request: PurgeRequest) -> Option<PurgeResult> {
        self.states.set_all(request.rows(), RowState::InFlight);
        if request.deletes_everything()
            && let Some(journal) = self.journal
        {
            let intended = journal.intend(request.rows()).await;
            if intended.is_err() || self.is_stopping() {
                self.states.set_all(request.rows(), RowState::Waiting);
                let cancelled = journal.record(&JournalEntry::from([(
                    Recorded::Undone,
                    request.rows().to_vec(),
                )]));
                if let Err(error) = intended.and(cancelled) {
                    self.reasons.borrow_mut().journal_failed(&error);
                }
                return None;
            }
        }
        Some(request.send().await)
    }

    /// Records and reports a result.
    fn finish(&self, result: PurgeResult, report: &mut PurgeReport) {
        let states = row_states(&result);
        let rows = result.rows().iter().copied();
        self.states.set_each(rows.zip(states.iter().copied()));
        if let Some(journal) = self.journal {
            let entry = entry(&result, &states);
            if !entry.is_empty()
                && let Err(error) = journal.record(&entry)
            {
                self.reasons.borrow_mut().journal_failed(&error);
            }
        }
        if let Err(failure) = report.add(&result, &states) {
            self.reasons.borrow_mut().output.get_or_insert(failure);
        }
        let counts = self.states.counts();
        let mut reasons = self.reasons.borrow_mut();
        if let Err(error) = result.into_deletion()
            && (is_fatal(&error) || self.is_unreachable(&error, &counts))
        {
            reasons.fatal.get_or_insert(Failure::call(error));
        }
        let failed = counts.not_deleted() - self.before.not_deleted();
        reasons.too_many_failures |= self.max_failures.is_some_and(|most| failed >= most);
        self.progress.update(&counts);
    }

    /// Whether this run has never reached the service: the endpoint is wrong, or the service is down.
    fn is_unreachable(&self, error: &Error, counts: &RowCounts) -> bool {
        let finished = counts.finished() - self.before.finished();
        error.kind() == ErrorKind::Connect && finished == counts.retryable
    }
}

fn row_states(result: &PurgeResult) -> Vec<RowState> {
    match result.deletion() {
        Ok(deletion) => deletion
            .partitions()
            .iter()
            .map(state_of_partition)
            .collect(),
        Err(error) => vec![state_of_error(error); result.rows().len()],
    }
}

fn state_of_partition(partition: &PartitionDeletion) -> RowState {
    match partition.outcome() {
        None => RowState::Deleted,
        Some(Outcome::NotApplied) => RowState::Failed,
        Some(_) => RowState::Unknown,
    }
}

/// Rows of a request without effect are finished only if the service would reject the same content again.
fn state_of_error(error: &Error) -> RowState {
    match (error.outcome(), error.kind()) {
        (Outcome::NotApplied, _) if is_fatal(error) => RowState::Retryable,
        (
            Outcome::NotApplied,
            ErrorKind::BadRequest | ErrorKind::InvalidInput | ErrorKind::NotFound,
        ) => RowState::Refused,
        (Outcome::NotApplied, _) => RowState::Retryable,
        _ => RowState::Unknown,
    }
}

/// Whether every further request would fail with the same error. More than five wrong signatures lock the access key.
fn is_fatal(error: &Error) -> bool {
    error.code() == Some(codes::INSTANCE_NOT_FOUND)
        || matches!(
            error.kind(),
            ErrorKind::Credentials
                | ErrorKind::ProjectId
                | ErrorKind::Unauthorized
                | ErrorKind::Forbidden
        )
}

/// The line of the journal. Retryable rows are recorded only to cancel an intent.
fn entry(result: &PurgeResult, states: &[RowState]) -> JournalEntry {
    let mut entry = JournalEntry::new();
    for ((row, state), (_, target)) in result.rows().iter().zip(states).zip(result.targets()) {
        let recorded = match state {
            RowState::Deleted => Recorded::Deleted,
            RowState::Failed => Recorded::Failed,
            RowState::Refused => Recorded::Refused,
            RowState::Unknown => Recorded::Unknown,
            RowState::Retryable if *target == DeletionTarget::Everything => Recorded::Undone,
            RowState::Retryable | RowState::Waiting | RowState::InFlight => continue,
        };
        entry.entry(recorded).or_default().push(*row);
    }
    entry
}
