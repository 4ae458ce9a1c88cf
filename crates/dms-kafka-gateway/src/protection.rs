//! Rate limit and lock-out: both per key and per process, both off unless configured.

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

/// How many requests each key or token may send: the table `[rate_limit]` of a configuration.
///
/// A request beyond it is answered with 429 `APIGW.0308` and the seconds to wait in `Retry-After`. Only requests whose
/// signature holds are counted: nobody can use up the requests of a key that they cannot sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests per second in the long run.
    pub requests_per_second: NonZeroU32,
    /// Requests that may come at once after a quiet time.
    pub burst: NonZeroU32,
}

/// When a key is locked for a while: the table `[lock_out]` of a configuration.
///
/// The vendor locks a key for five minutes after more than five wrong signatures in a row. Access keys are not secret,
/// so a lock-out lets anybody who knows one lock its owner out: it is off unless configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LockOut {
    /// Wrong signatures in a row that are forgiven; the next one locks the key.
    pub failures: u32,
    /// `seconds`: for how long requests with the key are refused, rightly signed or not.
    #[serde(rename = "seconds", deserialize_with = "seconds")]
    pub duration: Duration,
}

/// The requests that one key has left.
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

/// The wrong signatures of one key.
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

    /// Takes note of a signature that held or did not.
    pub(crate) fn note(&self, held: bool, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if held {
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
    fn one_failure_too_many_locks_for_a_while() {
        let (lock, start) = (Lock::new(RULE), Instant::now());
        for _ in 0..2 {
            lock.note(false, start);
            assert!(lock.check(start).is_ok());
        }
        lock.note(false, start);
        assert!(lock.check(start + Duration::from_secs(299)).is_err());
        assert!(lock.check(start + Duration::from_secs(300)).is_ok());
        lock.note(false, start + Duration::from_secs(300));
        assert!(
            lock.check(start + Duration::from_secs(301)).is_ok(),
            "the count starts again"
        );
    }

    #[test]
    fn a_signature_that_holds_clears_the_count() {
        let (lock, start) = (Lock::new(RULE), Instant::now());
        for held in [false, false, true, false, false] {
            lock.note(held, start);
        }
        assert!(lock.check(start).is_ok());
    }
}
