//! The one error type: opaque, with a kind, predicates and everything a caller may need to act.

use std::error::Error as StdError;
use std::fmt;
use std::iter;
use std::time::Duration;

use http::StatusCode;
use huaweicloud_auth::{EndpointError, ProviderError, text};
use tokio::time::error::Elapsed;

use crate::codes;
use crate::deletion::Deletion;
use crate::error_kind::ErrorKind;
use crate::outcome::Outcome;
use crate::partition::PartitionDeletion;

/// Request ids are shown up to this many characters; real ones have 32.
pub(crate) const SHOWN_ID: usize = 128;
const SHOWN_CODE: usize = 64;
const SHOWN_MESSAGE: usize = 2048;
const SHOWN_AUTHORIZATION: usize = 16 * 1024;

pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// Why a call failed.
///
/// # Troubleshooting
/// * [`outcome`](Self::outcome) says whether records may have been deleted: look at it first.
/// * [`code`](Self::code) is the service's own code ([known ones](crate::codes)); match on it, never on text.
/// * The text names what went wrong, the code, the request id and, for known codes, what to do.
///
/// ```
/// use dms_kafka::{Client, ErrorKind};
///
/// let error = Client::builder().endpoint("http://example.com").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(error.to_string().contains("https"));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    broken_rule: Option<Rule>,
    message: String,
    attempts: u32,
    outcome: Outcome,
    response: Response,
    deletion: Option<Deletion>,
    source: Option<Source>,
}

/// What the last response says, when there was one.
#[derive(Default)]
pub(crate) struct Response {
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Its start, already safe to show.
    pub(crate) body: Option<String>,
    pub(crate) encoded_authorization_message: Option<String>,
}

/// A rule of the input that a caller may want to explain in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Encrypted,
    EndpointGiven,
    ProjectIdGiven,
    Identifier,
}

