//! Says things on standard error, above a progress bar if there is one. Nobody listening is no reason to stop, nor to panic
//! as `eprintln!` does.

use std::io::{self, Write};
use std::sync::OnceLock;

use indicatif::ProgressBar;
use serde_json::json;

static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// From now on what is said stands above this bar.
pub(crate) fn set_progress_bar(bar: &ProgressBar) {
    // A process draws one bar.
    let _ = BAR.set(bar.clone());
}

/// A line.
pub(crate) fn line(text: &str) {
    let _ = writeln!(StderrWriter, "{text}");
}

/// Text that ends its lines itself, or asks for an answer behind it.
pub(crate) fn text(text: &str) {
    let _ = write!(StderrWriter, "{text}");
}

/// What people should know although nothing has failed.
pub(crate) fn note(text: &str, json: bool) {
    if json {
        line(&json!({"note": text}).to_string());
    } else {
        line(text);
    }
}

/// That something is dangerous.
pub(crate) fn warn(text: &str, json: bool) {
    if json {
        line(&json!({"warning": text}).to_string());
    } else {
        line(&format!("warning: {text}"));
    }
}

/// Does this with the bar taken away meanwhile, if there is one.
pub(crate) fn with_bar_hidden<T>(work: impl FnOnce() -> T) -> T {
    match BAR.get() {
        Some(bar) => bar.suspend(work),
        None => work(),
    }
}

/// Standard error, for the log too.
pub(crate) struct StderrWriter;

impl Write for StderrWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with_bar_hidden(|| io::stderr().write(bytes))
    }

    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        // In one piece, so that the bar is not drawn between two.
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
