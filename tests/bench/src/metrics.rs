//! The flat list of results: metrics, with a value for each round.

use std::fmt;
use std::fs;
use std::path::Path;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::process::{Cost, Result};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Metric {
    /// The section of the report, the title of a table in it, a row of the table and a column.
    pub(crate) name: [String; 4],
    /// One value per round, at least one.
    pub(crate) values: Vec<f64>,
}

/// A metric is noisy if a quartile differs from the median by more than this part of the median.
const NOISE: f64 = 0.15;

impl Metric {
    pub(crate) fn median(&self) -> f64 {
        quantile(&self.values, 0.5)
    }

    /// The minimum and the maximum.
    pub(crate) fn range(&self) -> [f64; 2] {
        [0.0, 1.0].map(|part| quantile(&self.values, part))
    }

    pub(crate) fn quartiles(&self) -> [f64; 2] {
        [0.25, 0.75].map(|part| quantile(&self.values, part))
    }

    pub(crate) fn is_noisy(&self) -> bool {
        let median = self.median();
        let far = |quartile: f64| (quartile - median).abs() > NOISE * median;
        self.quartiles().into_iter().any(far)
    }
}

/// The quantile of the values, with linear interpolation.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of a few rounds"
)]
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() - 1) as f64 * part;
    let [below, above] = [at.floor(), at.ceil()].map(|index| sorted[index as usize]);
    below + (above - below) * at.fract()
}

/// The median, with minimum and maximum in brackets.
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median() {
            _ if self.values.iter().all(|value| value.fract() == 0.0) => 0,
            ..10.0 => 2,
            ..100.0 => 1,
            _ => 0,
        };
        let [min, max] = self.range().map(|value| number(value, digits));
        f.write_str(&number(self.median(), digits))?;
        if min == max {
            return Ok(());
        }
        write!(f, " [{min}..{max}]")
    }
}

/// Formats a number with thousands separators.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let whole = text.find('.').unwrap_or(text.len());
    let mut separated = String::new();
    for (at, character) in text.char_indices() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) {
            separated.push(',');
        }
        separated.push(character);
    }
    separated
}

#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Results {
    /// Sentences on how the results were measured.
    pub(crate) notes: Vec<String>,
    pub(crate) metrics: Vec<Metric>,
}

impl Results {
    pub(crate) fn push(&mut self, name: [&str; 4], values: Vec<f64>) {
        for value in values {
            self.add(name, value);
        }
    }

    /// Adds the value of one more round.
    pub(crate) fn add(&mut self, name: [&str; 4], value: f64) {
        match self.metrics.iter_mut().find(|metric| metric.name == name) {
            Some(metric) => metric.values.push(value),
            None => self.metrics.push(Metric {
                name: name.map(str::to_owned),
                values: vec![value],
            }),
        }
    }

    /// Adds the cost of a call for each caller, also as ratios to the first caller in the same round.
    pub(crate) fn push_costs(&mut self, section: &str, table: &str, rounds: &[Round]) {
        for (at, (caller, _)) in rounds[0].iter().enumerate() {
            let mut push = |metric, value: fn(Cost, Cost) -> f64| {
                let costs = rounds.iter().map(|round| value(round[at].1, round[0].1));
                self.push([section, table, caller, metric], costs.collect());
            };
            push(CPU, |own, _| own.cpu * 1e6);
            push("CPU, x of the first", |own, first| own.cpu / first.cpu);
            push("calls/s", |own, _| 1.0 / own.wall);
            let rate = |own: Cost, first: Cost| first.wall / own.wall;
            push("calls/s, x of the first", rate);
            push("page faults", |own, _| own.page_faults);
            let peak = peak(rounds.iter().map(|round| round[at].1));
            self.push([section, table, caller, PEAK], vec![peak]);
        }
    }

    pub(crate) fn find(&self, name: [&str; 4]) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    pub(crate) fn write(&self, folder: &str, part: &str) -> Result<()> {
        for metric in &self.metrics {
            println!("{}: {metric}", metric.name.join(" | "));
        }
        fs::create_dir_all(root().join(folder))?;
        let file = root().join(folder).join(part).with_extension("json");
        Ok(fs::write(file, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// Adds the results of a part, if it has run.
    pub(crate) fn read(&mut self, folder: &str, part: &str) -> Result<()> {
        let file = root().join(folder).join(part).with_extension("json");
        if let Ok(text) = fs::read_to_string(file) {
            let Self { notes, metrics } = serde_json::from_str(&text)?;
            self.notes.extend(notes);
            self.metrics.extend(metrics);
        }
        Ok(())
    }
}

pub(crate) const CPU: &str = "CPU us per call";
pub(crate) const PEAK: &str = "peak MB";

/// The largest resident set of several runs, in MB.
pub(crate) fn peak(costs: impl Iterator<Item = Cost>) -> f64 {
    costs.map(|cost| cost.peak_rss).fold(0.0, f64::max) / 1024.0
}

/// The cost of a call in one round, for each caller.
pub(crate) type Round = Vec<(&'static str, Cost)>;

#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// Only check that everything works: one round, few calls. The figures are meaningless, and are written to
    /// target/bench/quick
    #[arg(long, global = true)]
    pub(crate) quick: bool,
}

impl Scale {
    /// The folder of results, relative to the root of the checkout.
    pub(crate) fn folder(&self) -> &'static str {
        if self.quick {
            "target/bench/quick"
        } else {
            "target/bench"
        }
    }

    /// Reduces a number of rounds, calls or seconds in a quick run.
    pub(crate) fn of(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(50) } else { full }
    }
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
