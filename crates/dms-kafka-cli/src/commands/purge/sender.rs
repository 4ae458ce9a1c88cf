//! Sends the requests of a purge concurrently, and records and reports each result.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use dms_kafka::{
    CircuitBreaker, Deletion, Error, ErrorKind, Outcome, PartitionDeletion, PurgeRequest,
    PurgeResult, codes,
};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::time::Instant;

use super::concurrency::Concurrency;
use super::journal::{Journal, JournalEntry, Recorded};
use super::progress::Progress;
use super::report::PurgeReport;
use super::rows::{RowCounts, RowState, RowStates};
use crate::exit::{self, Failure};
use crate::interrupt::Interrupts;
use crate::stdout;

/// Kafka's error code for a partition whose replicas did not respond in time.
const REQUEST_TIMED_OUT: &str = "7";

pub(super) struct RequestSender<'a> {
    pub(super) states: &'a RowStates,
    pub(super) journal: Option<&'a Journal>,
    pub(super) progress: &'a Progress,
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
    /// The same error is certain for every further request, or the circuit breaker gave up after this error.
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
    /// lockout. While the circuit breaker is open, sends one request after each pause.
    pub(super) async fn send_all(
        self,
        requests: impl Stream<Item = PurgeRequest>,
        concurrency: Concurrency,
        breaker: CircuitBreaker,
        report: &mut PurgeReport,
        interrupts: &mut Interrupts,
    ) -> StopReasons {
        let mut results = Results {
            sender: &self,
            report,
            concurrency,
            breaker,
            kept: Vec::new(),
            again: VecDeque::new(),
            last_failure: None,
            outages: 0,
            has_ended: false,
            has_reached_service: false,
            shown: HashSet::new(),
        };
        let mut requests = Box::pin(requests.fuse());
        let mut in_flight = FuturesUnordered::new();
        let mut next_try: Option<(Instant, PurgeRequest)> = None;
        // The first row of the request in flight that was sent after a pause.
        let mut tried: Option<u64> = None;
        let mut ticks = tokio::time::interval_at(Instant::now() + self.tick, self.tick);
        let mut output_closed = pin!(stdout::closed().fuse());
        if let Err(failure) = stdout::check_reader() {
            self.output_failed(failure);
        }
        loop {
            if self.is_stopping() {
                next_try = None;
            } else if !results.breaker.is_open() {
                let most = if results.has_ended {
                    results.concurrency.level()
                } else {
                    1
                };
                while in_flight.len() < most
                    && let Some(request) = results.next_request(&mut requests).await
                {
                    in_flight.push(Box::pin(self.send(request, results.moment())));
                }
            } else if next_try.is_none()
                && tried.is_none()
                && let Some(request) = results.next_request(&mut requests).await
            {
                let pause = results.pause();
                next_try = pause.map(|pause| (Instant::now() + pause, request));
            }
            if in_flight.is_empty() && next_try.is_none() {
                break;
            }
            let wake = next_try.as_ref().map_or_else(Instant::now, |(at, _)| *at);
            tokio::select! {
                // Responses before the rest, which is polled when none is ready.
                biased;
                () = interrupts.next() => {
                    self.reasons.borrow_mut().interrupts += 1;
                    if self.reasons.borrow().interrupts > 1 {
                        break;
                    }
                    self.progress.note(
                        "stopping: waiting for the requests in flight; interrupt again to exit without them",
                    );
                }
                Some(result) = in_flight.next(), if !in_flight.is_empty() => {
                    results.has_ended = true;
                    if let Some((result, sent)) = result {
                        tried.take_if(|row| result.rows().first() == Some(row));
                        results.judge(result, sent);
                    }
                }
                () = tokio::time::sleep_until(wake), if next_try.is_some() => {
                    if let Some((_, request)) = next_try.take() {
                        tried = request.rows().first().copied();
                        in_flight.push(Box::pin(self.send(request, results.moment())));
                    }
                }
                failure = &mut output_closed => self.output_failed(failure),
                _ = ticks.tick() => self.progress.tick(&self.states.counts()),
            }
        }
        results.end();
        drop(in_flight);
        self.reasons.into_inner()
    }

    fn is_stopping(&self) -> bool {
        self.reasons.borrow().any()
    }

    /// Rows of an outage that will be sent again do not count.
    fn has_too_many_failures(&self) -> bool {
        let failed = self.states.counts().not_deleted() - self.before.not_deleted();
        self.max_failures.is_some_and(|most| failed >= most)
    }

    fn output_failed(&self, failure: Failure) {
        self.reasons.borrow_mut().output.get_or_insert(failure);
    }

    /// Sends a request after its intent is recorded. Returns the result with the moment.
    async fn send(&self, request: PurgeRequest, sent: Moment) -> Option<(PurgeResult, Moment)> {
        self.states.set_all(request.rows(), RowState::InFlight);
        if let Some(journal) = self.journal {
            let intended = journal
                .intend(request.rows(), request.deletes_everything())
                .await;
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
        Some((request.send().await, sent))
    }

    /// Sets the states of the rows, records and returns them.
    fn record(&self, result: &PurgeResult) -> Vec<RowState> {
        let states = match result.deletion() {
            Ok(deletion) => {
                let partitions = deletion.partitions().iter();
                self.states
                    .finish(result.rows(), partitions.map(state_of_partition))
            }
            Err(error) => {
                let all = std::iter::repeat(state_of_error(error));
                self.states.finish(result.rows(), all)
            }
        };
        if let Some(journal) = self.journal
            && let Err(error) = journal.record(&entry(result.rows(), &states))
        {
            self.reasons.borrow_mut().journal_failed(&error);
        }
        states
    }
}

