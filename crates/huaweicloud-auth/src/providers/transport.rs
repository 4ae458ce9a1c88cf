//! The HTTP client that credentials providers use, as a trait.

use std::{error::Error, fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

/// What [`HttpTransport::send`] returns.
pub type HttpFuture<'a> =
    Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, TransportError>> + Send + 'a>>;

/// The HTTP client with which credentials providers send their requests.
///
/// `ReqwestTransport` (feature `reqwest`) implements it. Implement it to use another HTTP client.
///
/// ```
/// use std::time::Duration;
/// use huaweicloud_auth::{HttpFuture, HttpTransport, TransportError, TransportErrorKind};
///
/// /// Fails every request.
/// #[derive(Debug)]
/// struct Offline;
///
/// impl HttpTransport for Offline {
///     fn send(&self, _: http::Request<Vec<u8>>, _: Duration) -> HttpFuture<'_> {
///         Box::pin(async { Err(TransportError::new(TransportErrorKind::Unreachable)) })
///     }
/// }
/// ```
pub trait HttpTransport: Debug + Send + Sync {
    /// Sends one request and reads the whole response.
    ///
    /// An implementation must not follow redirects, must fail after `timeout`, must refuse responses larger than a few
    /// hundred kilobytes, and must not use a proxy for loopback and link-local addresses.
    ///
    /// # Errors
    ///
    /// The future resolves to an error when there is no response. A response with an error status is not an error.
    fn send(&self, request: http::Request<Vec<u8>>, timeout: Duration) -> HttpFuture<'_>;
}

/// Why there is no response.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .kind.describe())]
pub struct TransportError {
    kind: TransportErrorKind,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kinds of [`TransportError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// There was no connection: unknown host, no route, connection refused, or connect timeout.
    Unreachable,
    /// There was a connection, but no complete response before the timeout.
    TimedOut,
    /// A setting is invalid, such as a proxy, or there is no runtime. Nothing was sent.
    Misconfigured,
    /// Any other failure, such as a broken connection or a response that is too large.
    Other,
}

impl TransportErrorKind {
    fn describe(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::TimedOut => "timed out",
            Self::Misconfigured => "cannot be requested",
            Self::Other => "returned no valid response",
        }
    }
}

impl TransportError {
    /// Creates an error of the given kind.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Sets the cause, which [`Error::source`] returns. It must not contain secrets.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Returns the kind, for code that must distinguish errors.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Returns the cause, for an error whose message includes that of this one.
    pub(super) fn into_source(self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.source
    }
}
