use std::fmt;

/// What a failed deletion has done to the records, as far as the client can know.
///
/// It covers the whole call, over all attempts: one attempt that may have reached the service makes
/// the outcome [`Unknown`](Self::Unknown), whatever failure came after it. A call that only reads is always
/// `NotApplied`.
///
#[doc = include_str!("outcome.md")]
///
/// Each failed partition of a 200 has an outcome of its own, see
/// [`PartitionDeletion::outcome`](crate::PartitionDeletion::outcome).
///
/// ```
/// use dms_kafka::{Error, Outcome};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.outcome() {
///         Outcome::NotApplied => "mend the cause and run it again",
///         Outcome::Partial => "run it again for the partitions that failed",
///         _ => "look at the partitions before anything else",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was deleted.
    NotApplied,
    /// Some partitions were deleted and the others certainly were not; each failed partition says so.
    Partial,
    /// Records may or may not have been deleted. Look (`list_partitions`) before repeating a deletion
    /// of everything; a deletion below an absolute offset can simply be repeated.
    Unknown,
}

impl Outcome {
    /// `Unknown` when either is; otherwise `self` as it stands.
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
