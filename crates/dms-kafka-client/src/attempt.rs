//! What one call of a generated method carries in, and what it leaves behind.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use huaweicloud_auth::Credentials;
use reqwest::Request;

/// The largest answer body read unless [`Attempt::with_answer_limit`] says otherwise: 32 MiB, room
/// for more than 400,000 partitions.
pub const DEFAULT_ANSWER_LIMIT: usize = 32 * 1024 * 1024;

/// The inner value of a [`Client`](crate::Client): who signs the request, how much of the answer may
/// be read, and the answer as it stood on the wire.
///
/// Cheap to clone; the clones share the captured answer, so one `Attempt` serves one call at a time.
///
/// ```
/// use dms_kafka_client::Attempt;
/// use huaweicloud_auth::Credentials;
///
/// let attempt = Attempt::new(Credentials::new("access-key", "secret-key")?);
/// assert!(attempt.take_answer().is_none(), "nothing was sent yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Attempt {
    /// `None` when the request is built and not sent.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) project_id: Option<HeaderValue>,
    pub(crate) answer_limit: usize,
    captured: Arc<Mutex<Captured>>,
}

/// What a call leaves behind.
#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) request: Option<Request>,
    pub(crate) answer: Option<Answer>,
}

impl Attempt {
    /// An attempt authorized by `credentials`: signed with an access key, or carrying a token.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            ..Self::without_sending()
        }
    }

    /// An attempt that builds the request and sends nothing: the call fails, and
    /// [`take_request`](Self::take_request) has the request.
    ///
    /// ```
    /// use dms_kafka_client::{Attempt, Client, types};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let attempt = Attempt::without_sending();
    /// let client = Client::new_with_client("https://example.com", reqwest::Client::new(), attempt.clone());
    /// let body = types::DeleteKafkaMessageRequestBody::default();
    /// let result = client.delete_kafka_topic_messages("project", "instance", "orders", &body).await;
    /// assert!(result.is_err());
    /// let request = attempt.take_request().expect("the call has built it");
    /// assert_eq!(request.method(), "POST");
    /// # });
    /// ```
    pub fn without_sending() -> Self {
        Self {
            credentials: None,
            project_id: None,
            answer_limit: DEFAULT_ANSWER_LIMIT,
            captured: Arc::default(),
        }
    }

    /// Sends and signs `X-Project-Id`, as the vendor's SDKs do.
    #[must_use]
    pub fn with_project_id(mut self, project_id: HeaderValue) -> Self {
        self.project_id = Some(project_id);
        self
    }

    /// Reads at most `bytes` of the answer's body.
    #[must_use]
    pub fn with_answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Takes what has arrived of the answer; `None` when no status line has.
    ///
    /// It is also there when the call returned an error or was dropped while the body arrived.
    pub fn take_answer(&self) -> Option<Answer> {
        self.captured().answer.take()
    }

    /// Takes the request that an attempt [`without_sending`](Self::without_sending) has built; it has no
    /// headers for authentication.
    pub fn take_request(&self) -> Option<Request> {
        self.captured().request.take()
    }

    /// A panic elsewhere cannot leave a half-written value behind, so poison is ignored.
    pub(crate) fn captured(&self) -> MutexGuard<'_, Captured> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("credentials", &self.credentials)
            .field("answer_limit", &self.answer_limit)
            .finish_non_exhaustive()
    }
}

/// An answer as it stood on the wire, kept beside the generated client's own result because that
/// result loses status, headers or body in several of its error cases.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Bytes,
    /// Whether `body` is all of it.
    pub completeness: Completeness,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .field("completeness", &self.completeness)
            .finish_non_exhaustive()
    }
}

/// How much of an answer's body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completeness {
    /// All of it.
    Complete,
    /// The connection ended, or the call was dropped, before the body did.
    Truncated,
    /// The body is longer than the limit; reading stopped there.
    OverLimit,
}
