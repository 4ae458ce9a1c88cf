//! What several rounds of one measurement come to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The middle of several rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// A quarter of the rounds lies below the first, a quarter above the second.
    pub(crate) quartiles: [f64; 2],
}

/// Rounds whose middle half lies further from the median than this part of it tell nothing.
const NOISY: f64 = 0.15;

impl Spread {
    /// # Panics
    /// Without values.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: quantile(&values, 0.5),
            min: quantile(&values, 0.0),
            max: quantile(&values, 1.0),
            quartiles: [0.25, 0.75].map(|part| quantile(&values, part)),
        }
    }

    /// What comes out the same each time.
    pub(crate) fn exactly(value: f64) -> Self {
        Self::of(vec![value])
    }

    /// In a larger unit.
    pub(crate) fn divided_by(&self, unit: f64) -> Self {
        Self {
            median: self.median / unit,
            min: self.min / unit,
            max: self.max / unit,
            quartiles: self.quartiles.map(|quartile| quartile / unit),
        }
    }

    pub(crate) fn is_noisy(&self) -> bool {
        let [lower, upper] = self.quartiles;
        (upper - self.median).max(self.median - lower) > NOISY * self.median
    }
}

/// The value below which this part of the sorted values lies, between two of them where it falls between.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of a few rounds"
)]
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * part;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median, min, max, ..
        } = self;
        let digits = if *median < 10.0 { 2 } else { 0 };
        write!(f, "{median:.digits$}")?;
        if min < max {
            write!(f, " [{min:.digits$}..{max:.digits$}]")?;
        }
        Ok(())
    }
}
