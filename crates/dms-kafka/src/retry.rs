//! When to try again: a policy, and a pure function that decides.

use std::time::Duration;

use crate::outcome::Outcome;

/// How often and how soon a failed attempt is repeated. The call's deadline bounds all of it.
///
/// Only what is worth repeating is repeated: 429, 502, 503, 504, flow control (`DMS.10240407`), failed
/// connections and, where repeating cannot delete more than was named, 408, time-outs of an attempt and
/// broken connections. The pause doubles
/// from `base` to `cap` and is drawn at random from zero up to that (full jitter), but is never
/// shorter than the service's `Retry-After`. A pause that would end after the deadline ends the call at once.
///
/// 400 and 403 are never repeated, nor is 401 with an access key: more than five wrong signatures lock a key for
/// five minutes. A refused token is renewed and the request repeated once, if the provider has another.
///
/// ```
/// use std::time::Duration;
/// use dms_kafka::RetryPolicy;
///
/// let patient = RetryPolicy::default().with_max_attempts(6).with_cap(Duration::from_secs(30));
/// assert_eq!(patient.max_attempts(), 6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts; pauses from 200 ms up to 10 s.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// One attempt, no retry.
    pub fn never() -> Self {
        Self::default().with_max_attempts(1)
    }

    /// At most `attempts` in all, the first one included; 0 counts as 1.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The upper bound of the first pause.
    #[must_use]
    pub fn with_base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The upper bound of every pause that the service does not ask for itself.
    #[must_use]
    pub fn with_cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// How many attempts are made at most.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Attempts made so far, at least 1.
    pub(crate) attempts: u32,
    /// Whether the last failure is of a kind that may pass.
    pub(crate) retryable: bool,
    /// Of the whole call so far.
    pub(crate) outcome: Outcome,
    /// Whether repeating the request cannot delete more than it named.
    pub(crate) idempotent: bool,
    /// What the service asked for.
    pub(crate) retry_after: Option<Duration>,
    /// What remains of the call's deadline.
    pub(crate) time_left: Duration,
    /// A random number from 0 to 1.
    pub(crate) jitter: f64,
}

/// How long to wait before the next attempt; `None` when there is to be none.
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

    /// The pause after one failure that may be repeated, with this difference.
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

    fn retry_in(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn a_failure_is_repeated_only_when_that_is_useful_and_safe() {
        use Outcome::{NotApplied, Unknown};
        // retryable, idempotent, outcome, attempts => repeated
        for (retryable, idempotent, outcome, attempts, repeated) in [
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
            assert_eq!(pause.is_some(), repeated, "{case:?}");
        }
    }

    #[test]
    fn never_means_one_attempt() {
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
            for (jitter, pause) in [(1.0, bound), (0.5, bound / 2), (0.0, 0)] {
                let found = pause_when(&policy, |now| {
                    now.attempts = attempts;
                    now.jitter = jitter;
                });
                assert_eq!(found, retry_in(pause), "after {attempts}, {jitter}");
            }
        }
    }

    #[test]
    fn the_services_pause_is_a_lower_bound_even_beyond_the_cap() {
        for (seconds, decision) in [(0, retry_in(200)), (60, retry_in(60_000)), (u64::MAX, None)] {
            let asked = pause_when(&RetryPolicy::default(), |now| {
                now.retry_after = Some(Duration::from_secs(seconds));
            });
            assert_eq!(asked, decision, "{seconds}");
        }
    }

    #[test]
    fn no_pause_that_ends_after_the_deadline() {
        for (millis, decision) in [(201, retry_in(200)), (200, None), (0, None)] {
            let late = pause_when(&RetryPolicy::default(), |now| {
                now.time_left = Duration::from_millis(millis);
            });
            assert_eq!(late, decision, "{millis}");
        }
    }

    #[test]
    fn no_policy_makes_it_panic() {
        let policy = RetryPolicy::default()
            .with_max_attempts(u32::MAX)
            .with_base(Duration::MAX)
            .with_cap(Duration::MAX);
        assert_eq!(pause_when(&policy, |_| ()), None);
    }
}
