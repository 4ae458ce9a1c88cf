#![doc = include_str!("../README.md")]

mod answer;
mod builder;
mod call;
mod client;
pub mod codes;
mod config;
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
mod partition;
mod purge;
mod retry;
mod service_error;
mod transport;

pub use builder::ClientBuilder;
pub use client::Client;
pub use delete::{DeleteMessages, PreparedRequest};
pub use deletion::{Deletion, UnexpectedItem};
pub use error::Error;
pub use error_kind::ErrorKind;
pub use ids::{InstanceId, InvalidId, Offset, PartitionId, ProjectId, TopicName};
pub use list::PartitionInfo;
pub use outcome::Outcome;
pub use partition::{DeletionTarget, PartitionDeletion, PartitionStatus};
pub use purge::{Purge, PurgeRequest, PurgeResult, PurgeResults, PurgeTarget};
pub use retry::RetryPolicy;

/// Credentials and their providers, from the crate `huaweicloud-auth`.
///
/// `ReqwestTransport::with_client` there takes a client of one version of reqwest and is, like [`raw`], not covered
/// by semantic versioning.
pub use huaweicloud_auth as auth;
#[cfg(feature = "providers")]
pub use huaweicloud_auth::Region;

/// The examples of the repository's README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct RepositoryReadme;

/// The generated client underneath, for what this crate does not cover.
///
/// It follows the generator's conventions and is **not** covered by semantic versioning.
pub use dms_kafka_client as raw;
