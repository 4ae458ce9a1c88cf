//! Writes to standard error, above the progress bar. Unlike `eprintln!`, it does not panic if standard error is closed.

use std::io::{self, Write};
use std::sync::OnceLock;

use indicatif::ProgressBar;
use serde_json::json;

static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Text is written above this bar from now on.
pub(crate) fn set_progress_bar(bar: &ProgressBar) {
    // There is one bar in a process.
    let _ = BAR.set(bar.clone());
}

pub(crate) fn line(text: &str) {
    let _ = writeln!(StderrWriter, "{text}");
}

/// Writes text without adding a line break.
pub(crate) fn text(text: &str) {
    let _ = write!(StderrWriter, "{text}");
}

pub(crate) fn note(text: &str, json: bool) {
    if json {
        line(&json!({"note": text}).to_string());
    } else {
        line(text);
    }
}

pub(crate) fn warn(text: &str, json: bool) {
    if json {
        line(&json!({"warning": text}).to_string());
    } else {
        line(&format!("warning: {text}"));
    }
}

pub(crate) fn with_bar_hidden<T>(work: impl FnOnce() -> T) -> T {
    match BAR.get() {
        Some(bar) => bar.suspend(work),
        None => work(),
    }
}

/// Also the writer of the log.
pub(crate) struct StderrWriter;

impl Write for StderrWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with_bar_hidden(|| io::stderr().write(bytes))
    }

    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        // In one piece, so that the bar is not drawn between the parts.
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
