use std::error::Error as StdError;
use std::fmt;
use std::iter;
use std::time::Duration;

use http::StatusCode;
use huaweicloud_auth::{
    Endpoint, EndpointError, ProviderError, ProviderErrorKind, ProxyUrlError, text,
};
use tokio::time::error::Elapsed;

use crate::codes;
use crate::deletion::Deletion;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::InvalidId;
use crate::outcome::Outcome;
use crate::partition::PartitionDeletion;

/// The longest request id that is shown. Real request ids have 32 characters.
pub(crate) const SHOWN_ID: usize = 128;
const SHOWN_CODE: usize = 64;
const SHOWN_MESSAGE: usize = 2048;
const SHOWN_AUTHORIZATION: usize = 16_384;

pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// Why a call failed.
///
/// # Troubleshooting
/// * Check [`outcome`](Self::outcome) first: it says whether records may have been deleted.
/// * [`code`](Self::code) is the error code of the service ([known codes](crate::codes)). Match on it, not on the text.
/// * The text contains the message, the code, the request id and, for known codes, a hint. The cause is in
///   [`source`](StdError::source).
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
    broken_rule: Option<InputRule>,
    plan_problem: Option<PlanProblem>,
    message: String,
    attempts: u32,
    outcome: Outcome,
    /// Whether the call deletes no records, so that the text says nothing of deletions.
    without_deletion: bool,
    response: ResponseDetails,
    deletion: Option<Deletion>,
    source: Option<Source>,
}

/// The details of the last response, if there was one.
#[derive(Default)]
pub(crate) struct ResponseDetails {
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// The start of the body, sanitized.
    pub(crate) body: Option<String>,
    pub(crate) encoded_authorization_message: Option<String>,
}

/// The rules of the input that have a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputRule {
    EncryptedEndpoint,
    EndpointPresent,
    ProjectIdPresent,
    ValidId,
}

