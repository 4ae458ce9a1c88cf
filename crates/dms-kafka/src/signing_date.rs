//! Dates that give each deletion of everything its own signature.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

/// A signature contains a date with a resolution of one second. Equal requests in one second would have the same signature,
/// and a service that refuses repeated signatures would refuse the second request.
#[derive(Default)]
pub(crate) struct SigningDates(Mutex<Second>);

/// The requests that were dated in one second.
#[derive(Default)]
struct Second {
    second: u64,
    requests: HashSet<u64>,
}

/// Identifies equal requests.
pub(crate) fn identity(request: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.hash(&mut hasher);
    hasher.finish()
}

impl SigningDates {
    /// Returns the current date. Waits for the next second while this one has an equal request.
    pub(crate) async fn next(&self, request: u64) -> SystemTime {
        loop {
            let now = SystemTime::now();
            match self.wait(request, now) {
                None => return now,
                Some(wait) => sleep(wait).await,
            }
        }
    }

    fn wait(&self, request: u64, now: SystemTime) -> Option<Duration> {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.second != since.as_secs() {
            current.second = since.as_secs();
            current.requests.clear();
        }
        (!current.requests.insert(request)).then(|| until_next_second(now))
    }
}

/// Returns the time until the next second of the date.
pub(crate) fn until_next_second(now: SystemTime) -> Duration {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(since.subsec_nanos().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_requests_have_dates_in_different_seconds() {
        let dates = SigningDates::default();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let [one, other] = [identity(&"one"), identity(&"other")];
        for (request, millis, wait) in [
            (one, 5000, None),
            (one, 5000, Some(1000)),
            (other, 5200, None),
            (one, 5999, Some(1)),
            (one, 6000, None),
            (other, 6001, None),
            (one, 6750, Some(250)),
        ] {
            let wait = wait.map(Duration::from_millis);
            assert_eq!(dates.wait(request, at(millis)), wait, "{millis}");
        }
    }
}
