//! Rate limit and lockout: per key and per process, off unless configured.

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
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
/// with a lockout any client that knows one can lock out its owner, as often as it likes: it is off unless configured.
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
pub(crate) struct RateLimiter {
    limiter:
        governor::RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
    /// When the last request beyond the limit could have been sent.
    throttled_until: Mutex<Option<Instant>>,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let quota = Quota::per_second(limit.requests_per_second).allow_burst(limit.burst);
        Self {
            limiter: governor::RateLimiter::direct_with_clock(quota, MonotonicClock),
            throttled_until: Mutex::default(),
        }
    }

    /// Counts one request.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.limiter.check().map_err(|not_until| {
            *self.lock() = Some(not_until.earliest_possible());
            Refusal::THROTTLED.after(not_until.wait_time_from(MonotonicClock.now()))
        })
    }

    /// Fails while no request could be served, and counts none.
    pub(crate) fn check_throttled(&self) -> Result<(), Refusal> {
        let until = *self.lock();
        let wait = until.and_then(|until| until.checked_duration_since(Instant::now()));
        match wait {
            Some(wait) if !wait.is_zero() => Err(Refusal::THROTTLED.after(wait)),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.throttled_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        Self::check_state(&mut state, now)
    }

    /// Counts a wrong signature, or resets the count. Fails if the key was locked while the signature was verified: guesses
    /// that were sent together are judged one after the other.
    pub(crate) fn judge(&self, valid: bool, now: Instant) -> Result<(), Refusal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Self::check_state(&mut state, now)?;
        state.failures = if valid { 0 } else { state.failures + 1 };
        if state.failures > self.rule.failures {
            state.locked_until = Some(now + self.rule.duration);
        }
        Ok(())
    }

    fn check_state(state: &mut LockState, now: Instant) -> Result<(), Refusal> {
        match state.locked_until {
            Some(until) if now < until => Err(Refusal::LOCKED_OUT),
            Some(_) => {
                *state = LockState::default();
                Ok(())
            }
            None => Ok(()),
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
        for _ in 0..3 {
            assert!(lock.check(start).is_ok());
            assert!(lock.judge(false, start).is_ok());
        }
        assert!(lock.check(after(299)).is_err());
        assert!(lock.check(after(300)).is_ok());
        // The count starts again.
        assert!(lock.judge(false, after(300)).is_ok());
        assert!(lock.check(after(301)).is_ok());
    }

    /// Their heads were checked before the key was locked.
    #[test]
    fn guesses_that_are_judged_after_the_lockout_learn_nothing() {
        let (lock, start) = (Lock::new(RULE), Instant::now());
        for valid in [false, false, false] {
            assert!(lock.judge(valid, start).is_ok());
        }
        for valid in [false, true] {
            assert!(lock.judge(valid, start).is_err(), "{valid}");
        }
        assert!(lock.judge(true, start + RULE.duration).is_ok());
    }

    #[test]
    fn a_valid_signature_resets_the_count() {
        let (lock, start) = (Lock::new(RULE), Instant::now());
        for valid in [false, false, true, false, false] {
            assert!(lock.judge(valid, start).is_ok());
        }
        assert!(lock.check(start).is_ok());
    }
}
