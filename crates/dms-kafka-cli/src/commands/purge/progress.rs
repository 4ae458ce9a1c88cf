//! The progress of a purge: a bar on a terminal, otherwise lines.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use dms_kafka::auth::text;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::rows::RowCounts;
use crate::stderr;

const BAR: &str = "{bar:30} {human_pos} of {human_len} rows, {msg}";

pub(super) struct Progress {
    total: u64,
    /// Rows that earlier runs finished.
    before: u64,
    started: Instant,
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    json: bool,
}

impl Progress {
    pub(super) fn new(total: u64, before: u64, json: bool) -> Self {
        Self {
            total,
            before,
            started: Instant::now(),
            bar: std::io::stderr().is_terminal().then(|| bar(total, before)),
            json,
        }
    }

    pub(super) fn update(&self, counts: &RowCounts) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.pace(counts).text(counts));
            bar.set_position(counts.finished());
        }
    }

    pub(super) fn tick(&self, counts: &RowCounts) {
        match &self.bar {
            Some(bar) => {
                self.update(counts);
                bar.tick();
            }
            None => self.line(counts),
        }
    }

    /// The speed of this run.
    fn pace(&self, counts: &RowCounts) -> Pace {
        let elapsed = self.started.elapsed().as_secs_f64();
        let done = counts.finished().saturating_sub(self.before);
        #[expect(clippy::cast_precision_loss, reason = "only whole numbers are shown")]
        let rate = done as f64 / elapsed.max(f64::EPSILON);
        #[expect(clippy::cast_precision_loss, reason = "only whole numbers are shown")]
        let left = self.total.saturating_sub(counts.finished()) as f64 / rate;
        Pace {
            rate,
            left: Duration::try_from_secs_f64(left).ok(),
        }
    }

    fn line(&self, counts: &RowCounts) {
        let pace = self.pace(counts);
        if !self.json {
            return stderr::line(&format!(
                "{} of {} rows, {}",
                HumanCount(counts.finished()),
                HumanCount(self.total),
                pace.text(counts),
            ));
        }
        let progress = json!({
            "rows": self.total,
            "finished": counts.finished(),
            "deleted": counts.deleted,
            "failed": counts.failed,
            "request_failed": counts.requests_failed(),
            "unknown": counts.unknown + counts.waiting_again,
            "rows_per_second": pace.rate.round(),
            "seconds_left": pace.left.map(|left| left.as_secs()),
        });
        stderr::line(&json!({"progress": progress}).to_string());
    }

    pub(super) fn warn(&self, text: &str) {
        stderr::warn(&text::escape_lines(text), self.json);
    }

    pub(super) fn note(&self, text: &str) {
        stderr::note(text, self.json);
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

struct Pace {
    /// Rows per second.
    rate: f64,
    left: Option<Duration>,
}

impl Pace {
    /// With the words of the results' table.
    fn text(&self, counts: &RowCounts) -> String {
        let mut text = format!("{} failed", HumanCount(counts.failed));
        for (count, word) in [
            (counts.requests_failed(), "request failed"),
            (counts.unknown + counts.waiting_again, "unknown"),
        ] {
            if count > 0 {
                // Writing to a string does not fail.
                let _ = write!(text, ", {} {word}", HumanCount(count));
            }
        }
        let _ = write!(text, ", {:.0}/s", self.rate);
        if let Some(left) = self.left {
            let _ = write!(text, ", {} left", HumanDuration(left));
        }
        text
    }
}

fn bar(total: u64, before: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_position(before);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    stderr::set_progress_bar(&bar);
    bar
}
