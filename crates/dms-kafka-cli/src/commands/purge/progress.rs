//! The progress of a purge: a bar on a terminal, otherwise lines.

use std::fmt::Write;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use serde_json::json;

use super::rows::RowCounts;
use crate::stderr;

const BAR: &str = "{bar:30} {human_pos} of {human_len} rows, {msg}, {rate}, {eta} left";

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
            bar.set_message(failed(counts));
            bar.set_position(counts.finished());
        }
    }

    pub(super) fn tick(&self, counts: &RowCounts) {
        match &self.bar {
            Some(bar) => bar.tick(),
            None => self.line(counts),
        }
    }

    fn line(&self, counts: &RowCounts) {
        let elapsed = self.started.elapsed().as_secs_f64();
        let done = counts.finished().saturating_sub(self.before);
        #[expect(clippy::cast_precision_loss, reason = "only whole numbers are shown")]
        let rate = done as f64 / elapsed.max(f64::EPSILON);
        #[expect(clippy::cast_precision_loss, reason = "only whole numbers are shown")]
        let left = self.total.saturating_sub(counts.finished()) as f64 / rate;
        let left = Duration::try_from_secs_f64(left).ok();
        if self.json {
            let progress = json!({
                "rows": self.total,
                "finished": counts.finished(),
                "failed": counts.not_deleted(),
                "rows_per_second": rate.round(),
                "seconds_left": left.map(|left| left.as_secs()),
            });
            return stderr::line(&json!({"progress": progress}).to_string());
        }
        let left = left.map_or_else(String::new, |left| {
            format!(", {} left", HumanDuration(left))
        });
        stderr::line(&format!(
            "{} of {} rows, {}, {rate:.0}/s{left}",
            HumanCount(counts.finished()),
            HumanCount(self.total),
            failed(counts),
        ));
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

fn bar(total: u64, before: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_position(before);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        // Writing to the line does not fail.
        bar.set_style(
            style.with_key("rate", |state: &ProgressState, line: &mut dyn Write| {
                _ = write!(line, "{:.0}/s", state.per_sec());
            }),
        );
    }
    bar.reset_eta();
    stderr::set_progress_bar(&bar);
    bar
}

fn failed(counts: &RowCounts) -> String {
    format!("{} failed", HumanCount(counts.not_deleted()))
}
