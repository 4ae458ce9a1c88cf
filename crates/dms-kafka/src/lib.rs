#![doc = include_str!("../README.md")]

mod builder;
mod call;
mod circuit_breaker;
mod client;
pub mod codes;
mod config;
mod consumer_groups;
mod delete;
mod deletion;
mod error;
mod error_kind;
mod ids;
#[cfg(any(fuzzing, feature = "__internals"))]
#[doc(hidden)]
pub mod internals;
mod list;
mod outcome;
mod paging;
mod partition;
mod plan;
mod plan_content;
mod plan_deletion;
mod plan_document;
mod plan_drift;
mod plan_problem;
mod plan_time;
mod purge;
mod records;
mod response;
mod retry;
mod service_error;
mod signing_date;
mod transport;

pub use builder::ClientBuilder;
pub use circuit_breaker::CircuitBreaker;
pub use client::Client;
pub use delete::{DeleteMessages, PreparedRequest};
pub use deletion::{Deletion, UnexpectedItem};
pub use error::Error;
pub use error_kind::ErrorKind;
pub use ids::{InstanceId, InvalidId, Offset, PartitionId, ProjectId, TopicName};
pub use list::PartitionInfo;
pub use outcome::Outcome;
pub use partition::{DeletionTarget, PartitionDeletion, PartitionStatus};
pub use plan::Plan;
pub use plan_content::{GroupLoss, GroupPosition, Losses, PlannedPartition, SkippedPartition};
pub use plan_deletion::PlanDeletion;
pub use plan_problem::PlanProblem;
pub use purge::{Purge, PurgeRequest, PurgeResult, PurgeResults, PurgeTarget};
pub use retry::RetryPolicy;

/// Credentials and their providers, from the crate `huaweicloud-auth`.
///
/// `ReqwestTransport::with_client` depends on the version of reqwest and is, like [`raw`], not covered by semantic
/// versioning.
pub use huaweicloud_auth as auth;
#[cfg(feature = "providers")]
pub use huaweicloud_auth::Region;

/// The generated client, for operations that this crate does not have.
///
/// Its API follows the generator and is **not** covered by semantic versioning.
pub use dms_kafka_client as raw;
