//! All refusals of the gateway: a table of statuses, vendor codes and messages.

use std::{borrow::Cow, fmt::Display, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use huaweicloud_auth::text;
use serde::Deserialize;

use crate::backend::BackendError;

/// The most characters of a [`Refusal::with`] detail.
const MAX_DETAIL: usize = 4096;

/// An error response. [`crate::http`] writes its body, which contains the request id.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: u16,
    /// Its name in the table, for logs.
    pub(crate) kind: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    /// Seconds.
    retry_after: Option<u64>,
    connection: Connection,
    applied: Applied,
    /// Instead of an error body of the API.
    pub(crate) body: Option<Box<RawBody>>,
}

/// A body that replaces the error body of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBody {
    pub(crate) content_type: String,
    pub(crate) text: String,
}

/// Whether records may have been deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applied {
    /// Nothing reached the backend.
    No,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Connection {
    Keep,
    /// The rest of the request is not read.
    Close,
    /// The connection is reset instead of a response.
    Reset,
}

/// Marks a response that is replaced by a reset of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset;

/// Says `not-applied` in every refusal that was made before anything reached the backend. A client may repeat such a
/// request, whatever it deletes.
const X_DMS_KAFKA_OUTCOME: HeaderName = HeaderName::from_static("x-dms-kafka-outcome");
const NOT_APPLIED: HeaderValue = HeaderValue::from_static("not-applied");

macro_rules! table {
    ($applied:ident; $($name:ident, $status:literal, $code:literal, $retry_after:expr, $message:literal;)*) => {
        impl Refusal {
            $(pub(crate) const $name: Self = Self {
                status: $status,
                kind: stringify!($name),
                code: $code,
                message: Cow::Borrowed($message),
                retry_after: $retry_after,
                connection: Connection::Keep,
                applied: Applied::$applied,
                body: None,
            };)*
        }
    };
}

// Whether it was applied, then: name, status, code, seconds in Retry-After, message; `Refusal::with` replaces `{}`.
table! {
    No;
    UNKNOWN_PATH, 404, "APIGW.0101", None, "The API does not exist: no operation has this path.";
    NOT_SUPPORTED, 404, "APIGW.0101", None, "The API does not exist: the backend of this instance does not have this operation.";
    METHOD_NOT_ALLOWED, 405, "DMS.00405001", None, "This method is not allowed; the Allow header lists the allowed methods.";
    URI_TOO_LONG, 414, "APIGW.0201", None, "The request URI is longer than 32 KB.";
    FRAGMENT, 400, "APIGW.0201", None, "The request target has a fragment: send the path and query without what begins with #.";
    HEADERS_TOO_LARGE, 494, "APIGW.0201", None, "A header is larger than 32 KB, or all together are larger than 48 KB.";
    INVALID_HOST, 400, "APIGW.0201", None, "The request must have one Host header, with the host and port of its URL.";
    FOREIGN_SOURCE, 403, "APIGW.0201", None, "Without authentication, only programs on this machine are served: Host must be localhost or a loopback address, and the request must not come from a web page.";
    TWO_LENGTHS, 400, "APIGW.0201", None, "The request has both Content-Length and Transfer-Encoding, or it has Transfer-Encoding and was sent before the response to the previous one.";
    UNKNOWN_TRANSFER_CODING, 501, "APIGW.0201", None, "The only Transfer-Encoding that is supported is chunked.";
    UNSUPPORTED_MEDIA_TYPE, 415, "APIGW.0201", None, "Content-Type must be application/json, in UTF-8, and the body must not be encoded: {}.";
    BODY_TOO_LARGE, 413, "APIGW.0201", None, "The request body is larger than {} bytes; send fewer partitions per request.";
    BODY_TOO_SLOW, 408, "APIGW.0201", None, "The request body did not arrive in time.";
    BODY_UNREADABLE, 400, "APIGW.0201", None, "The request body could not be read to its end.";
    EMPTY_BODY, 400, "DMS.00400004", None, "The request body is empty; it must be a JSON object with a list named partitions.";
    MALFORMED_BODY, 400, "DMS.00400005", None, "The request body is not in JSON format or has an illegal field: {}";
    INVALID_PARAMETER, 400, "DMS.00400062", None, "Invalid {}.";
    INVALID_TOPIC, 400, "DMS.00400062", None, "Invalid topic in the request: the instance has no topic of this name.";
    UNKNOWN_PARTITION, 400, "DMS.00400062", None, "Invalid partition in the request: the topic has no such partition.";
    UNKNOWN_GROUP, 400, "DMS.00400062", None, "Invalid group in the request: the instance has no consumer group of this name.";
    UNKNOWN_INSTANCE, 404, "DMS.00404022", None, "This DMS instance does not exist.";
    NOT_AUTHENTICATED, 401, "APIGW.0301", None, "Incorrect IAM authentication information: {}";
    UNKNOWN_ACCESS_KEY, 401, "APIGW.0301", None, "Incorrect IAM authentication information: Get secretKey failed: the access key is unknown";
    UNKNOWN_TOKEN, 401, "APIGW.0301", None, "Incorrect IAM authentication information: decrypt token fail: the token is unknown";
    WRONG_SIGNATURE, 401, "APIGW.0301", None, "Incorrect IAM authentication information: verify aksk signature fail: {}";
    LOCKED_OUT, 401, "APIGW.0301", None, "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden";
    PROJECT_MISMATCH, 401, "DMS.10240104", None, "The project ID in the path is not the one that the token or the X-Project-Id header is for.";
    NOT_PERMITTED, 403, "DMS.00403003", None, "This access key may not use this project, instance or topic; ask the operator of the gateway to allow it.";
    OPERATION_NOT_PERMITTED, 403, "DMS.00403003", None, "This access key may not use the operation {}; ask the operator of the gateway to allow it.";
    HELD, 403, "DMS.00403900", None, "The operator of the gateway does not permit this deletion, whoever asks for it. Nothing was deleted. {}.";
    NOT_ONCE, 401, "APIGW.0301", None, "Incorrect IAM authentication information: X-Sdk-Date of a request that deletes every record: {}; sign the request when it is sent";
    TOO_MANY_SIGNATURES, 503, "DMS.111501025", Some(60), "Too many requests that delete every record were sent with this access key in the last 15 minutes; nothing was deleted.";
    THROTTLED, 429, "APIGW.0308", None, "The throttling threshold of this access key has been reached; wait as long as Retry-After says.";
    BUSY, 503, "DMS.111501025", Some(1), "The service is busy; try again later.";
    SHUTTING_DOWN, 503, "DMS.111501025", Some(1), "The service is shutting down; nothing was deleted. Try again.";
    CLUSTER_UNAVAILABLE, 503, "DMS.111501025", Some(5), "The Kafka cluster of this instance is not available; nothing was deleted. Try again later.";
    CLUSTER_REFUSES, 503, "DMS.111501025", None, "The Kafka cluster refuses the gateway; nothing was deleted. Another attempt does not help: the log of the gateway says what its operator must change.";
    NOT_READY, 503, "DMS.111501025", Some(5), "The gateway cannot serve requests now; its log says why.";
    AUDIT_FAILED, 503, "DMS.111501025", Some(5), "The audit log cannot be written, so nothing was deleted. Try again later.";
}

