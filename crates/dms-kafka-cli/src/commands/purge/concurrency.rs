//! How many requests of a purge are in flight.

use std::time::Instant;

/// The number of a service that nothing is known of.
const FIRST: usize = 4;
/// Fewer results say nothing about the speed.
const LEAST_RESULTS: usize = 8;
/// More requests are worth it if the rows per second rise by more than this factor.
const RISE: f64 = 1.1;

/// Adapts the number to the service: it doubles while the rows per second rise, and halves when the service is overloaded;
/// from then on it grows by one.
pub(super) struct Concurrency {
    level: usize,
    /// `None`: the number is fixed.
    most: Option<usize>,
    /// Changes with the level: several requests that fail together halve it once.
    generation: u32,
    was_overloaded: bool,
    is_settled: bool,
    last_rate: f64,
    /// Since the level changed.
    rows: usize,
    results: usize,
    since: Instant,
}

impl Concurrency {
    pub(super) fn new(fixed: Option<usize>, most: usize, now: Instant) -> Self {
        Self {
            level: fixed.unwrap_or(FIRST.min(most)),
            most: fixed.is_none().then_some(most),
            generation: 0,
            was_overloaded: false,
            is_settled: false,
            last_rate: 0.0,
            rows: 0,
            results: 0,
            since: now,
        }
    }

    pub(super) fn level(&self) -> usize {
        self.level
    }

    pub(super) fn may_halve(&self) -> bool {
        self.most.is_some() && self.level > 1
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Records the result of a request that was sent in this `generation`.
    pub(super) fn record(
        &mut self,
        rows: usize,
        is_overloaded: bool,
        generation: u32,
        now: Instant,
    ) {
        let Some(most) = self.most else {
            return;
        };
        if is_overloaded {
            if generation == self.generation {
                self.was_overloaded = true;
                self.is_settled = false;
                self.change((self.level / 2).max(1), now);
            }
            return;
        }
        self.rows += rows;
        self.results += 1;
        if self.is_settled || self.results < self.level.max(LEAST_RESULTS) {
            return;
        }
        if self.was_overloaded {
            self.change((self.level + 1).min(most), now);
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a request has few rows")]
        let rate = self.rows as f64 / now.duration_since(self.since).as_secs_f64();
        self.is_settled = rate <= self.last_rate * RISE || self.level == most;
        self.last_rate = rate;
        if !self.is_settled {
            self.change((self.level * 2).min(most), now);
        }
    }

    fn change(&mut self, level: usize, now: Instant) {
        if level != self.level {
            tracing::info!("requests in flight: {level}");
        }
        self.level = level;
        self.generation += 1;
        (self.rows, self.results, self.since) = (0, 0, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Ten rows of each request, and how long it takes the service to respond to `level` requests at a time.
    fn levels(
        fixed: Option<usize>,
        most: usize,
        requests: usize,
        seconds: impl Fn(usize) -> f64,
        is_overloaded: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut now = Instant::now();
        let mut concurrency = Concurrency::new(fixed, most, now);
        let mut levels = vec![concurrency.level()];
        for _ in 0..requests {
            let (level, generation) = (concurrency.level(), concurrency.generation());
            now += Duration::from_secs_f64(seconds(level));
            // Those that were sent together end together.
            for _ in 0..level {
                concurrency.record(10, is_overloaded(level), generation, now);
            }
            if levels.last() != Some(&concurrency.level()) {
                levels.push(concurrency.level());
            }
        }
        levels
    }

    #[test]
    fn the_number_of_requests_follows_the_service() {
        let (slow, serial) = (
            |_| 0.25,
            |level| 0.01 * f64::from(u32::try_from(level).unwrap()),
        );
        let (never, above) = (|_| false, |most| move |level| level > most);
        assert_eq!(levels(None, 64, 20, slow, never), [4, 8, 16, 32, 64]);
        assert_eq!(levels(None, 50, 20, slow, never), [4, 8, 16, 32, 50]);
        assert_eq!(levels(None, 2, 20, slow, never), [2]);
        assert_eq!(levels(Some(7), 64, 20, slow, above(1)), [7]);
        // More requests are not faster: one doubling shows that.
        assert_eq!(levels(None, 64, 50, serial, never), [4, 8]);
        // It halves once for all that fail together, and grows slowly afterwards.
        let found = levels(None, 64, 15, slow, above(17));
        assert_eq!(
            found,
            [4, 8, 16, 32, 16, 17, 18, 9, 10, 11, 12, 13, 14, 15, 16]
        );
        assert_eq!(levels(None, 64, 9, slow, above(0)), [4, 2, 1]);
    }

    #[test]
    fn a_late_failure_of_an_earlier_number_changes_nothing() {
        let now = Instant::now();
        let mut concurrency = Concurrency::new(None, 64, now);
        let early = concurrency.generation();
        concurrency.record(10, true, early, now);
        concurrency.record(10, true, early, now);
        assert_eq!(concurrency.level(), 2);
        concurrency.record(10, true, concurrency.generation(), now);
        assert_eq!(concurrency.level(), 1);
    }
}