/// Whether a code may overrule the status. Not where a wrong guess would repeat what must not be
/// repeated (401, 403), nor where records may have been deleted.
fn status_may_mislead(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 408)
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, outcome: Outcome, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            broken_rule: None,
            message: message.into(),
            attempts: 0,
            outcome,
            response: Response::default(),
            deletion: None,
            source: None,
        }))
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, Outcome::NotApplied, message)
    }

    pub(crate) fn broken(rule: Rule, message: impl Into<String>) -> Self {
        let mut error = Self::invalid_input(message);
        error.0.broken_rule = Some(rule);
        error
    }

    pub(crate) fn invalid_endpoint(error: &EndpointError) -> Self {
        if error.is_plaintext_refused() {
            let message = format!("{error}, or allow plaintext by name (allow_plaintext_http)");
            return Self::broken(Rule::Encrypted, message);
        }
        Self::invalid_input(error.to_string())
    }

    /// A response with an error status.
    pub(crate) fn refused(status: StatusCode, code: Option<&str>, message: String) -> Self {
        let kind = if status_may_mislead(status) && code.is_some_and(codes::is_flow_control) {
            ErrorKind::Throttled
        } else {
            ErrorKind::of_status(status)
        };
        let outcome = match kind {
            ErrorKind::Throttled => Outcome::NotApplied,
            _ if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
                Outcome::NotApplied
            }
            _ => Outcome::Unknown,
        };
        Self::new(kind, outcome, message)
    }

    pub(crate) fn partitions_failed(deletion: Deletion) -> Self {
        let outcome = deletion.outcome();
        let message = deletion.failure_summary();
        let mut error = Self::new(ErrorKind::PartitionsFailed, outcome, message)
            .with_history(deletion.attempts(), outcome);
        error.0.response.status = Some(StatusCode::OK);
        error.0.response.request_id = deletion.request_id().map(str::to_owned);
        error.0.deletion = Some(deletion);
        error
    }

    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// States the whole call: how many attempts it took, and what all of them may have done.
    pub(crate) fn with_history(mut self, attempts: u32, outcome: Outcome) -> Self {
        self.0.attempts = attempts;
        self.0.outcome = outcome;
        self
    }

    /// Adds what the response says, and makes its texts safe to show. It may repeat a secret: `APIGW.0301` may quote the
    /// canonical request.
    pub(crate) fn with_response(mut self, response: Response, secret: Option<&str>) -> Self {
        let inner = &mut *self.0;
        inner.response = response;
        let said = &mut inner.response;
        for (text, limit) in [
            (Some(&mut inner.message), SHOWN_MESSAGE),
            (said.code.as_mut(), SHOWN_CODE),
            (said.request_id.as_mut(), SHOWN_ID),
            (
                said.encoded_authorization_message.as_mut(),
                SHOWN_AUTHORIZATION,
            ),
        ] {
            if let Some(text) = text {
                *text = text::sanitize(text, secret.as_slice(), limit).into_owned();
            }
        }
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the endpoint is `http://` to another machine, without
    /// [`allow_plaintext_http`](crate::ClientBuilder::allow_plaintext_http).
    pub fn is_plaintext_refused(&self) -> bool {
        self.0.broken_rule == Some(Rule::Encrypted)
    }

    /// Whether neither an endpoint nor a region was given.
    pub fn is_endpoint_missing(&self) -> bool {
        self.0.broken_rule == Some(Rule::EndpointGiven)
    }

    /// Whether neither a project id nor a region was given.
    pub fn is_project_id_missing(&self) -> bool {
        self.0.broken_rule == Some(Rule::ProjectIdGiven)
    }

    /// Whether a project id, instance id, topic, partition or offset is invalid, as an
    /// [`InvalidId`](crate::InvalidId) says.
    pub fn is_invalid_id(&self) -> bool {
        self.0.broken_rule == Some(Rule::Identifier)
    }

    /// The service's code, such as `DMS.00404022` or `APIGW.0301`.
    pub fn code(&self) -> Option<&str> {
        self.0.response.code.as_deref()
    }

    /// What went wrong, without code, request id and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status, when an answer came.
    pub fn status(&self) -> Option<u16> {
        self.0.response.status.map(|status| status.as_u16())
    }

    /// The service's id of the request (`X-Request-Id`), for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.response.request_id.as_deref()
    }

    /// How many requests were sent or begun; 0 when the call was refused before.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// What a person can do about it, for [known codes](crate::codes). [`Display`](fmt::Display) shows it too.
    pub fn hint(&self) -> Option<&'static str> {
        self.code().and_then(codes::hint_for)
    }

    /// How long the service asked to wait (`Retry-After`).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.response.retry_after
    }

    /// Whether the same call may succeed later. It says nothing about whether repeating is safe: that
    /// is [`outcome`](Self::outcome).
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Throttled => true,
            ErrorKind::Server => matches!(self.status(), Some(502..=504)),
            ErrorKind::Credentials | ErrorKind::ProjectId => self.source_may_answer_later(),
            _ => false,
        }
    }

    /// Whether a source of credentials or projects ran out of time, or could not be asked.
    fn source_may_answer_later(&self) -> bool {
        let first: Option<&(dyn StdError + 'static)> = self.source();
        let mut causes = iter::successors(first, |&cause| cause.source());
        causes.any(|cause| {
            cause.is::<Elapsed>()
                || cause
                    .downcast_ref::<ProviderError>()
                    .is_some_and(ProviderError::is_unavailable)
        })
    }

    /// Whether records may have been deleted, over all attempts.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Why permission was denied, encoded; an administrator can decode it through the identity service.
    pub fn encoded_authorization_message(&self) -> Option<&str> {
        self.0.response.encoded_authorization_message.as_deref()
    }

    /// The answer's body: the first 4,096 characters, control characters escaped. `None` when it was empty or no
    /// answer came.
    pub fn body(&self) -> Option<&str> {
        self.0.response.body.as_deref()
    }

    /// The judged answer, when the service answered and partitions failed.
    pub fn deletion(&self) -> Option<&Deletion> {
        self.0.deletion.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.write_str(&inner.message)?;
        if let Some(status) = inner
            .response
            .status
            .filter(|status| *status != StatusCode::OK)
        {
            write!(f, " (status {}", status.as_u16())?;
            if let Some(code) = self.code() {
                write!(f, ", {code}")?;
            }
            f.write_str(")")?;
        }
        if let Some(request_id) = self.request_id() {
            write!(f, " [request {request_id}]")?;
        }
        if inner.attempts > 1 {
            write!(f, " after {} attempts", inner.attempts)?;
        }
        if inner.attempts > 0 {
            write!(f, "; {}", inner.outcome)?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "; hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("code", &self.code())
            .field("status", &self.status())
            .field("request_id", &self.request_id())
            .field("attempts", &self.0.attempts)
            .field("outcome", &self.0.outcome)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl Deletion {
    /// The partitions, when every one of them was deleted and the answer spoke of no other.
    ///
    /// # Errors
    /// An [`Error`] of kind [`PartitionsFailed`](crate::ErrorKind::PartitionsFailed) that lists each
    /// failed partition with its code and keeps this `Deletion`.
    pub fn into_result(self) -> Result<Vec<PartitionDeletion>, Error> {
        self.all_deleted().map_err(Error::partitions_failed)
    }
}

impl From<crate::ids::InvalidId> for Error {
    fn from(error: crate::ids::InvalidId) -> Self {
        Self::broken(Rule::Identifier, error.to_string())
    }
}