table! {
    Unknown;
    REPLAYED, 409, "DMS.00409900", None, "A request with this signature was executed before. A request that deletes every record is executed once; sign it again to delete what was written since.";
    INTERNAL, 500, "DMS.00500000", None, "An internal error occurred in the gateway.";
}

impl Refusal {
    /// Inserts `detail` into the message. A long detail is cut: it may quote the request, and a client may read it slowly.
    pub(crate) fn with(self, detail: impl Display) -> Self {
        let detail = detail.to_string();
        let detail = text::sanitize(&detail, &[], MAX_DETAIL);
        let message = self.message.replacen("{}", &detail, 1);
        Self {
            message: message.into(),
            ..self
        }
    }

    pub(crate) fn invalid_parameter(name: impl Display, rule: impl Display) -> Self {
        Self::INVALID_PARAMETER.with(format_args!("{name} parameter in the request: {rule}"))
    }

    /// Asks the client to wait: at least `wait`, and at least one second.
    pub(crate) fn after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            retry_after: Some(seconds.max(1)),
            ..self
        }
    }

    /// Closes the connection, because the rest of the request is not read.
    pub(crate) fn closing(self) -> Self {
        Self {
            connection: Connection::Close,
            ..self
        }
    }

    pub(crate) fn is_not_applied(&self) -> bool {
        self.applied == Applied::No
    }

    /// Imitates a service that does not say whether it deleted anything.
    pub(crate) fn fault(status: u16, body: Option<RawBody>) -> Self {
        let code = match status {
            429 => Self::THROTTLED.code,
            500 => Self::INTERNAL.code,
            503 => Self::BUSY.code,
            _ => "APIGW.0201",
        };
        Self {
            status,
            code,
            message: "A fault rule configures this response.".into(),
            body: body.map(Box::new),
            ..Self::INTERNAL
        }
    }

    pub(crate) fn reset() -> Self {
        Self {
            connection: Connection::Reset,
            ..Self::INTERNAL
        }
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::UnknownTopic => Self::INVALID_TOPIC,
            BackendError::UnknownPartition => Self::UNKNOWN_PARTITION,
            BackendError::UnknownGroup => Self::UNKNOWN_GROUP,
            BackendError::NotSupported => Self::NOT_SUPPORTED,
            BackendError::NotAudited => Self::AUDIT_FAILED,
            BackendError::Refused(reason) => {
                tracing::warn!(reason, "the Kafka cluster refuses the gateway");
                Self::CLUSTER_REFUSES
            }
            BackendError::Unavailable(reason) => {
                tracing::warn!(reason, "the Kafka cluster is not available");
                Self::CLUSTER_UNAVAILABLE
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Every status of the table is valid.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if self.is_not_applied() {
            headers.insert(X_DMS_KAFKA_OUTCOME, NOT_APPLIED);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.connection {
            Connection::Keep => {}
            Connection::Close => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Connection::Reset => {
                response.extensions_mut().insert(Reset);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}
