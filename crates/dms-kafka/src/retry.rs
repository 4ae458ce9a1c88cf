//! Whether and when to retry.

use std::time::Duration;

use crate::outcome::Outcome;

/// When a failed attempt is retried. The deadline of the call limits all attempts.
///
/// These failures are retried: 429, flow control (`DMS.10240407`), and failure to connect. These are only retried if a
/// retry cannot delete other records, or the response says that nothing was deleted: 408, 502, 503, 504, the attempt timeout
/// and broken connections. A response that cannot be read is not retried.
///
/// The pause is random between zero and an upper bound, which doubles from `base` to `cap` (full jitter). It is not
/// shorter than the service's `Retry-After`, and for a deletion of everything it lasts at least until the next second, so that
/// the signature differs. If it would end after the deadline, the call fails at once.
///
/// 400 and 403 are not retried. 401 with an access key is not retried either: more than five wrong signatures lock the
/// key for five minutes. A rejected token is renewed and the request sent again once, if the provider has a new token.
///
/// ```
/// use std::time::Duration;
/// use dms_kafka::RetryPolicy;
///
/// let policy = RetryPolicy::default().with_max_attempts(6).with_cap(Duration::from_secs(30));
/// assert_eq!(policy.max_attempts(), 6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts, `base` 200 ms, `cap` 10 s.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// Returns the policy of one attempt and no retries.
    pub fn never() -> Self {
        Self::default().with_max_attempts(1)
    }

    /// Sets the maximum number of attempts, including the first one; 0 counts as 1.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the upper bound of the first pause.
    #[must_use]
    pub fn with_base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets the upper bound of all pauses. A longer `Retry-After` overrides it.
    #[must_use]
    pub fn with_cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Returns the maximum number of attempts.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Attempts made so far, at least 1.
    pub(crate) attempts: u32,
    /// Whether the last failure may be temporary.
    pub(crate) retryable: bool,
    /// Over all attempts.
    pub(crate) outcome: Outcome,
    /// Whether a repeated request deletes no other records.
    pub(crate) idempotent: bool,
    pub(crate) retry_after: Option<Duration>,
    /// The time until the deadline of the call.
    pub(crate) time_left: Duration,
    /// A random number from 0 to 1.
    pub(crate) jitter: f64,
}

/// Returns the pause before the next attempt, or `None` for no further attempt.
pub(crate) fn pause(policy: &RetryPolicy, now: &Situation) -> Option<Duration> {
    let safe = now.idempotent || now.outcome == Outcome::NotApplied;
    if !now.retryable || !safe || now.attempts >= policy.max_attempts {
        return None;
    }
    let doublings = (now.attempts - 1).min(16);
    let bound = policy.base.saturating_mul(1 << doublings).min(policy.cap);
    let pause = Duration::try_from_secs_f64(bound.as_secs_f64() * now.jitter)
        .unwrap_or(Duration::MAX)
        .max(now.retry_after.unwrap_or_default());
    (pause < now.time_left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// The pause after one retryable failure, changed by `change`.
    fn pause_when(policy: &RetryPolicy, change: impl FnOnce(&mut Situation)) -> Option<Duration> {
        let mut situation = Situation {
            attempts: 1,
            retryable: true,
            outcome: Outcome::NotApplied,
            idempotent: true,
            retry_after: None,
            time_left: HOUR,
            jitter: 1.0,
        };
        change(&mut situation);
        pause(policy, &situation)
    }

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_failure_is_retried_only_if_useful_and_safe() {
        use Outcome::{NotApplied, Unknown};
        // retryable, idempotent, outcome, attempts => retried
        for (retryable, idempotent, outcome, attempts, retried) in [
            (true, true, NotApplied, 1, true),
            (true, true, Unknown, 1, true),
            (true, false, NotApplied, 1, true),
            (true, false, Unknown, 1, false),
            (false, true, NotApplied, 1, false),
            (true, true, NotApplied, 2, true),
            (true, true, NotApplied, 3, false),
            (true, true, NotApplied, u32::MAX, false),
        ] {
            let pause = pause_when(&RetryPolicy::default(), |now| {
                now.retryable = retryable;
                now.idempotent = idempotent;
                now.outcome = outcome;
                now.attempts = attempts;
            });
            let case = (retryable, idempotent, outcome, attempts);
            assert_eq!(pause.is_some(), retried, "{case:?}");
        }
    }

    #[test]
    fn without_retries_there_is_one_attempt() {
        let numbers =
            [RetryPolicy::never(), RetryPolicy::default()].map(|policy| policy.max_attempts());
        assert_eq!(numbers, [1, 3]);
        assert_eq!(pause_when(&RetryPolicy::never(), |_| ()), None);
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_jitter_reaches_down_to_zero() {
        let policy = RetryPolicy::default().with_max_attempts(u32::MAX);
        for (attempts, bound) in [
            (1, 200),
            (2, 400),
            (3, 800),
            (6, 6400),
            (7, 10_000),
            (1_000_000, 10_000),
        ] {
            for (jitter, expected) in [(1.0, bound), (0.5, bound / 2), (0.0, 0)] {
                let pause = pause_when(&policy, |now| {
                    now.attempts = attempts;
                    now.jitter = jitter;
                });
                assert_eq!(pause, Some(millis(expected)), "after {attempts}, {jitter}");
            }
        }
    }

    #[test]
    fn retry_after_is_a_lower_bound_even_above_the_cap() {
        for (seconds, expected) in [
            (0, Some(millis(200))),
            (60, Some(millis(60_000))),
            (u64::MAX, None),
        ] {
            let pause = pause_when(&RetryPolicy::default(), |now| {
                now.retry_after = Some(Duration::from_secs(seconds));
            });
            assert_eq!(pause, expected, "{seconds}");
        }
    }

    #[test]
    fn a_pause_ends_before_the_deadline() {
        for (left, expected) in [(201, Some(millis(200))), (200, None), (0, None)] {
            let pause = pause_when(&RetryPolicy::default(), |now| {
                now.time_left = Duration::from_millis(left);
            });
            assert_eq!(pause, expected, "{left}");
        }
    }

    #[test]
    fn extreme_durations_do_not_panic() {
        let policy = RetryPolicy::default()
            .with_max_attempts(u32::MAX)
            .with_base(Duration::MAX)
            .with_cap(Duration::MAX);
        assert_eq!(pause_when(&policy, |_| ()), None);
    }
}