/// When a request was sent.
#[derive(Clone, Copy)]
struct Moment {
    /// How many outages there were before.
    outages: u32,
    /// That of the number of requests in flight.
    generation: u32,
}

/// Decides what to do with results.
struct Results<'a> {
    sender: &'a RequestSender<'a>,
    report: &'a mut PurgeReport,
    concurrency: Concurrency,
    breaker: CircuitBreaker,
    /// Failures in a row with the states of their rows. They are reported unless the circuit breaker opens.
    kept: Vec<(PurgeResult, Vec<RowState>)>,
    /// To be sent again, after all other requests: a topic that cannot be reached must not keep back the others.
    again: VecDeque<PurgeRequest>,
    /// The failure of the last request that failed.
    last_failure: Option<Failure>,
    /// How many times the circuit breaker has opened.
    outages: u32,
    /// Whether a request has ended.
    has_ended: bool,
    has_reached_service: bool,
    /// The kinds of errors that were shown.
    shown: HashSet<ErrorKind>,
}

impl Results<'_> {
    async fn next_request(
        &mut self,
        requests: &mut (impl Stream<Item = PurgeRequest> + Unpin),
    ) -> Option<PurgeRequest> {
        match requests.next().await {
            Some(request) => Some(request),
            None => self.again.pop_front(),
        }
    }

    /// Returns the pause before the next request, or `None` to stop.
    fn pause(&mut self) -> Option<Duration> {
        let pause = self.breaker.next_pause();
        match pause {
            Some(pause) => self.sender.progress.note(&format!(
                "the service is down or out of reach: the next request is sent in {:.1} s",
                pause.as_secs_f64()
            )),
            None => self.sender.reasons.borrow_mut().fatal = self.last_failure.take(),
        }
        pause
    }

    fn moment(&self) -> Moment {
        Moment {
            outages: self.outages,
            generation: self.concurrency.generation(),
        }
    }

    fn judge(&mut self, result: PurgeResult, sent: Moment) {
        let states = self.sender.record(&result);
        let may_send_fewer = self.concurrency.may_halve();
        self.concurrency.record(
            result.rows().len(),
            is_overloaded(result.deletion()),
            sent.generation,
            Instant::now().into_std(),
        );
        let was_open = self.breaker.is_open();
        let is_down = self.breaker.record(result.deletion());
        let error = result.deletion().err();
        self.has_reached_service |= error.is_none_or(|error| error.kind() != ErrorKind::Connect);
        // The endpoint is wrong, or the service is down from the start.
        let is_unreachable = !self.has_reached_service;
        if is_unreachable || error.is_some_and(is_fatal) {
            self.finish(result, &states);
            return;
        }
        self.show_first(&result);
        if self.sender.has_too_many_failures() {
            self.kept.push((result, states));
            self.end();
        } else if self.breaker.is_open() {
            self.outages += u32::from(!was_open);
            for (result, states) in std::mem::take(&mut self.kept) {
                self.repeat(result, &states);
            }
            self.repeat(result, &states);
        } else if is_down && sent.outages < self.outages {
            // It was in flight during an outage that is over.
            self.repeat(result, &states);
        } else if may_send_fewer && error.is_some_and(is_refused_for_load) {
            self.repeat(result, &states);
        } else {
            self.kept.push((result, states));
            if !is_down {
                self.end();
            }
        }
        if was_open && !self.breaker.is_open() {
            self.sender.progress.note("the service responds again");
        }
    }

    /// Reports the failures that were kept.
    fn end(&mut self) {
        for (result, states) in std::mem::take(&mut self.kept) {
            self.finish(result, &states);
        }
    }

    /// Sends the request again later, if that is harmless.
    fn repeat(&mut self, result: PurgeResult, states: &[RowState]) {
        if !result.is_repeatable() {
            self.finish(result, states);
            return;
        }
        let (request, sent) = result.into_parts();
        self.sender
            .states
            .set_all(request.rows(), RowState::Waiting);
        self.last_failure = sent.err().map(Failure::call);
        self.again.push_back(request);
    }

    /// Reports a result and decides whether to stop.
    fn finish(&mut self, result: PurgeResult, states: &[RowState]) {
        let sender = self.sender;
        if let Err(failure) = self.report.add(&result, states) {
            sender.output_failed(failure);
        }
        let counts = sender.states.counts();
        let mut reasons = sender.reasons.borrow_mut();
        if let Err(error) = result.into_deletion() {
            let is_fatal = is_fatal(&error) || !self.has_reached_service;
            let failure = Failure::call(error);
            if is_fatal {
                reasons.fatal.get_or_insert(failure);
            } else {
                self.last_failure = Some(failure);
            }
        }
        reasons.too_many_failures |= sender.has_too_many_failures();
        sender.progress.update(&counts);
    }

    /// Shows the first error of each kind when it happens.
    fn show_first(&mut self, result: &PurgeResult) {
        if let Err(error) = result.deletion()
            && self.shown.insert(error.kind())
        {
            let text = format!("topic {}: {}", result.topic(), exit::chain(error));
            self.sender.progress.warn(&text);
        }
    }
}

