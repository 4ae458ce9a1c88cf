//! HTTP as an input: the providers say what to send, a transport sends it.

use std::{error::Error, fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

/// What [`HttpTransport::send`] returns.
pub type HttpFuture<'a> =
    Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, TransportError>> + Send + 'a>>;

/// A way to send the few small requests by which providers get credentials.
///
/// `ReqwestTransport` (feature `reqwest`) is one; implement it to use an HTTP client of your own.
///
/// ```
/// use std::time::Duration;
/// use huaweicloud_auth::{HttpFuture, HttpTransport, TransportError, TransportErrorKind};
///
/// /// No source that needs the network has anything.
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
    /// Sends one request and reads the whole answer.
    ///
    /// An implementation follows no redirects, gives up after `timeout`, refuses answers that are larger than a few hundred
    /// kilobytes, and sends to loopback and link-local addresses without a proxy.
    ///
    /// # Errors
    ///
    /// The future resolves to an error when there is no answer; an answer of any status is no error.
    fn send(&self, request: http::Request<Vec<u8>>, timeout: Duration) -> HttpFuture<'_>;
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .kind.describe())]
pub struct TransportError {
    kind: TransportErrorKind,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The ways in which a request can get no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// Nobody was reached: no route, no name, connection refused, or no connection in time.
    Unreachable,
    /// Somebody was reached and did not answer in time.
    TimedOut,
    /// Anything else, such as a connection that broke or an answer that is too large.
    Other,
}

impl TransportErrorKind {
    fn describe(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::TimedOut => "does not answer in time",
            Self::Other => "gives no usable answer",
        }
    }
}

impl TransportError {
    /// An error of a kind.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the error underneath, which [`Error::source`] then returns. It must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// The error underneath, for an error that says in its own message what this one says.
    pub(super) fn into_source(self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.source
    }
}
