//! Exit codes, failures and their messages.

use std::process::ExitCode;

use dms_kafka::auth::{ProviderError, text};
use dms_kafka::{Error, ErrorKind, Outcome, PlanProblem};
use serde_json::{Value, json};

use crate::connection;
use crate::stderr;

const INTERRUPTED: &str = "interrupted; it is unknown whether records were deleted";

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    NotApplied = 3,
    Unknown = 4,
    InputOutput = 5,
    Interrupted = 130,
}

/// Each code with its meaning, in lines for the help. The READMEs repeat this table, and a test compares them.
pub(crate) const CODES: [(Exit, &str); 7] = [
    (Exit::Done, "all partitions succeeded"),
    (
        Exit::SomeFailed,
        "some partitions failed; of sign: the compared signature is wrong",
    ),
    (
        Exit::Usage,
        "invalid flags or input, missing or invalid credentials, refused plan, not confirmed:\n\
         nothing was deleted",
    ),
    (
        Exit::NotApplied,
        "a request failed, and that request deleted nothing",
    ),
    (
        Exit::Unknown,
        "the outcome is unknown: records may or may not have been deleted",
    ),
    (
        Exit::InputOutput,
        "a local file, standard input or standard output cannot be read or written; the message\n\
         says what was deleted",
    ),
    (Exit::Interrupted, "interrupted"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Invalid flags or input, missing credentials, a local file or standard stream that cannot be used, or an interrupt
    /// before anything was deleted.
    Local {
        kind: &'static str,
        exit: Exit,
        message: String,
        /// `None`: everything was applied.
        outcome: Option<Outcome>,
    },
    /// The call failed, or some of its partitions.
    Call {
        error: Box<Error>,
        /// What to do about it.
        advice: Option<&'static str>,
        /// Whether other requests of the same command deleted records.
        others_deleted: bool,
    },
    /// Interrupted twice: the command did not wait for the response.
    Interrupted,
    /// Interrupted once: the command waited for the response, which is this failure.
    AfterInterrupt(Box<Failure>),
}

impl Failure {
    pub(crate) fn usage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let message = chain(&*error.into());
        Self::not_applied(ErrorKind::InvalidInput.as_str(), Exit::Usage, message)
    }

    pub(crate) fn credentials(error: &ProviderError) -> Self {
        let exit = if error.is_unreadable() {
            Exit::InputOutput
        } else {
            Exit::Usage
        };
        Self::not_applied(ErrorKind::Credentials.as_str(), exit, chain(error))
    }

    /// Input cannot be read; nothing was deleted.
    pub(crate) fn input(message: String) -> Self {
        Self::not_applied("input", Exit::InputOutput, message)
    }

    /// A gateway in this process does not start.
    pub(crate) fn gateway(error: dms_kafka_gateway::Error) -> Self {
        match error.kind() {
            dms_kafka_gateway::ErrorKind::File => Self::input(chain(&error)),
            dms_kafka_gateway::ErrorKind::Cluster => {
                Self::not_applied(ErrorKind::Connect.as_str(), Exit::NotApplied, chain(&error))
            }
            _ => Self::usage(error),
        }
    }

    /// Output cannot be written; nothing was deleted.
    pub(crate) fn output(message: String) -> Self {
        Self::not_applied("output", Exit::InputOutput, message)
    }

    /// Interrupted before anything was deleted.
    pub(crate) fn interrupted_before() -> Self {
        let message = "interrupted; nothing was deleted".to_owned();
        Self::not_applied("interrupted", Exit::Interrupted, message)
    }

    fn not_applied(kind: &'static str, exit: Exit, message: String) -> Self {
        Self::Local {
            kind,
            exit,
            message,
            outcome: Some(Outcome::NotApplied),
        }
    }

    pub(crate) fn call(error: Error) -> Self {
        Self::Call {
            error: Box::new(error),
            advice: None,
            others_deleted: false,
        }
    }

    /// The call failed, but others of the same command deleted records.
    pub(crate) fn call_of_several(error: Error) -> Self {
        Self::Call {
            error: Box::new(error),
            advice: Some("other requests deleted records: see the results"),
            others_deleted: true,
        }
    }

    /// The same failure, and what to do about it.
    pub(crate) fn with_advice(mut self, text: &'static str) -> Self {
        match &mut self {
            Self::Call { advice, .. } => *advice = Some(text),
            Self::Local { message, .. } => *message = format!("{message}; {text}"),
            Self::Interrupted | Self::AfterInterrupt(_) => {}
        }
        self
    }

    /// The calls before a deletion took too long together.
    pub(crate) fn timeout(message: String) -> Self {
        Self::not_applied(ErrorKind::Timeout.as_str(), Exit::NotApplied, message)
    }

    /// The service reported a success, and its partitions show less.
    pub(crate) fn unconfirmed(message: String) -> Self {
        Self::Local {
            kind: "unconfirmed",
            exit: Exit::Unknown,
            message,
            outcome: Some(Outcome::Unknown),
        }
    }

    /// A consumer group loses unread records, or may do so; nothing was deleted.
    pub(crate) fn unread_loss(message: String) -> Self {
        Self::not_applied("unread_loss", Exit::Usage, message)
    }

    /// The same failure after something was sent. `None`: everything was applied.
    pub(crate) fn with_outcome(mut self, applied: Option<Outcome>) -> Self {
        if let Self::Local {
            outcome, message, ..
        } = &mut self
        {
            *outcome = applied;
            let what = match applied {
                None => "all requested records were deleted, but",
                Some(Outcome::NotApplied) => "nothing was deleted, and",
                Some(Outcome::Partial) => "records were deleted from some partitions, but",
                Some(_) => "it is unknown which records were deleted, and",
            };
            *message = format!("{what} {message}");
        }
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Local {
                outcome: Some(Outcome::Unknown),
                ..
            } => Exit::Unknown,
            Self::Local { exit, .. } => *exit,
            Self::Interrupted | Self::AfterInterrupt(_) => Exit::Interrupted,
            Self::Call { error, .. } => exit_of_error(error),
        }
    }

    /// The failure that decides about the exit code has the highest value.
    pub(crate) fn severity(&self) -> usize {
        const RISING: [Exit; 7] = [
            Exit::Done,
            Exit::SomeFailed,
            Exit::NotApplied,
            Exit::Usage,
            Exit::InputOutput,
            Exit::Unknown,
            Exit::Interrupted,
        ];
        let position = RISING.iter().position(|exit| *exit == self.exit());
        position.unwrap_or_default()
    }

    /// Prints to standard error: JSON, or text that starts with `word`.
    pub(crate) fn report(&self, word: &str, json: bool) {
        match self {
            Self::AfterInterrupt(failure) => failure.report(word, json),
            _ if json => stderr::line(&self.json().to_string()),
            Self::Interrupted => stderr::line(INTERRUPTED),
            _ => stderr::line(&text::escape_lines(&format!("{word}: {}", self.message()))),
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Call {
                error,
                advice,
                others_deleted,
            } => {
                // Without the outcome, which is that of this call alone.
                let text = match (others_deleted, error.outcome()) {
                    (true, Outcome::NotApplied) => error.message().to_owned(),
                    _ => error.to_string(),
                };
                let message = explained(error, text, *advice);
                match error.encoded_authorization_message() {
                    Some(encoded) => format!(
                        "{message}; an administrator can decode the reason with IAM: {encoded}"
                    ),
                    None => message,
                }
            }
            Self::Local { message, .. } => message.clone(),
            Self::Interrupted => INTERRUPTED.to_owned(),
            Self::AfterInterrupt(failure) => failure.message(),
        }
    }

    fn json(&self) -> Value {
        let (kind, outcome) = match self {
            Self::Call {
                error,
                advice,
                others_deleted,
            } => {
                let mut printed = call_json(error, *advice);
                if *others_deleted && error.outcome() == Outcome::NotApplied {
                    printed["outcome"] = Outcome::Partial.as_str().into();
                }
                return printed;
            }
            Self::AfterInterrupt(failure) => return failure.json(),
            Self::Local { kind, outcome, .. } => {
                (*kind, outcome.map_or("applied", Outcome::as_str))
            }
            Self::Interrupted => ("interrupted", "unknown"),
        };
        json!({
            "kind": kind,
            "code": null,
            "message": self.message(),
            "status": null,
            "request_id": null,
            "outcome": outcome,
            "attempts": null,
            "encoded_authorization_message": null,
        })
    }
}