/// Whether the service throttles, fails or does not respond, in the last attempt or an earlier one.
fn is_overloaded(result: Result<&Deletion, &Error>) -> bool {
    match result {
        Ok(deletion) => {
            let mut codes = deletion
                .partitions()
                .iter()
                .map(PartitionDeletion::error_code);
            deletion.attempts() > 1 || codes.any(|code| code == Some(REQUEST_TIMED_OUT))
        }
        Err(error) => {
            let kinds = [
                ErrorKind::Throttled,
                ErrorKind::Server,
                ErrorKind::Timeout,
                ErrorKind::Connection,
                ErrorKind::Connect,
            ];
            error.attempts() > 1 || kinds.contains(&error.kind())
        }
    }
}

/// Whether the same request may succeed when fewer are in flight.
fn is_refused_for_load(error: &Error) -> bool {
    error.outcome() == Outcome::NotApplied
        && matches!(error.kind(), ErrorKind::Throttled | ErrorKind::Server)
}

/// Kafka's code for a partition without a leader, which passes.
const NO_LEADER: &str = "5";

fn state_of_partition(partition: &PartitionDeletion) -> RowState {
    match partition.outcome() {
        None => RowState::Deleted,
        Some(Outcome::NotApplied) if partition.error_code() == Some(NO_LEADER) => {
            RowState::Retryable
        }
        Some(Outcome::NotApplied) => RowState::Failed,
        Some(_) => RowState::Unknown,
    }
}

/// Rows of a request without effect are finished only if the service would reject the same content again.
fn state_of_error(error: &Error) -> RowState {
    match (error.outcome(), error.kind()) {
        (Outcome::NotApplied, _) if is_fatal(error) => RowState::Retryable,
        (Outcome::NotApplied, ErrorKind::BadRequest | ErrorKind::InvalidInput)
            if error.code() != Some(codes::INSTANCE_STATE) =>
        {
            RowState::Refused
        }
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

/// The line of the journal.
fn entry(rows: &[u64], states: &[RowState]) -> JournalEntry {
    let mut entry = JournalEntry::new();
    for (row, state) in rows.iter().zip(states) {
        let recorded = match state {
            RowState::Deleted => Recorded::Deleted,
            RowState::Failed => Recorded::Failed,
            RowState::Refused => Recorded::Refused,
            RowState::Unknown => Recorded::Unknown,
            // Results have no other state.
            _ => Recorded::Undone,
        };
        entry.entry(recorded).or_default().push(*row);
    }
    entry
}