/// Whether a code may override the status. It must not when a wrong guess would retry a 401 or 403, or when records may
/// have been deleted.
fn code_may_override(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 408)
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, outcome: Outcome, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            broken_rule: None,
            plan_problem: None,
            message: message.into(),
            attempts: 0,
            outcome,
            without_deletion: false,
            response: ResponseDetails::default(),
            deletion: None,
            source: None,
        }))
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, Outcome::NotApplied, message)
    }

    pub(crate) fn broken_rule(rule: InputRule, message: impl Into<String>) -> Self {
        let mut error = Self::invalid_input(message);
        error.0.broken_rule = Some(rule);
        error
    }

    pub(crate) fn invalid_id(message: impl Into<String>) -> Self {
        Self::broken_rule(InputRule::ValidId, message)
    }

    pub(crate) fn plan(problem: PlanProblem, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Plan, Outcome::NotApplied, message);
        error.0.plan_problem = Some(problem);
        error
    }

    /// Puts what the call was for before the message.
    pub(crate) fn with_purpose(mut self, purpose: &str) -> Self {
        self.0.message = format!("{purpose}: {}", self.0.message);
        self
    }

    /// Removes what may quote the content of records.
    pub(crate) fn without_content(mut self) -> Self {
        let inner = &mut *self.0;
        inner.response.body = None;
        if inner.response.status == Some(StatusCode::OK) {
            "the response with records is not valid".clone_into(&mut inner.message);
        }
        self
    }

    /// The error for a status other than 200. `not_applied`: the response says that nothing was deleted.
    pub(crate) fn from_status(
        status: StatusCode,
        code: Option<&str>,
        not_applied: bool,
        message: String,
    ) -> Self {
        let kind = if code_may_override(status) && code.is_some_and(codes::is_flow_control) {
            ErrorKind::Throttled
        } else {
            ErrorKind::of_status(status)
        };
        let outcome = Outcome::of_status(status, code, not_applied);
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

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Sets the number of attempts, and the outcome over all of them.
    pub(crate) fn with_history(mut self, attempts: u32, outcome: Outcome) -> Self {
        self.0.attempts = attempts;
        self.0.outcome = outcome;
        self
    }

    /// Adds the address to the message, unless there was a response.
    pub(crate) fn with_address(mut self, endpoint: &Endpoint) -> Self {
        let inner = &mut *self.0;
        if inner.response.status.is_some() || inner.kind == ErrorKind::InvalidInput {
            return self;
        }
        let (host, port) = (endpoint.host(), endpoint.port());
        let advice = match inner.kind {
            ErrorKind::Connection | ErrorKind::InvalidAnswer if endpoint.is_plaintext() => {
                "; if this port expects TLS, use https://"
            }
            _ => "",
        };
        inner.message = format!("{} ({host}:{port}){advice}", inner.message);
        self
    }

    /// Marks the error of a call that deletes no records.
    pub(crate) fn without_deletion(mut self) -> Self {
        self.0.without_deletion = true;
        self
    }

    /// Adds the details of the response and sanitizes them: `APIGW.0301` may quote the canonical request, which
    /// contains the security token.
    pub(crate) fn with_response(mut self, response: ResponseDetails, secret: Option<&str>) -> Self {
        let inner = &mut *self.0;
        inner.response = response;
        let response = &mut inner.response;
        for (text, limit) in [
            (Some(&mut inner.message), SHOWN_MESSAGE),
            (response.code.as_mut(), SHOWN_CODE),
            (response.request_id.as_mut(), SHOWN_ID),
            (
                response.encoded_authorization_message.as_mut(),
                SHOWN_AUTHORIZATION,
            ),
        ] {
            if let Some(text) = text {
                *text = text::sanitize(text, secret.as_slice(), limit).into_owned();
            }
        }
        self
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the endpoint was refused because it is `http://` to a host other than loopback, without
    /// [`allow_plaintext_http`](crate::ClientBuilder::allow_plaintext_http).
    pub fn is_plaintext_refused(&self) -> bool {
        self.0.broken_rule == Some(InputRule::EncryptedEndpoint)
    }

    /// Whether both the endpoint and the region are missing.
    pub fn is_endpoint_missing(&self) -> bool {
        self.0.broken_rule == Some(InputRule::EndpointPresent)
    }

    /// Whether both the project id and the region are missing.
    pub fn is_project_id_missing(&self) -> bool {
        self.0.broken_rule == Some(InputRule::ProjectIdPresent)
    }

    /// Whether a project id, instance id, topic, partition or offset is invalid: see
    /// [`InvalidId`](crate::InvalidId).
    pub fn is_invalid_id(&self) -> bool {
        self.0.broken_rule == Some(InputRule::ValidId)
    }

    /// Returns why a plan cannot be made or executed, for [`ErrorKind::Plan`].
    pub fn plan_problem(&self) -> Option<PlanProblem> {
        self.0.plan_problem
    }

    /// Returns the error code of the service, such as `DMS.00404022` or `APIGW.0301`.
    pub fn code(&self) -> Option<&str> {
        self.0.response.code.as_deref()
    }

    /// Returns the message without code, request id and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the HTTP status, if a response was received.
    pub fn status(&self) -> Option<u16> {
        self.0.response.status.map(|status| status.as_u16())
    }

    /// Returns the request id (`X-Request-Id`), which the support of the service asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.response.request_id.as_deref()
    }

    /// Returns the number of attempts: 0 if the call failed before the first request.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns how to fix the error, for [known codes](crate::codes). [`Display`](fmt::Display) also shows it.
    pub fn hint(&self) -> Option<&'static str> {
        self.code()
            .and_then(|code| codes::hint_for(code, self.0.without_deletion))
    }

    /// Returns the pause that the service asked for (`Retry-After`).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.response.retry_after
    }

    /// Whether the same call may succeed later. Check [`outcome`](Self::outcome) for whether a retry is safe.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Throttled => true,
            ErrorKind::Server => matches!(self.status(), Some(502..=504)),
            ErrorKind::Credentials | ErrorKind::ProjectId => self.provider_may_recover(),
            _ => false,
        }
    }

    /// Whether a credentials provider or the project lookup timed out or was unavailable.
    fn provider_may_recover(&self) -> bool {
        let first: Option<&(dyn StdError + 'static)> = self.source();
        let mut causes = iter::successors(first, |&cause| cause.source());
        causes.any(|cause| {
            cause.is::<Elapsed>()
                || cause
                    .downcast_ref::<ProviderError>()
                    .is_some_and(ProviderError::is_unavailable)
        })
    }

    /// Returns whether records may have been deleted, over all attempts.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Returns the encoded reason why permission was denied. An administrator can decode it with IAM.
    pub fn encoded_authorization_message(&self) -> Option<&str> {
        self.0.response.encoded_authorization_message.as_deref()
    }

    /// Returns the first 4,096 characters of the response body, with control characters escaped. `None` if there was no
    /// response or no body.
    pub fn body(&self) -> Option<&str> {
        self.0.response.body.as_deref()
    }

    /// Returns the [`Deletion`] if the service responded and partitions failed.
    pub fn deletion(&self) -> Option<&Deletion> {
        self.0.deletion.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.write_str(&inner.message)?;
        match (inner.response.status, self.code()) {
            (Some(status), Some(code)) => write!(f, " (status {}, {code})", status.as_u16())?,
            (Some(StatusCode::OK) | None, _) => {}
            (Some(status), None) => write!(f, " (status {})", status.as_u16())?,
        }
        if let Some(request_id) = self.request_id() {
            write!(f, " [request {request_id}]")?;
        }
        if inner.attempts > 1 {
            write!(f, " after {} attempts", inner.attempts)?;
        }
        if inner.attempts > 0 && !inner.without_deletion {
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
    /// Returns the partitions if all of them were deleted and the response contains no other partition.
    ///
    /// # Errors
    /// [`PartitionsFailed`](crate::ErrorKind::PartitionsFailed): the error lists the failed partitions with their codes,
    /// and contains this `Deletion`.
    pub fn into_result(self) -> Result<Vec<PartitionDeletion>, Error> {
        self.all_deleted().map_err(Error::partitions_failed)
    }
}

impl From<InvalidId> for Error {
    fn from(error: InvalidId) -> Self {
        Self::invalid_id(error.to_string())
    }
}

/// For `?` on [`Credentials::new`](crate::auth::Credentials::new), a region or a provider.
impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        let (kind, message) = match error.kind() {
            ProviderErrorKind::Invalid => {
                let message = "the credentials, the region or a variable cannot be used";
                (ErrorKind::InvalidInput, message)
            }
            _ => (
                ErrorKind::Credentials,
                "cannot get the credentials or a setting",
            ),
        };
        Self::new(kind, Outcome::NotApplied, message).with_source(error)
    }
}

impl From<EndpointError> for Error {
    fn from(error: EndpointError) -> Self {
        if error.is_plaintext_refused() {
            let message = format!("{error}, or call allow_plaintext_http");
            return Self::broken_rule(InputRule::EncryptedEndpoint, message);
        }
        Self::invalid_input(error.to_string())
    }
}

impl From<ProxyUrlError> for Error {
    fn from(error: ProxyUrlError) -> Self {
        Self::invalid_input(error.to_string())
    }
}
