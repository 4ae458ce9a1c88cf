//! Why no credentials could be provided.

use std::{error::Error, sync::Arc};

/// Why a source gave no credentials.
///
/// The message names the source, the place (variable, file, address) and what to change. It never holds a secret.
///
/// ```
/// use huaweicloud_auth::{Credentials, CredentialsErrorKind};
///
/// let error = Credentials::new("AccessKey", "").unwrap_err();
/// assert_eq!(error.kind(), CredentialsErrorKind::Invalid);
/// assert_eq!(error.to_string(), "the secret key is empty");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CredentialsError {
    kind: CredentialsErrorKind,
    message: String,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The three ways in which a source can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialsErrorKind {
    /// The source has nothing: a chain asks the next one.
    NotFound,
    /// The source has something that cannot be used, such as half a key pair: a chain stops, and a person must mend it.
    Invalid,
    /// The source could not be asked, such as a service that timed out: a chain stops, and a later try may succeed.
    Unavailable,
}

impl CredentialsError {
    /// The source has nothing, so another one may be asked.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(CredentialsErrorKind::NotFound, message.into())
    }

    /// The source has something that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(CredentialsErrorKind::Invalid, message.into())
    }

    /// The source could not be asked.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(CredentialsErrorKind::Unavailable, message.into())
    }

    /// Adds the error underneath, which [`Error::source`] then returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Puts the place where the error was found before the message.
    pub(crate) fn at(mut self, place: impl std::fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Adds what a person can do about it, unless it may pass by itself.
    #[cfg(feature = "providers")]
    pub(crate) fn with_mend(mut self, mend: impl std::fmt::Display) -> Self {
        if self.is_invalid() {
            self.message = format!("{}; {mend}", self.message);
        }
        self
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> CredentialsErrorKind {
        self.kind
    }

    /// Whether the source has nothing at all.
    pub fn is_not_found(&self) -> bool {
        self.kind == CredentialsErrorKind::NotFound
    }

    /// Whether the source has something that cannot be used.
    pub fn is_invalid(&self) -> bool {
        self.kind == CredentialsErrorKind::Invalid
    }

    /// Whether the source could not be asked, so that a later try may succeed.
    pub fn is_unavailable(&self) -> bool {
        self.kind == CredentialsErrorKind::Unavailable
    }

    fn new(kind: CredentialsErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            source: None,
        }
    }
}

#[cfg(feature = "providers")]
impl From<crate::EndpointError> for CredentialsError {
    fn from(error: crate::EndpointError) -> Self {
        Self::invalid(error.to_string())
    }
}
