//! What a command says when it fails, or when this machine cannot do what it is asked for.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Error, Result, anyhow};
use serde::de::DeserializeOwned;

/// Why something cannot be done on this machine, which is no failure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Skipped(pub(crate) String);

/// Leaves the rest of a step out, for this reason.
pub(crate) fn skip<T>(reason: impl fmt::Display) -> Result<T> {
    Err(Skipped(reason.to_string()).into())
}

/// A skip, put apart from failures.
pub(crate) fn unless_skipped<T>(result: Result<T>) -> Result<Result<T, Skipped>> {
    match result.map_err(Error::downcast) {
        Ok(value) => Ok(Ok(value)),
        Err(Ok(skipped)) => Ok(Err(skipped)),
        Err(Err(error)) => Err(error),
    }
}

/// Says why something was skipped. What was done speaks for itself.
pub(crate) fn tell(what: &str, result: Result<()>) -> Result<()> {
    if let Err(reason) = unless_skipped(result)? {
        eprintln!("skipped: {what}: {reason}");
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
struct Failures(Vec<Error>);

/// One line for each.
impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut messages = self.0.iter().map(|error| format!("{error:#}"));
        f.write_str(&messages.next().unwrap_or_default())?;
        messages.try_for_each(|message| write!(f, "\nerror: {message}"))
    }
}

/// Fails with all of them, unless there are none.
pub(crate) fn unless_empty(failures: Vec<Error>) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failures(failures).into())
}

/// A failure at a line and column of a file, both counted from 1.
pub(crate) fn at(file: &str, (line, column): (u64, u64), cause: impl fmt::Display) -> Error {
    anyhow!("{file}:{line}:{column}: {cause}")
}

/// Reads a file of the checkout; line ends come out as `\n` whatever the checkout made of them.
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
