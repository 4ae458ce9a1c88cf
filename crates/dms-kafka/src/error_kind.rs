use std::fmt;

use http::StatusCode;

/// The kind of an [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input or a setting is invalid, or there is no tokio runtime. Nothing was sent.
    InvalidInput,
    /// The credentials provider failed. This attempt sent nothing.
    Credentials,
    /// The project could not be looked up: the region has none or several, or IAM failed. This attempt sent nothing.
    ProjectId,
    /// Connecting failed: connection refused, unknown host, TLS handshake failed.
    Connect,
    /// The attempt timed out, or the deadline of the call passed.
    Timeout,
    /// An established connection broke.
    Connection,
    /// 400, and every 4xx without a separate kind: the service refused the request.
    BadRequest,
    /// 401: wrong key, wrong signature, clock skew or expired token.
    Unauthorized,
    /// 403: the user lacks a permission.
    Forbidden,
    /// 404: unknown instance, API or endpoint.
    NotFound,
    /// 429, or flow control with another status.
    Throttled,
    /// 5xx.
    Server,
    /// A response that the contract does not allow: a redirect, a 200 that is incomplete, invalid or contains an error, or a
    /// response that cannot be read.
    InvalidAnswer,
    /// The service returned 200, and at least one partition failed.
    PartitionsFailed,
    /// A plan cannot be made or executed: see [`Error::plan_problem`](crate::Error::plan_problem). Nothing was deleted.
    Plan,
}

impl ErrorKind {
    /// Returns the stable name for logs and scripts, such as `not_found`.
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
            Self::Plan => "plan",
        }
    }

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

/// Why a [`Plan`](crate::Plan) cannot be made or executed. Nothing was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlanProblem {
    /// The topic does not exist.
    UnknownTopic,
    /// The topic has no such partition.
    UnknownPartition,
    /// A named consumer group does not exist.
    UnknownGroup,
    /// A named consumer group has no committed offset in the topic.
    NoCommittedOffset,
    /// No consumer group has a committed offset in the topic.
    NoConsumerGroup,
    /// A consumer group has committed an offset beyond the end of a partition.
    CommittedBeyondEnd,
    /// The service cannot tell the offsets of a time exactly, and
    /// [`trust_timestamps`](crate::PlanDeletion::trust_timestamps) is not set.
    TimeNotExact,
    /// The text is not the JSON of a plan, or of a plan of another version.
    NotAPlan,
    /// The stored plan was edited.
    Edited,
    /// The plan expired.
    Expired,
    /// The stored plan is for another endpoint or project.
    OtherService,
    /// The stored plan is for another instance.
    OtherInstance,
    /// The topic was created again after the plan was made.
    OtherTopic,
    /// The start offset of a partition passed the planned offset.
    StartOffsetPassed,
    /// A consumer group would lose more unread records than the plan shows.
    LossesGrew,
}

impl PlanProblem {
    /// Returns the stable name for logs and scripts, such as `unknown_topic`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTopic => "unknown_topic",
            Self::UnknownPartition => "unknown_partition",
            Self::UnknownGroup => "unknown_group",
            Self::NoCommittedOffset => "no_committed_offset",
            Self::NoConsumerGroup => "no_consumer_group",
            Self::CommittedBeyondEnd => "committed_beyond_end",
            Self::TimeNotExact => "time_not_exact",
            Self::NotAPlan => "not_a_plan",
            Self::Edited => "edited",
            Self::Expired => "expired",
            Self::OtherService => "other_service",
            Self::OtherInstance => "other_instance",
            Self::OtherTopic => "other_topic",
            Self::StartOffsetPassed => "start_offset_passed",
            Self::LossesGrew => "losses_grew",
        }
    }
}
