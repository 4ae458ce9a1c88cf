//! What several rounds of one measurement come to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The middle of several rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Half the distance between the quartiles, as a part of the median.
    pub(crate) noise: f64,
}

/// Rounds that differ by more than this part of the median tell nothing.
const NOISY: f64 = 0.15;

impl Spread {
    /// # Panics
    /// Without values.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        let median = at(2);
        Self {
            median,
            min: at(0),
            max: at(4),
            noise: (at(3) - at(1)) / 2.0 / median,
        }
    }

    pub(crate) fn is_noisy(&self) -> bool {
        self.noise > NOISY
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median, min, max, ..
        } = self;
        let digits = if *median < 10.0 { 2 } else { 0 };
        write!(f, "{median:.digits$} [{min:.digits$}..{max:.digits$}]")
    }
}
