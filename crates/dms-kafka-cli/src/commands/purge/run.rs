//! Sending: a few requests at once, each result recorded and shown, until the rows or the patience end.

use std::cell::RefCell;
use std::time::Duration;

use dms_kafka::{Error, ErrorKind, PurgeRequest, PurgeResult, PurgeTarget};
use futures_util::{Stream, StreamExt as _, future, stream};

use super::journal::{Entry, Journal};
use super::progress::Progress;
use super::report::Report;
use super::states::{Counts, RowState, States};
use super::stop::{Stop, Stops};
use super::verdict;
use crate::interrupt::Interrupts;

/// How a purge is run.
pub(super) struct Run<'a> {
    pub(super) states: &'a States,
    pub(super) journal: Option<&'a Journal>,
    pub(super) progress: &'a Progress,
    pub(super) concurrency: usize,
    pub(super) max_failures: Option<u64>,
    /// What earlier runs have done.
    pub(super) before: Counts,
    pub(super) tick: Duration,
    pub(super) stops: RefCell<Stops>,
}

impl Run<'_> {
    /// Sends the rows; says why it stopped before their end, when it did.
    ///
    /// The first request goes alone: when it is refused for its credentials, no other makes the lock of the key nearer.
    pub(super) async fn send_all(
        self,
        purge: dms_kafka::Purge,
        rows: impl Stream<Item = PurgeTarget> + Send + 'static,
        report: &mut Report,
        interrupts: &mut Interrupts,
    ) -> Stops {
        let mut requests = Box::pin(purge.requests(rows));
        let first = requests.next().await;
        self.send_some(stream::iter(first), 1, report, interrupts)
            .await;
        self.send_some(requests, self.concurrency, report, interrupts)
            .await;
        self.stops.into_inner()
    }

    async fn send_some(
        &self,
        requests: impl Stream<Item = PurgeRequest>,
        concurrency: usize,
        report: &mut Report,
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
                    Some(Some(result)) => self.finish(&result, report),
                    Some(None) => {}
                    None => return,
                },
                _ = ticks.tick() => self.progress.tick(&self.states.counts()),
                () = interrupts.next() => {
                    if self.interrupted() {
                        return;
                    }
                }
            }
        }
    }

    /// Whether to give up even what is under way.
    fn interrupted(&self) -> bool {
        let again = self.stops.borrow().was_interrupted();
        self.stop(Stop::Interrupted { left: again });
        if !again {
            self.progress.note(
                "stopping: waiting for the requests under way; interrupt again to leave them",
            );
        }
        again
    }

    fn is_stopping(&self) -> bool {
        !self.stops.borrow().is_empty()
    }

    fn stop(&self, reason: Stop) {
        self.stops.borrow_mut().add(reason);
    }

    /// Sends one request, after its intent is recorded if it deletes everything.
    async fn send(&self, request: PurgeRequest) -> Option<PurgeResult> {
        self.states.set_all(request.rows(), RowState::UnderWay);
        if request.deletes_everything()
            && let Some(journal) = self.journal
        {
            let intended = journal.intend(request.rows()).await;
            if intended.is_err() || self.is_stopping() {
                self.states.set_all(request.rows(), RowState::Waiting);
                let taken_back = journal.record(&Entry {
                    undone: request.rows().to_vec(),
                    ..Entry::default()
                });
                if let Err(error) = intended.and(taken_back) {
                    self.stop(Stop::Journal(error.to_string()));
                }
                return None;
            }
        }
        Some(request.send().await)
    }

    /// Records and shows one result.
    fn finish(&self, result: &PurgeResult, report: &mut Report) {
        let states = verdict::judge(result);
        let rows = result.rows().iter().copied();
        self.states.set_each(rows.zip(states.iter().copied()));
        if let Some(journal) = self.journal {
            let had_intent = result
                .targets()
                .iter()
                .any(|(_, target)| *target == dms_kafka::DeletionTarget::Everything);
            let entry = verdict::entry(result, &states, had_intent);
            if !entry.is_empty()
                && let Err(error) = journal.record(&entry)
            {
                self.stop(Stop::Journal(error.to_string()));
            }
        }
        if let Err(error) = report.add(result, &states) {
            self.stop(Stop::Output(error.to_string()));
        }
        let counts = self.states.counts();
        if let Err(error) = result.deletion()
            && (verdict::is_hopeless(error) || self.is_out_of_reach(error, &counts))
        {
            self.stop(Stop::hopeless(error));
        }
        if self
            .max_failures
            .is_some_and(|most| counts.not_deleted() - self.before.not_deleted() >= most)
        {
            self.stop(Stop::TooManyFailures);
        }
        self.progress.update(&counts);
    }

    /// Whether this run never reached the service: then the address is wrong, or the service is away.
    fn is_out_of_reach(&self, error: &Error, counts: &Counts) -> bool {
        let finished = counts.finished() - self.before.finished();
        error.kind() == ErrorKind::Connect && finished == counts.undone
    }
}
