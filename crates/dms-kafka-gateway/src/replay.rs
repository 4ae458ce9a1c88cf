//! Executes a request that deletes everything once for each signature.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::refusal::Refusal;

/// How long a signature is accepted after its date.
const VALIDITY: Duration = Duration::from_secs(15 * 60);

/// How far the clock of a client may be ahead. A signature with a later date could be sent again for much longer.
const MAX_AHEAD: Duration = Duration::from_secs(60);

/// The signatures of one key with which everything was deleted, until the verifier refuses their date.
#[derive(Default)]
pub(crate) struct UsedSignatures(Mutex<Used>);

#[derive(Default)]
struct Used {
    /// By date, so that the oldest are removed first.
    signatures: BTreeSet<(SystemTime, SignatureHex)>,
    /// The latest time of a check: a clock that is set back makes no removed signature valid again.
    latest: Option<SystemTime>,
}

/// Shows no signature: a request with one could be sent again.
impl fmt::Debug for UsedSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsedSignatures").finish_non_exhaustive()
    }
}

impl UsedSignatures {
    /// Permits every signature again, because the topics were reset.
    pub(crate) fn clear(&self) {
        self.lock().signatures.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        // Every change is one call, so a panic cannot leave the set half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hexadecimal digits of a signature.
type SignatureHex = [u8; 64];

/// The verified signature of a request.
pub(crate) struct OnceSignature {
    pub(crate) date: SystemTime,
    pub(crate) hex: SignatureHex,
    pub(crate) used: Arc<UsedSignatures>,
}

impl OnceSignature {
    /// Remembers the signature, unless it was used before or `most` others are remembered; nothing is checked if `most` is 0.
    ///
    /// Dates before `started` are refused, because an earlier process may have executed the request.
    pub(crate) fn use_once(
        &self,
        started: SystemTime,
        most: usize,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        if most == 0 {
            return Ok(());
        }
        let refuse = |reason| Err(Refusal::NOT_ONCE.with(reason));
        if self.date > now + MAX_AHEAD {
            return refuse("it is more than 60 s ahead of the clock of the gateway");
        }
        if self.date < whole_second(started) {
            return refuse("it is before the start of the gateway");
        }
        let mut used = self.used.lock();
        let latest = used.latest.map_or(now, |latest| latest.max(now));
        used.latest = Some(latest);
        let oldest = latest - VALIDITY;
        if self.date < oldest {
            return refuse("it is more than 15 minutes old");
        }
        while used
            .signatures
            .first()
            .is_some_and(|(date, _)| *date < oldest)
        {
            used.signatures.pop_first();
        }
        let entry = (self.date, self.hex);
        if used.signatures.contains(&entry) {
            return Err(Refusal::REPLAYED);
        }
        if used.signatures.len() >= most {
            return Err(Refusal::TOO_MANY_SIGNATURES);
        }
        used.signatures.insert(entry);
        Ok(())
    }

    /// Permits another request with this signature, because nothing was deleted.
    pub(crate) fn forget(&self) {
        self.used.lock().signatures.remove(&(self.date, self.hex));
    }
}

/// `X-Sdk-Date` has no fractions: a request that is signed just after the start may have a date just before it.
fn whole_second(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A check at a time relative to the start, and whether it passes.
    #[derive(Debug)]
    struct Check(u8, i64, i64, Expected);

    #[derive(Debug, PartialEq)]
    enum Expected {
        Passes,
        Replayed,
        Full,
        Date,
    }
    use Expected::{Date, Full, Passes, Replayed};

    fn at(start: SystemTime, seconds: i64) -> SystemTime {
        let away = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            start - away
        } else {
            start + away
        }
    }

    fn outcome(checked: Result<(), Refusal>) -> Expected {
        match checked.map_err(|refusal| refusal.code) {
            Ok(()) => Passes,
            Err("DMS.00409900") => Replayed,
            Err("DMS.111501025") => Full,
            Err(_) => Date,
        }
    }

    /// Each signature, the second of its date and of the check, and the outcome; at most two signatures are remembered.
    #[test]
    fn a_signature_is_used_once_while_its_date_is_valid() {
        let start = whole_second(SystemTime::now());
        let started = start + SECOND / 2;
        for checks in [
            // In the second of the start, and just before it.
            &[Check(b'a', 0, 0, Passes), Check(b'b', -1, 0, Date)][..],
            &[Check(b'a', 60, 0, Passes), Check(b'b', 61, 0, Date)],
            &[Check(b'a', 5, 5, Passes), Check(b'a', 5, 5, Replayed)],
            &[Check(b'a', 5, 5, Passes), Check(b'a', 5, 905, Replayed)],
            // It is removed when its date is too old, and refused for that.
            &[Check(b'a', 5, 5, Passes), Check(b'a', 5, 906, Date)],
            // Then the clock is set back.
            &[
                Check(b'a', 5, 5, Passes),
                Check(b'b', 900, 906, Passes),
                Check(b'a', 5, 10, Date),
            ],
            // A replay is recognized while the memory is full; nothing is removed early.
            &[
                Check(b'a', 5, 5, Passes),
                Check(b'b', 6, 6, Passes),
                Check(b'c', 7, 7, Full),
                Check(b'a', 5, 8, Replayed),
                Check(b'c', 7, 905, Full),
                Check(b'c', 7, 906, Passes),
                Check(b'b', 6, 906, Replayed),
            ],
            // Two signatures with the same date.
            &[Check(b'a', 5, 5, Passes), Check(b'b', 5, 5, Passes)],
        ] {
            let used = Arc::new(UsedSignatures::default());
            for check in checks {
                let Check(hex, date, now, expected) = check;
                let signature = OnceSignature {
                    date: at(start, *date),
                    hex: [*hex; 64],
                    used: used.clone(),
                };
                let found = outcome(signature.use_once(started, 2, at(start, *now)));
                assert_eq!(found, *expected, "{check:?} of {checks:?}");
            }
        }
    }

    #[test]
    fn a_forgotten_signature_may_be_used_again() {
        let now = SystemTime::now();
        let signature = OnceSignature {
            date: whole_second(now),
            hex: [b'a'; 64],
            used: Arc::default(),
        };
        assert!(signature.use_once(now, 1, now).is_ok());
        signature.forget();
        assert!(signature.use_once(now, 1, now).is_ok());
        assert!(signature.use_once(now, 1, now).is_err());
        assert!(!format!("{:?}", signature.used).contains("97"));
    }

    #[test]
    fn one_of_several_concurrent_requests_is_executed() {
        let (used, now) = (Arc::new(UsedSignatures::default()), SystemTime::now());
        let passed = std::thread::scope(|scope| {
            let threads = [(); 8].map(|()| {
                let signature = OnceSignature {
                    date: whole_second(now),
                    hex: [b'a'; 64],
                    used: used.clone(),
                };
                scope.spawn(move || signature.use_once(now, 10, now).is_ok())
            });
            let passed = threads.map(|thread| thread.join().expect("no panic"));
            passed.into_iter().filter(|passed| *passed).count()
        });
        assert_eq!(passed, 1);
    }
}
