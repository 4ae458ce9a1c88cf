//! The error of credentials providers and of the lookup of projects and endpoints.

use std::{error::Error, fmt, sync::Arc};

/// Why there are no credentials, or no project or endpoint.
///
/// The message names the provider, the variable, file or URL, and what to change. It never contains a secret. The cause is
/// in [`Error::source`] only.
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

/// The kinds of [`ProviderError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// Nothing is configured. A chain asks the next provider.
    NotFound,
    /// The configuration or a response is invalid, such as an access key without a secret key. A chain stops.
    Invalid,
    /// A local file cannot be read: the credentials file, the regions file or a token file. A chain stops.
    Unreadable,
    /// There is more than one result. Choose one of [`ProviderError::candidates`].
    Ambiguous,
    /// A service could not be reached, failed or timed out. A chain stops, and a retry may succeed.
    Unavailable,
}

impl ProviderError {
    /// Creates an error of the kind [`NotFound`](ProviderErrorKind::NotFound).
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::NotFound, message.into())
    }

    /// Creates an error of the kind [`Invalid`](ProviderErrorKind::Invalid).
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Invalid, message.into())
    }

    /// Creates an error of the kind [`Unreadable`](ProviderErrorKind::Unreadable).
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Unreadable, message.into())
    }

    /// Creates an error of the kind [`Unavailable`](ProviderErrorKind::Unavailable).
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Unavailable, message.into())
    }

    /// Sets the cause, which [`Error::source`] returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Prefixes the message with the provider, variable, file or URL.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Returns the kind, for code that must distinguish errors.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }

    /// Returns the ids to choose from: of the projects found, or of the known regions most similar to an unknown one, best
    /// first.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// Whether the kind is [`NotFound`](ProviderErrorKind::NotFound).
    pub fn is_not_found(&self) -> bool {
        self.kind == ProviderErrorKind::NotFound
    }

    /// Whether the kind is [`Invalid`](ProviderErrorKind::Invalid).
    pub fn is_invalid(&self) -> bool {
        self.kind == ProviderErrorKind::Invalid
    }

    /// Whether the kind is [`Unreadable`](ProviderErrorKind::Unreadable).
    pub fn is_unreadable(&self) -> bool {
        self.kind == ProviderErrorKind::Unreadable
    }

    /// Whether the kind is [`Unavailable`](ProviderErrorKind::Unavailable).
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

    /// Replaces the message, and keeps the kind and the cause.
    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// Sets the cause of the error that this one replaces.
    pub(crate) fn caused_by(mut self, source: Option<Arc<dyn Error + Send + Sync>>) -> Self {
        self.source = source;
        self
    }

    /// Adds how to fix the error, unless a retry may succeed.
    pub(crate) fn with_fix(mut self, fix: impl fmt::Display) -> Self {
        if self.is_invalid() {
            self.message = format!("{}; {fix}", self.message);
        }
        self
    }
}
