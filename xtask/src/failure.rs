//! Errors of commands, and reasons to skip what this machine cannot do.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Error, Result, anyhow};
use serde::de::DeserializeOwned;

/// The reason why something cannot run on this machine. This is not a failure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Skipped(pub(crate) String);

/// Skips the rest of a step.
pub(crate) fn skip<T>(reason: impl fmt::Display) -> Result<T> {
    Err(Skipped(reason.to_string()).into())
}

/// Separates a skip from a failure.
pub(crate) fn unless_skipped<T>(result: Result<T>) -> Result<Result<T, Skipped>> {
    match result.map_err(Error::downcast) {
        Ok(value) => Ok(Ok(value)),
        Err(Ok(skipped)) => Ok(Err(skipped)),
        Err(Err(error)) => Err(error),
    }
}

/// Prints why something was skipped.
pub(crate) fn report_skip(what: &str, result: Result<()>) -> Result<()> {
    if let Err(reason) = unless_skipped(result)? {
        eprintln!("skipped: {what}: {reason}");
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
struct Failures(Vec<Error>);

/// One line per failure.
impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut messages = self.0.iter().map(|error| format!("{error:#}"));
        f.write_str(&messages.next().unwrap_or_default())?;
        messages.try_for_each(|message| write!(f, "\nerror: {message}"))
    }
}

/// Fails with all failures, if there are any.
pub(crate) fn unless_empty(failures: Vec<Error>) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failures(failures).into())
}

/// An error at a line and column of a file, both counted from 1.
pub(crate) fn at(file: &str, (line, column): (u64, u64), cause: impl fmt::Display) -> Error {
    anyhow!("{file}:{line}:{column}: {cause}")
}

/// Reads a file of the checkout and converts its line ends to `\n`.
pub(crate) fn read(root: &Path, file: &str) -> Result<String> {
    let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
    Ok(text.replace("\r\n", "\n"))
}

pub(crate) fn read_toml<T: DeserializeOwned>(root: &Path, file: &str) -> Result<T> {
    let text = read(root, file)?;
    toml::from_str(&text).map_err(|error| {
        let Some(span) = error.span() else {
            return anyhow!("{file}: {}", error.message());
        };
        let before = &text[..span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        at(file, (line as u64, column as u64), error.message())
    })
}
