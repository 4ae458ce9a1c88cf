//! How the command ends, and what it says when it ends badly.

use std::fmt::Display;
use std::process::ExitCode;

use dms_kafka::{Error, ErrorKind, Outcome};
use serde_json::json;

use crate::output::Format;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    NotApplied = 3,
    Unknown = 4,
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
    /// The call failed, or partitions did.
    Call(Box<Error>),
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(crate) fn call(error: Error) -> Self {
        Self::Call(Box::new(error))
    }

    pub(crate) fn exit(&self) -> Exit {
        let Self::Call(error) = self else {
            return Exit::Usage;
        };
        match (error.kind(), error.outcome()) {
            (_, Outcome::Unknown) => Exit::Unknown,
            (ErrorKind::PartitionsFailed, _) => Exit::SomeFailed,
            (ErrorKind::InvalidInput | ErrorKind::Credentials, _) if error.attempts() == 0 => {
                Exit::Usage
            }
            _ => Exit::NotApplied,
        }
    }

    /// Tells people, or scripts that asked for JSON, on standard error.
    pub(crate) fn report(&self, format: Format) {
        match (format, self) {
            (Format::Table, Self::Usage(message)) => eprintln!("error: {message}"),
            (Format::Table, Self::Call(error)) => eprintln!("error: {error}"),
            (Format::Json, _) => eprintln!("{}", self.json()),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Usage(message) => json!({
                "kind": ErrorKind::InvalidInput.as_str(),
                "code": null,
                "message": message,
                "status": null,
                "request_id": null,
                "outcome": "not_applied",
                "attempts": 0,
            }),
            Self::Call(error) => json!({
                "kind": error.kind().as_str(),
                "code": error.code(),
                "message": error.message(),
                "status": error.status(),
                "request_id": error.request_id(),
                "outcome": outcome(error.outcome()),
                "attempts": error.attempts(),
            }),
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotApplied => "not_applied",
        Outcome::Partial => "partial",
        _ => "unknown",
    }
}
