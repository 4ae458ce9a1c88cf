//! Why a purge ends before its rows do.

use std::mem::discriminant;

use dms_kafka::Error;
use serde_json::Value;

use super::progress::Progress;
use super::states::Counts;
use crate::exit::{self, Exit};

/// One reason to send no more.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// Asked to; `left` when not even the requests under way were waited for.
    Interrupted {
        left: bool,
    },
    TooManyFailures,
    /// Every further request would fail alike.
    Hopeless {
        text: String,
        json: Value,
        exit: Exit,
    },
    /// The journal cannot be written.
    Journal(String),
    /// Standard output cannot be written.
    Output(String),
}

impl Stop {
    pub(super) fn hopeless(error: &Error) -> Self {
        Self::Hopeless {
            text: error.to_string(),
            json: exit::error_json(error),
            exit: exit::of_error(error),
        }
    }

    fn tell(&self, progress: &Progress) {
        match self {
            Self::Interrupted { left: false } => progress.note("interrupted"),
            Self::Interrupted { left: true } => progress.note(
                "interrupted: the requests under way were left, and what they delete is not known",
            ),
            Self::TooManyFailures => progress.note("stopped: too many rows have failed"),
            Self::Hopeless { text, json, .. } => {
                progress.error(&format!("stopped: {text}"), json);
            }
            Self::Journal(error) => progress.trouble(&format!(
                "stopped: the journal cannot be written: {error}; rows that it lacks will be sent again, but none that \
                 deletes everything"
            )),
            Self::Output(error) => progress.trouble(&format!("stopped: the results cannot be written: {error}")),
        }
    }
}

/// All reasons, one of each kind.
#[derive(Debug, Default)]
pub(super) struct Stops(Vec<Stop>);

impl Stops {
    /// The first of a kind is kept, but the last interrupt.
    pub(super) fn add(&mut self, stop: Stop) {
        match self
            .0
            .iter_mut()
            .find(|other| discriminant(*other) == discriminant(&stop))
        {
            Some(known) if matches!(stop, Stop::Interrupted { .. }) => *known = stop,
            Some(_) => {}
            None => self.0.push(stop),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn was_interrupted(&self) -> bool {
        self.0
            .iter()
            .any(|stop| matches!(stop, Stop::Interrupted { .. }))
    }

    pub(super) fn tell(&self, progress: &Progress) {
        for stop in &self.0 {
            stop.tell(progress);
        }
    }

    /// The exit code, where the rows alone call for `exit`.
    pub(super) fn exit(&self, exit: Exit, counts: &Counts) -> Exit {
        if self.was_interrupted() {
            return Exit::Interrupted;
        }
        let nothing_was_sent = counts.finished() == counts.undone;
        self.0.iter().fold(exit, |exit, stop| match stop {
            Stop::Journal(_) | Stop::Output(_) => Exit::Unknown,
            Stop::Hopeless {
                exit: Exit::Usage, ..
            } if nothing_was_sent => Exit::Usage,
            _ => exit,
        })
    }
}
