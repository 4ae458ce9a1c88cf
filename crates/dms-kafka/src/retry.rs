//! When to try again: a policy, and a pure function that decides.

use std::time::Duration;

use crate::outcome::Outcome;

/// How often and how soon a failed attempt is repeated. The call's deadline bounds all of it.
///
/// Only what is worth repeating is repeated: 429, 502, 503, 504, flow control (`DMS.10240407`), failed
/// connections and, where repeating cannot delete more than was named, broken ones. The pause doubles
/// from `base` to `cap` and is drawn at random from zero up to that (full jitter), but is never
/// shorter than the service's `Retry-After`.
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
    let pause = bound
        .mul_f64(now.jitter)
        .max(now.retry_after.unwrap_or_default());
    if pause >= now.time_left {
        return Decision::Stop;
    }
    Decision::RetryAfter(pause)
}
