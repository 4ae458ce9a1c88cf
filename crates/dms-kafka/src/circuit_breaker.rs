//! Decides when a purge stops sending because the service is down.

use std::time::Duration;

use tokio::time::Instant;

use crate::deletion::Deletion;
use crate::error::Error;
use crate::error_kind::ErrorKind;

const FAILURES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(60);

/// Stops sending while a service is down.
///
/// It opens when 10 requests in a row, in the order in which they end, fail because there is no connection, a connection
/// breaks, the time is up, or the service returns 5xx. Any other response closes it.
///
/// While it is open, send no request except one after each [`next_pause`](Self::next_pause), which doubles from 1 s to 30 s.
/// When it has been open for 60 s in total, over all times that it opened, there is no further pause: give up.
///
/// [`Purge::with_circuit_breaker`](crate::Purge::with_circuit_breaker) does this. If you send the requests of
/// [`Purge::requests`](crate::Purge::requests) yourself, call [`record`](Self::record) with
/// [`PurgeResult::deletion`](crate::PurgeResult::deletion) of each result.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    failures: u32,
    first_pause: Duration,
    limit: Duration,
    in_a_row: u32,
    pause: Duration,
    opened: Option<Instant>,
    /// How long it was open before.
    open_before: Duration,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failures: FAILURES,
            first_pause: FIRST_PAUSE,
            limit: LIMIT,
            in_a_row: 0,
            pause: FIRST_PAUSE,
            opened: None,
            open_before: Duration::ZERO,
        }
    }
}

impl CircuitBreaker {
    /// Creates a closed circuit breaker.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of failures in a row that open it. Default: 10; 0 counts as 1.
    #[must_use]
    pub fn with_failures(mut self, requests: u32) -> Self {
        self.failures = requests.max(1);
        self
    }

    /// Sets the first pause. Default: 1 s.
    #[must_use]
    pub fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Sets how long it may be open in total. Default: 60 s.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Records a result. Returns whether it is a failure that counts: the service is down or out of reach.
    pub fn record(&mut self, result: Result<&Deletion, &Error>) -> bool {
        let kind = result.err().map(Error::kind);
        let is_down = matches!(
            kind,
            Some(
                ErrorKind::Connect | ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Server
            )
        );
        self.count(is_down);
        is_down
    }

    fn count(&mut self, is_down: bool) {
        if !is_down {
            self.open_before = self.open_in_total();
            self.opened = None;
            self.in_a_row = 0;
            return;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.opened.is_none() && self.in_a_row >= self.failures {
            self.opened = Some(Instant::now());
            self.pause = self.first_pause;
        }
    }

    /// Whether no request may be sent, except one after each pause.
    pub fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Returns how long to wait before the next request is sent, or `None` if it has been open for too long.
    pub fn next_pause(&mut self) -> Option<Duration> {
        let left = self.limit.checked_sub(self.open_in_total())?;
        let pause = self.pause.min(left);
        self.pause = self
            .pause
            .saturating_mul(2)
            .min(LONGEST_PAUSE.max(self.first_pause));
        (!left.is_zero()).then_some(pause)
    }

    fn open_in_total(&self) -> Duration {
        let open = self.opened.map(|opened| opened.elapsed());
        self.open_before.saturating_add(open.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Step {
        Failure,
        Response,
        /// The breaker is open, and this is the length of its next pause in seconds.
        Pause(u64),
        GivesUp,
    }
    use Step::{Failure, GivesUp, Pause, Response};

    #[tokio::test(start_paused = true)]
    async fn a_circuit_breaker_opens_after_failures_in_a_row_and_gives_up_after_its_limit() {
        for (name, steps) in [
            ("two failures do not open it", vec![Failure, Failure]),
            (
                "a response starts the count again",
                vec![Failure, Failure, Response, Failure, Failure],
            ),
            (
                "pauses double and end at the limit",
                vec![
                    Failure,
                    Failure,
                    Failure,
                    Pause(1),
                    Failure,
                    Pause(2),
                    Failure,
                    Pause(4),
                    Failure,
                    Pause(3),
                    Failure,
                    GivesUp,
                ],
            ),
            (
                "failures of requests that were in flight do not lengthen the pause",
                vec![Failure, Failure, Failure, Failure, Failure, Pause(1)],
            ),
            (
                "a response closes it, and the next opening starts with the first pause and the rest of the limit",
                vec![
                    Failure,
                    Failure,
                    Failure,
                    Pause(1),
                    Failure,
                    Pause(2),
                    Response,
                    Failure,
                    Failure,
                    Failure,
                    Pause(1),
                    Failure,
                    Pause(2),
                    Failure,
                    Pause(4),
                    Failure,
                    GivesUp,
                ],
            ),
        ] {
            let mut breaker = CircuitBreaker::new()
                .with_failures(3)
                .with_limit(Duration::from_secs(10));
            for step in steps {
                match step {
                    Failure => breaker.count(true),
                    Response => breaker.count(false),
                    Pause(seconds) => {
                        assert!(breaker.is_open(), "{name}");
                        let pause = Duration::from_secs(seconds);
                        assert_eq!(breaker.next_pause(), Some(pause), "{name}");
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    GivesUp => assert_eq!(breaker.next_pause(), None, "{name}"),
                }
                if breaker.in_a_row < 3 {
                    assert!(!breaker.is_open(), "{name}");
                }
            }
        }
    }
}
