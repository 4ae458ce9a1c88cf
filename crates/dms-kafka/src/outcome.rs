use std::fmt;

/// What a failed deletion has done to the records, as far as the client can know.
///
/// It covers the whole call, over all attempts: one attempt that may have reached the service makes
/// the outcome [`Unknown`](Self::Unknown), whatever failure came after it. A call that only reads is always
/// `NotApplied`.
///
/// | what happened | outcome |
/// |---|---|
/// | refused before sending: bad input, no credentials | `NotApplied` |
/// | connection refused, DNS failure, TLS handshake failure reported as such | `NotApplied` |
/// | 429, and flow control under another 4xx (404 `DMS.10240407`) | `NotApplied` |
/// | other 4xx, except 408 | `NotApplied` |
/// | 408, 3xx, 5xx (also a gateway's 504) | `Unknown` |
/// | reset, close or time-out before a status came, also in a TLS handshake that the client cannot tell apart (a missing client certificate); deadline of the call | `Unknown` |
/// | a status other than 200 whose body breaks off or never ends | as the status says |
/// | 200 whose body cannot be trusted: not JSON, empty, truncated, too long, arrays for objects | `Unknown` |
/// | an unknown attempt before any of the above, or before a failed partition | `Unknown` |
/// | 200, partition failed with Kafka's 1, 3, 17, 29 or 44 | `NotApplied` for it |
/// | 200, partition failed with any other code, or not reported | `Unknown` for it |
/// | 200, some partitions deleted, every other certainly not | `Partial` for the call |
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
