//! Why credentials, a project or an endpoint could not be provided.

use std::{error::Error, fmt, sync::Arc};

/// Why a source of credentials, projects or endpoints provided nothing.
///
/// The message names the source, the place (variable, file, address) and what to change. It never contains a secret. What
/// caused it is in [`Error::source`] only.
///
/// ```
/// use huaweicloud_auth::{Credentials, ProviderErrorKind};
///
/// let error = Credentials::new("AccessKey", "").unwrap_err();
/// assert_eq!(error.kind(), ProviderErrorKind::Invalid);
/// assert_eq!(error.to_string(), "the secret key is empty");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    kind: ProviderErrorKind,
    message: String,
    candidates: Vec<String>,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The ways in which a source can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The source has nothing: a chain asks the next one.
    NotFound,
    /// The source has something that cannot be used, such as half a key pair: a chain stops, and a person must fix it.
    Invalid,
    /// The source has several: choose one of [`ProviderError::candidates`].
    Ambiguous,
    /// The source could not be asked, such as a service that timed out: a chain stops, and a later try may succeed.
    Unavailable,
}

impl ProviderError {
    /// The source has nothing, so another one may be asked.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::NotFound, message.into())
    }

    /// The source has something that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Invalid, message.into())
    }

    /// The source could not be asked.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Unavailable, message.into())
    }

    /// Adds the error underneath, which [`Error::source`] then returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Puts the place where the error was found before the message.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }

    /// What may have been meant: the ids of the projects to choose from, or of the known regions that are nearest to the one
    /// asked for, best first.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// Whether the source has nothing at all.
    pub fn is_not_found(&self) -> bool {
        self.kind == ProviderErrorKind::NotFound
    }

    /// Whether the source has something that cannot be used.
    pub fn is_invalid(&self) -> bool {
        self.kind == ProviderErrorKind::Invalid
    }

    /// Whether the source could not be asked, so that a later try may succeed.
    pub fn is_unavailable(&self) -> bool {
        self.kind == ProviderErrorKind::Unavailable
    }

    fn new(kind: ProviderErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            candidates: Vec::new(),
            source: None,
        }
    }
}

#[cfg(feature = "providers")]
impl ProviderError {
    pub(crate) fn ambiguous(message: String, candidates: Vec<String>) -> Self {
        Self::new(ProviderErrorKind::Ambiguous, message).with_candidates(candidates)
    }

    pub(crate) fn with_candidates(mut self, candidates: Vec<String>) -> Self {
        self.candidates = candidates;
        self
    }

    /// The cause of an error that this one replaces.
    pub(crate) fn caused_by(mut self, source: Option<Arc<dyn Error + Send + Sync>>) -> Self {
        self.source = source;
        self
    }

    /// Adds what a person can do about it, unless it may pass by itself.
    pub(crate) fn with_fix(mut self, fix: impl fmt::Display) -> Self {
        if self.is_invalid() {
            self.message = format!("{}; {fix}", self.message);
        }
        self
    }
}
