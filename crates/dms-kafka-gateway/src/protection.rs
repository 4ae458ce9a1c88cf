//! Rate limit and lockout: per key and per process, off unless configured.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota,
    clock::{Clock as _, MonotonicClock},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use serde::Deserialize;

use crate::{limits::seconds, refusal::Refusal};

/// The rate limit of each key or token: the table `[rate_limit]` of a configuration.
///
/// A request beyond the limit gets 429 `APIGW.0308` and the seconds to wait in `Retry-After`. Only requests with a valid
/// signature count: a client cannot use up the limit of another client's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests per second, on average.
    pub requests_per_second: NonZeroU32,
    /// Requests that a key may send at once after a pause.
    pub burst: NonZeroU32,
}

/// The lockout of keys: the table `[lock_out]` of a configuration.
///
/// The vendor locks a key for five minutes after more than five wrong signatures in a row. Access keys are not secret, so
/// with a lockout any client that knows one can lock out its owner: it is off unless configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LockOut {
    /// Wrong signatures in a row that do not lock the key. The next one locks it.
    pub failures: u32,
    /// `seconds`: how long requests with the key are refused, even with a valid signature.
    #[serde(rename = "seconds", deserialize_with = "seconds")]
    pub duration: Duration,
}

/// The rate limit of one key or token.
#[derive(Debug)]
pub(crate) struct RateLimiter(
    governor::RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
);

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let quota = Quota::per_second(limit.requests_per_second).allow_burst(limit.burst);
        Self(governor::RateLimiter::direct_with_clock(
            quota,
            MonotonicClock,
        ))
    }

    /// Counts one request.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.0.check().map_err(|not_until| {
            Refusal::THROTTLED.after(not_until.wait_time_from(MonotonicClock.now()))
        })
    }
}

/// The lockout of one key.
#[derive(Debug)]
pub(crate) struct Lock {
    rule: LockOut,
    state: Mutex<LockState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LockState {
    failures: u32,
    locked_until: Option<Instant>,
}

impl Lock {
    pub(crate) fn new(rule: LockOut) -> Self {
        Self {
            rule,
            state: Mutex::default(),
        }
    }

    pub(crate) fn check(&self, now: Instant) -> Result<(), Refusal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.locked_until {
            Some(until) if now < until => Err(Refusal::LOCKED_OUT),
            Some(_) => {
                *state = LockState::default();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts a wrong signature, or resets the count.
    pub(crate) fn note(&self, valid: bool, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if valid {
            state.failures = 0;
            return;
        }
        state.failures += 1;
        if state.failures > self.rule.failures && state.locked_until.is_none() {
            state.locked_until = Some(now + self.rule.duration);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: LockOut = LockOut {
        failures: 2,
        duration: Duration::from_secs(300),
    };

    #[test]
    fn a_key_is_locked_for_a_while_after_too_many_wrong_signatures() {
        let (lock, start) = (Lock::new(RULE), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..2 {
            lock.note(false, start);
            assert!(lock.check(start).is_ok());
        }
        lock.note(false, start);
        assert!(lock.check(after(299)).is_err());
        assert!(lock.check(after(300)).is_ok());
        // The count starts again.
        lock.note(false, after(300));
        assert!(lock.check(after(301)).is_ok());
    }

    #[test]
    fn a_valid_signature_resets_the_count() {
        let (lock, start) = (Lock::new(RULE), Instant::now());
        for valid in [false, false, true, false, false] {
            lock.note(valid, start);
        }
        assert!(lock.check(start).is_ok());
    }
}
