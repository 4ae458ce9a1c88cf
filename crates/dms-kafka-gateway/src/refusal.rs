//! Every way in which the gateway says no, in the vendor's terms.

use std::{borrow::Cow, fmt::Display, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::backend::BackendError;

/// An answer other than a success: status, code and text.
///
/// The body is written by [`crate::http`], which knows the request id.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    retry_after: Option<Duration>,
    connection: Connection,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug)]
enum Connection {
    Keep,
    /// It is of no more use, because the rest of the request is not wanted.
    Close,
    /// There is no answer: it is reset.
    Reset,
}

/// Marks a response in whose place the connection is to be reset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset;

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            connection: Connection::Keep,
        }
    }

    fn after(self, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..self
        }
    }

    fn closing(self) -> Self {
        Self {
            connection: Connection::Close,
            ..self
        }
    }

    // The request itself.

    pub(crate) fn unknown_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "APIGW.0101",
            "The API does not exist: no operation has this path.",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "DMS.00405001",
            "This method is not allowed here; the Allow header lists those that are.",
        )
    }

    pub(crate) fn uri_too_long() -> Self {
        Self::new(
            StatusCode::URI_TOO_LONG,
            "APIGW.0201",
            "The request URI is longer than 32 KB.",
        )
    }

    pub(crate) fn headers_too_large() -> Self {
        let status =
            StatusCode::from_u16(494).unwrap_or(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        Self::new(
            status,
            "APIGW.0201",
            "A header is larger than 32 KB, or all together are larger than 128 KB.",
        )
    }

    pub(crate) fn body_too_large(limit: usize) -> Self {
        let message = format!(
            "The request body is larger than {limit} bytes; send fewer partitions per request."
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "APIGW.0201", message).closing()
    }

    pub(crate) fn body_too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "APIGW.0201",
            "The request body did not arrive in time.",
        )
        .closing()
    }

    pub(crate) fn body_unreadable() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "APIGW.0201",
            "The request body could not be read to its end.",
        )
    }

    pub(crate) fn empty_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "DMS.00400004",
            "The request body is empty; it must be a JSON object with a list named partitions.",
        )
    }

    pub(crate) fn malformed_body(explanation: &str) -> Self {
        let message = format!(
            "The request body is not in JSON format or has an illegal field: {explanation}"
        );
        Self::new(StatusCode::BAD_REQUEST, "DMS.00400005", message)
    }

    pub(crate) fn invalid_parameter(name: &str, rule: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "DMS.00400062",
            format!("Invalid {name} parameter in the request: {rule}."),
        )
    }

    pub(crate) fn invalid_topic() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "DMS.00400062",
            "Invalid topic in the request: the instance has no topic of this name.",
        )
    }

    pub(crate) fn unknown_instance() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "DMS.00404022",
            "This DMS instance does not exist.",
        )
    }

    // Who asks.

    pub(crate) fn not_authenticated(reason: impl Display) -> Self {
        let message = format!("Incorrect IAM authentication information: {reason}");
        Self::new(StatusCode::UNAUTHORIZED, "APIGW.0301", message)
    }

    pub(crate) fn project_mismatch() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "DMS.10240104",
            "The project ID in the path is not the one that the token or the X-Project-Id header is for.",
        )
    }

    pub(crate) fn not_permitted() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "DMS.00403003",
            "This access key may not use this project or instance; ask the operator of the gateway to allow it.",
        )
    }

    pub(crate) fn locked_out() -> Self {
        Self::not_authenticated("AK access failed to reach the limit,forbidden")
    }

    pub(crate) fn throttled(wait: Duration) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "APIGW.0308",
            "The throttling threshold of this access key has been reached; wait as long as Retry-After says.",
        )
        .after(wait)
    }

    // The state of the gateway.

    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "DMS.111501025",
            "The service is busy; try again later.",
        )
        .after(Duration::from_secs(1))
    }

    fn cluster_unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "DMS.111501025",
            "The Kafka cluster of this instance is not available; nothing was deleted. Try again later.",
        )
        .after(Duration::from_secs(5))
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "DMS.111501025",
            "The service is shutting down; nothing was deleted. Try again.",
        )
        .after(Duration::from_secs(1))
    }

    pub(crate) fn not_ready(instances: &[&str]) -> Self {
        let message = format!(
            "The Kafka clusters of these instances are not available: {}.",
            instances.join(", ")
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "DMS.111501025", message)
            .after(Duration::from_secs(5))
    }

    pub(crate) fn audit_failed() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "DMS.111501025",
            "The audit log cannot be written, so nothing was deleted. Try again later.",
        )
        .after(Duration::from_secs(5))
    }

    /// What a user's rule asked for.
    pub(crate) fn fault(status: StatusCode, retry_after: Option<u32>) -> Self {
        let code = match status.as_u16() {
            429 => "APIGW.0308",
            500 => "DMS.00500000",
            503 => "DMS.111501025",
            _ => "APIGW.0201",
        };
        let refusal = Self::new(
            status,
            code,
            "This answer was asked for by a rule for faults.",
        );
        Self {
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
            ..refusal
        }
    }

    /// What a user's rule asked for instead of an answer.
    pub(crate) fn reset() -> Self {
        Self {
            connection: Connection::Reset,
            ..Self::internal()
        }
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "DMS.00500000",
            "The gateway met an internal error.",
        )
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::UnknownTopic => Self::invalid_topic(),
            BackendError::Unavailable(reason) => {
                tracing::warn!(reason, "Kafka cluster not available");
                Self::cluster_unavailable()
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(retry_after) = self.retry_after {
            response.headers_mut().insert(
                header::RETRY_AFTER,
                HeaderValue::from(whole_seconds(retry_after)),
            );
        }
        match self.connection {
            Connection::Keep => {}
            Connection::Close => {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Connection::Reset => {
                response.extensions_mut().insert(Reset);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Seconds to wait: never less than it takes, and never 0.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
