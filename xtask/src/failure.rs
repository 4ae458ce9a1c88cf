//! What a command says when it fails.

use std::fmt;
use std::path::Path;

/// One message: the file, the place in it when there is one, and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{file}{place}: {cause}")]
pub(crate) struct Failure {
    file: String,
    place: String,
    cause: String,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The whole file is at fault.
    pub(crate) fn file(file: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(file, String::new(), cause)
    }

    /// A line and column of the file are at fault, both counted from 1.
    pub(crate) fn line(
        file: impl fmt::Display,
        (line, column): (u64, u64),
        cause: impl fmt::Display,
    ) -> Self {
        Self::new(file, format!(":{line}:{column}"), cause)
    }

    /// A named part of the file is at fault.
    pub(crate) fn place(
        file: impl fmt::Display,
        place: impl fmt::Display,
        cause: impl fmt::Display,
    ) -> Self {
        Self::new(file, format!(", {place}"), cause)
    }

    /// A TOML file cannot be read.
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let Some(span) = error.span() else {
            return Self::file(file, error.message());
        };
        let before = &text[..span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Self::line(file, (line as u64, column as u64), error.message())
    }

    fn new(file: impl fmt::Display, place: String, cause: impl fmt::Display) -> Self {
        Self {
            file: file.to_string(),
            place,
            cause: cause.to_string(),
        }
    }
}

/// How a step ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// Not done, for this reason.
    Skipped(String),
}

/// All messages of a command, at least one.
#[derive(Debug)]
pub(crate) struct Failures(Vec<Failure>);

impl Failures {
    pub(crate) fn unless_empty(failures: Vec<Failure>) -> std::result::Result<(), Self> {
        if failures.is_empty() {
            Ok(())
        } else {
            Err(Self(failures))
        }
    }
}

impl From<Failure> for Failures {
    fn from(failure: Failure) -> Self {
        Self(vec![failure])
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|failure| writeln!(f, "error: {failure}"))
    }
}

/// Reads a file of the checkout; line ends come out as `\n` whatever the checkout made of them.
pub(crate) fn read(root: &Path, file: &str) -> Result<String> {
    std::fs::read_to_string(root.join(file))
        .map(|text| text.replace("\r\n", "\n"))
        .map_err(|error| Failure::file(file, error))
}
