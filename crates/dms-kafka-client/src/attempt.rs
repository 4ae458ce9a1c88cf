//! The input and the captured output of one call of a generated method.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use huaweicloud_auth::Credentials;
use reqwest::{Request, Url};

/// The default limit for a response body: 32 MiB, enough for more than 400,000 partitions.
pub const DEFAULT_RESPONSE_LIMIT: usize = 32 * 1024 * 1024;

/// The inner value of a [`Client`](crate::Client): the credentials that sign the request, the limit for the response body,
/// and the response as it was received.
///
/// Cheap to clone. Clones share the captured response, so use one `Attempt` for one call at a time.
///
/// ```
/// use dms_kafka_client::Attempt;
/// use huaweicloud_auth::Credentials;
///
/// let attempt = Attempt::new(Credentials::new("access-key", "secret-key")?);
/// assert!(attempt.take_response().is_none(), "nothing has been sent");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Attempt {
    /// `None`: build the request and do not send it.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) project_id: Option<HeaderValue>,
    /// `None`: the time of sending.
    pub(crate) date: Option<SystemTime>,
    pub(crate) response_limit: usize,
    captured: Arc<Mutex<Captured>>,
}

#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) request: Option<Request>,
    pub(crate) response: Option<CapturedResponse>,
}

impl Attempt {
    /// Creates an attempt that signs with an access key or sends a token.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            ..Self::without_sending()
        }
    }

    /// Creates an attempt that builds the request and does not send it. The call fails, and
    /// [`take_request`](Self::take_request) returns the request.
    ///
    /// ```
    /// use dms_kafka_client::{Attempt, Client, types};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let attempt = Attempt::without_sending();
    /// let client = Client::new_with_client("https://example.com".parse().unwrap(), reqwest::Client::new(), attempt.clone());
    /// let body = types::DeleteKafkaMessageRequestBody::default();
    /// let result = client.delete_kafka_topic_messages("project", "instance", "orders", &body).await;
    /// assert!(result.is_err());
    /// let request = attempt.take_request().expect("the call built the request");
    /// assert_eq!(request.method(), "POST");
    /// # });
    /// ```
    pub fn without_sending() -> Self {
        Self {
            credentials: None,
            project_id: None,
            date: None,
            response_limit: DEFAULT_RESPONSE_LIMIT,
            captured: Arc::default(),
        }
    }

    /// Sends and signs the header `X-Project-Id`, as the vendor's SDKs do.
    #[must_use]
    pub fn with_project_id(mut self, project_id: HeaderValue) -> Self {
        self.project_id = Some(project_id);
        self
    }

    /// Signs with this date instead of the time of sending. Two equal requests with dates in the same second have the same
    /// signature.
    #[must_use]
    pub fn with_date(mut self, date: SystemTime) -> Self {
        self.date = Some(date);
        self
    }

    /// Reads at most `bytes` of the response body.
    #[must_use]
    pub fn with_response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Takes the response, as far as it was received. Returns `None` if no status line was received.
    ///
    /// The response is also captured if the call failed, or was dropped while the body was being received.
    pub fn take_response(&self) -> Option<CapturedResponse> {
        self.captured().response.take()
    }

    /// Takes the request that an attempt [`without_sending`](Self::without_sending) built. It has no authentication
    /// headers.
    pub fn take_request(&self) -> Option<Request> {
        self.captured().request.take()
    }

    /// Poison is ignored: a panic cannot interrupt a write.
    pub(crate) fn captured(&self) -> MutexGuard<'_, Captured> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("credentials", &self.credentials)
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}

/// A response as it was received. Some errors of the generated client do not keep the status, headers or body.
#[derive(Clone)]
pub struct CapturedResponse {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Bytes,
    /// Whether `body` is the whole body.
    pub completeness: Completeness,
    /// The URL of the response if the HTTP client followed a redirect: the request may also have been sent to it.
    pub redirected_to: Option<Url>,
}

impl fmt::Debug for CapturedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedResponse")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .field("completeness", &self.completeness)
            .finish_non_exhaustive()
    }
}

/// Whether the whole response body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completeness {
    /// The whole body was read.
    Complete,
    /// The connection closed, or the call was dropped, before the end of the body.
    Truncated,
    /// The body is longer than the limit. Reading stopped at the limit.
    OverLimit,
}
