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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    RetryAfter(Duration),
    Stop,
}

/// Whether to try again, and when.
pub(crate) fn decide(policy: &RetryPolicy, now: &Situation) -> Decision {
    let safe = now.idempotent || now.outcome == Outcome::NotApplied;
    if !now.retryable || !safe || now.attempts >= policy.max_attempts {
        return Decision::Stop;
    }
    let doublings = (now.attempts - 1).min(16);
    let bound = policy.base.saturating_mul(1 << doublings).min(policy.cap);
    let pause = Duration::try_from_secs_f64(bound.as_secs_f64() * now.jitter)
        .unwrap_or(Duration::MAX)
        .max(now.retry_after.unwrap_or_default());
    if pause >= now.time_left {
        return Decision::Stop;
    }
    Decision::RetryAfter(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn after_one_failure() -> Situation {
        Situation {
            attempts: 1,
            retryable: true,
            outcome: Outcome::NotApplied,
            idempotent: true,
            retry_after: None,
            time_left: HOUR,
            jitter: 1.0,
        }
    }

    fn retry_in(millis: u64) -> Decision {
        Decision::RetryAfter(Duration::from_millis(millis))
    }

    #[test]
    fn a_failure_is_repeated_only_when_that_is_useful_and_safe() {
        use Outcome::{NotApplied, Unknown};
        // retryable, idempotent, outcome, attempts => repeated
        let cases = [
            (true, true, NotApplied, 1, true),
            (true, true, Unknown, 1, true),
            (true, false, NotApplied, 1, true),
            (true, false, Unknown, 1, false),
            (false, true, NotApplied, 1, false),
            (true, true, NotApplied, 2, true),
            (true, true, NotApplied, 3, false),
            (true, true, NotApplied, u32::MAX, false),
        ];
        for (retryable, idempotent, outcome, attempts, repeated) in cases {
            let situation = Situation {
                attempts,
                retryable,
                outcome,
                idempotent,
                ..after_one_failure()
            };
            let decision = decide(&RetryPolicy::default(), &situation);
            assert_eq!(decision != Decision::Stop, repeated, "{situation:?}");
        }
    }

    #[test]
    fn never_means_one_attempt() {
        assert_eq!(
            decide(&RetryPolicy::never(), &after_one_failure()),
            Decision::Stop
        );
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_jitter_reaches_down_to_zero() {
        let policy = RetryPolicy::default().with_max_attempts(u32::MAX);
        let cases = [
            (1, 200),
            (2, 400),
            (3, 800),
            (6, 6400),
            (7, 10_000),
            (1_000_000, 10_000),
        ];
        for (attempts, bound) in cases {
            let at = |jitter| {
                decide(
                    &policy,
                    &Situation {
                        attempts,
                        jitter,
                        ..after_one_failure()
                    },
                )
            };
            assert_eq!(at(1.0), retry_in(bound), "after {attempts}");
            assert_eq!(at(0.5), retry_in(bound / 2), "after {attempts}");
            assert_eq!(at(0.0), retry_in(0), "after {attempts}");
        }
    }

    #[test]
    fn the_services_pause_is_a_lower_bound_even_beyond_the_cap() {
        let policy = RetryPolicy::default();
        let asked = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            decide(
                &policy,
                &Situation {
                    retry_after,
                    ..after_one_failure()
                },
            )
        };
        assert_eq!(asked(0), retry_in(200));
        assert_eq!(asked(60), retry_in(60_000));
        assert_eq!(asked(u64::MAX), Decision::Stop);
    }

    #[test]
    fn no_pause_that_ends_after_the_deadline() {
        let with = |time_left| {
            decide(
                &RetryPolicy::default(),
                &Situation {
                    time_left,
                    ..after_one_failure()
                },
            )
        };
        assert_eq!(with(Duration::from_millis(201)), retry_in(200));
        assert_eq!(with(Duration::from_millis(200)), Decision::Stop);
        assert_eq!(with(Duration::ZERO), Decision::Stop);
    }

    #[test]
    fn no_policy_makes_it_panic() {
        let policy = RetryPolicy::default()
            .with_max_attempts(u32::MAX)
            .with_base(Duration::MAX)
            .with_cap(Duration::MAX);
        assert_eq!(decide(&policy, &after_one_failure()), Decision::Stop);
    }
}
