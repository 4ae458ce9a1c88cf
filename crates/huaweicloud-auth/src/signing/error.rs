//! Why a request could not be signed.

/// Why a request could not be signed. Its headers are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SigningError {
    kind: SigningErrorKind,
    message: String,
}

/// What kept a request from being signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningErrorKind {
    /// The request has an `X-Sdk-Date` already, and it cannot be used.
    InvalidDate,
    /// The host is empty or holds a character that no `Host` header may carry.
    InvalidHost,
    /// The clock stands outside the years 0 to 9999, which `X-Sdk-Date` can say.
    ClockOutOfRange,
}

impl SigningError {
    pub(super) fn new(kind: SigningErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> SigningErrorKind {
        self.kind
    }
}
