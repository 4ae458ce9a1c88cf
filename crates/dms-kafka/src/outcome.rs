use std::fmt;

use http::StatusCode;

use crate::codes;

/// What is known about the records after a deletion failed.
///
/// It covers all attempts of the call: one attempt that may have reached the service makes the outcome
/// [`Unknown`](Self::Unknown), whatever happened after it. A call that only reads is always `NotApplied`.
///
#[doc = include_str!("outcome.md")]
///
/// Each failed partition of a 200 also has an outcome: see
/// [`PartitionDeletion::outcome`](crate::PartitionDeletion::outcome).
///
/// ```
/// use dms_kafka::{Error, Outcome};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.outcome() {
///         Outcome::NotApplied => "fix the cause and run it again",
///         Outcome::Partial => "run it again for the partitions that failed",
///         _ => "list the partitions first",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was deleted.
    NotApplied,
    /// Some partitions were deleted, and the others were not. Each failed partition has its own outcome.
    Partial,
    /// Records may have been deleted. Call `list_partitions` before you repeat a deletion of everything. A deletion
    /// before an offset can always be repeated.
    Unknown,
}

impl Outcome {
    /// Returns the stable name for logs and scripts, such as `not_applied`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome of an attempt, by a status other than 200. `not_applied`: the response says that nothing was deleted.
    pub(crate) fn of_status(status: StatusCode, code: Option<&str>, not_applied: bool) -> Self {
        let is_refused = status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT;
        match code {
            Some(code) if codes::is_repetition(code) => Self::Unknown,
            _ if not_applied || is_refused => Self::NotApplied,
            _ => Self::Unknown,
        }
    }

    /// `Unknown` if `earlier` is, otherwise `self`.
    pub(crate) fn after(self, earlier: Self) -> Self {
        if earlier == Self::Unknown {
            earlier
        } else {
            self
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplied => "nothing was deleted",
            Self::Partial => "some partitions were deleted",
            Self::Unknown => "it is not known whether records were deleted",
        })
    }
}
