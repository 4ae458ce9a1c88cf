//! Writes to standard error, above the progress bar. Unlike `eprintln!`, it does not panic if standard error is closed.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use indicatif::ProgressBar;
use serde_json::json;

static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// A shorter wait shows no spinner.
const SILENCE: Duration = Duration::from_secs(1);
const SPINNER_TICK: Duration = Duration::from_millis(100);

/// Text is written above this bar from now on.
pub(crate) fn set_progress_bar(bar: &ProgressBar) {
    *bar_on_screen() = Some(bar.clone());
}

fn bar_on_screen() -> MutexGuard<'static, Option<ProgressBar>> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether colours are shown: on a terminal, unless `NO_COLOR` is set.
pub(crate) fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// The columns of the terminal.
pub(crate) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into())
}

/// Waits for `work`. After a second on a terminal, a spinner shows `what`.
pub(crate) async fn show_wait<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if !io::stderr().is_terminal() {
        return work.await;
    }
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(SILENCE) => {}
    }
    let _spinner = Spinner::start(what);
    work.await
}

/// Disappears when it is dropped.
struct Spinner(ProgressBar);

impl Spinner {
    fn start(what: &str) -> Self {
        let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
        spinner.enable_steady_tick(SPINNER_TICK);
        set_progress_bar(&spinner);
        Self(spinner)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        *bar_on_screen() = None;
    }
}

pub(crate) fn line(text: &str) {
    let _ = writeln!(StderrWriter, "{text}");
}

/// Writes text without adding a line break. Colours are removed where they are not shown.
pub(crate) fn text(text: &str) {
    let _ = if has_colours() {
        write!(StderrWriter, "{text}")
    } else {
        write!(StderrWriter, "{}", strip_str(text))
    };
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
    let bar = bar_on_screen().clone();
    match bar {
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