/// The messages of the error and its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    with_causes(error.to_string(), error)
}

fn with_causes(mut message: String, error: &dyn std::error::Error) -> String {
    for cause in causes(error) {
        message.push_str(": ");
        message.push_str(&cause.to_string());
    }
    message
}

fn causes(
    error: &dyn std::error::Error,
) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |error| error.source())
}

/// The text of a failed call with its causes and what to do about them.
fn explained(error: &Error, text: String, advice: Option<&str>) -> String {
    let mut message = with_causes(text, error);
    let is_inexact = error.plan_problem() == Some(PlanProblem::TimeNotExact);
    let of_plan = is_inexact.then_some("in this command: add --trust-timestamps");
    let advice = [connection::advice(error), of_plan, advice];
    for advice in advice.into_iter().flatten() {
        message.push_str("; ");
        message.push_str(advice);
    }
    message
}

fn exit_of_error(error: &Error) -> Exit {
    match (error.kind(), error.outcome()) {
        (_, Outcome::Unknown) => Exit::Unknown,
        (ErrorKind::PartitionsFailed, _) => Exit::SomeFailed,
        // Services that report an unknown topic themselves end with another kind.
        (ErrorKind::Plan, _) if error.plan_problem() != Some(PlanProblem::UnknownTopic) => {
            Exit::Usage
        }
        (ErrorKind::InvalidInput | ErrorKind::Credentials | ErrorKind::ProjectId, _)
            if error.attempts() == 0 =>
        {
            let mut providers = causes(error).filter_map(|cause| cause.downcast_ref());
            if providers.any(ProviderError::is_unreadable) {
                Exit::InputOutput
            } else {
                Exit::Usage
            }
        }
        _ => Exit::NotApplied,
    }
}

/// The documented JSON of an error.
pub(crate) fn error_json(error: &Error) -> Value {
    call_json(error, None)
}

fn call_json(error: &Error, advice: Option<&str>) -> Value {
    let mut printed = json!({
        "kind": error.kind().as_str(),
        "code": error.code(),
        "message": explained(error, error.message().to_owned(), advice),
        "status": error.status(),
        "request_id": error.request_id(),
        "outcome": error.outcome().as_str(),
        "attempts": error.attempts(),
        "encoded_authorization_message": error.encoded_authorization_message(),
    });
    if let Some(problem) = error.plan_problem() {
        printed["plan_problem"] = problem.as_str().into();
    }
    printed
}
