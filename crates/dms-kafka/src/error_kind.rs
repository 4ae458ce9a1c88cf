use std::fmt;

use http::StatusCode;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's input breaks a rule. Nothing was sent.
    InvalidInput,
    /// No credentials could be had. Nothing was sent in this attempt.
    Credentials,
    /// No project id could be had: the region has none or several, or IAM did not tell. Nothing was sent in
    /// this attempt.
    ProjectId,
    /// No connection came about: refused, no such host, TLS refused.
    Connect,
    /// A time-out or the deadline of the call.
    Timeout,
    /// The connection broke after it had come about.
    Connection,
    /// 400 and other 4xx that stand for none of the kinds below: the service refused the request.
    BadRequest,
    /// 401: wrong key, wrong signature, skewed clock, expired token.
    Unauthorized,
    /// 403: the user lacks a permission.
    Forbidden,
    /// 404: no such instance, API or endpoint.
    NotFound,
    /// 429, or flow control under another status.
    Throttled,
    /// 5xx.
    Server,
    /// An answer that the contract does not allow: a redirect, or a 200 that cannot be trusted.
    InvalidAnswer,
    /// The service answered, and at least one partition failed.
    PartitionsFailed,
}

impl ErrorKind {
    /// The kind's stable name for logs and scripts, such as `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Credentials => "credentials",
            Self::ProjectId => "project_id",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::InvalidAnswer => "invalid_answer",
            Self::PartitionsFailed => "partitions_failed",
        }
    }

    /// What a status stands for.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            429 => Self::Throttled,
            408 => Self::Timeout,
            400..=499 => Self::BadRequest,
            500..=599 => Self::Server,
            _ => Self::InvalidAnswer,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
