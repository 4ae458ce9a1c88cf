//! How the command ends, and what it says when it ends badly.

use std::fmt::Display;
use std::process::ExitCode;

use dms_kafka::{Error, ErrorKind, Outcome};
use serde_json::json;

use crate::stderr;

const INTERRUPTED: &str = "interrupted; it is not known whether records were deleted";

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    NotApplied = 3,
    Unknown = 4,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or input; nothing was sent.
    Usage(String),
    /// No usable credentials; nothing was sent.
    Credentials(String),
    /// The call failed, or partitions did.
    Call(Box<Error>),
    /// The request was carried out, but its result cannot be shown.
    Unshown(String),
    /// Interrupted while the request was under way, and not waited for.
    Interrupted,
    /// The request was waited for after an interrupt, and this came of it.
    AfterInterrupt(Box<Failure>),
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// With the errors underneath: some say only there what the system said.
    pub(crate) fn caused(error: impl std::error::Error) -> Self {
        Self::Usage(with_causes(error.to_string(), &error))
    }

    pub(crate) fn credentials(error: impl Display) -> Self {
        Self::Credentials(error.to_string())
    }

    pub(crate) fn call(error: Error) -> Self {
        Self::Call(Box::new(error))
    }

    pub(crate) fn unshown(cause: impl Display) -> Self {
        Self::Unshown(format!(
            "the request was carried out, but its result cannot be shown: {cause}"
        ))
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Credentials(_) => Exit::Usage,
            Self::Unshown(_) => Exit::Unknown,
            Self::Interrupted | Self::AfterInterrupt(_) => Exit::Interrupted,
            Self::Call(error) => of_error(error),
        }
    }

    /// Tells people, or scripts that asked for JSON, on standard error.
    pub(crate) fn report(&self, json: bool) {
        match (json, self) {
            (true, _) => stderr::line(&self.json().to_string()),
            (false, Self::Call(error)) => {
                let message = with_causes(error.to_string(), &**error);
                stderr::line(&visible(&format!("error: {message}")));
            }
            (false, Self::Usage(message) | Self::Credentials(message) | Self::Unshown(message)) => {
                stderr::line(&visible(&format!("error: {message}")));
            }
            (false, Self::AfterInterrupt(failure)) => failure.report(json),
            (false, Self::Interrupted) => stderr::line(INTERRUPTED),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Usage(message) => plain(ErrorKind::InvalidInput.as_str(), message, "not_applied"),
            Self::Credentials(message) => {
                plain(ErrorKind::Credentials.as_str(), message, "not_applied")
            }
            Self::Unshown(message) => output_json(message),
            Self::Interrupted => plain("interrupted", INTERRUPTED, "unknown"),
            Self::AfterInterrupt(failure) => failure.json(),
            Self::Call(error) => error_json(error),
        }
    }
}

/// Messages quote files, and go to a terminal: control characters but line breaks are escaped.
fn visible(message: &str) -> String {
    let mut visible = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() && character != '\n' {
            visible.extend(character.escape_debug());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// The message, followed by the causes of the error.
fn with_causes(mut message: String, error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    for cause in causes {
        message.push_str(": ");
        message.push_str(&cause.to_string());
    }
    message
}

/// How a call that failed so ends the command.
pub(crate) fn of_error(error: &Error) -> Exit {
    match (error.kind(), error.outcome()) {
        (_, Outcome::Unknown) => Exit::Unknown,
        (ErrorKind::PartitionsFailed, _) => Exit::SomeFailed,
        (ErrorKind::InvalidInput | ErrorKind::Credentials | ErrorKind::ProjectId, _)
            if error.attempts() == 0 =>
        {
            Exit::Usage
        }
        _ => Exit::NotApplied,
    }
}

/// The documented JSON of an error.
pub(crate) fn error_json(error: &Error) -> serde_json::Value {
    json!({
        "kind": error.kind().as_str(),
        "code": error.code(),
        "message": with_causes(error.message().to_owned(), error),
        "status": error.status(),
        "request_id": error.request_id(),
        "outcome": outcome(error.outcome()),
        "attempts": error.attempts(),
    })
}

/// The documented JSON of a file or of standard output that cannot be read or written in the middle of a purge.
pub(crate) fn output_json(message: &str) -> serde_json::Value {
    plain("output", message, "unknown")
}

/// An error that no call gave.
fn plain(kind: &str, message: &str, outcome: &str) -> serde_json::Value {
    json!({
        "kind": kind,
        "code": null,
        "message": message,
        "status": null,
        "request_id": null,
        "outcome": outcome,
        "attempts": null,
    })
}

pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotApplied => "not_applied",
        Outcome::Partial => "partial",
        _ => "unknown",
    }
}
