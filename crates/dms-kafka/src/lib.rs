#![doc = include_str!("../README.md")]
//! # Where to start
//!
//! | task | items |
//! |---|---|
//! | create a client | [`Client::builder`], [`Client::from_env`], [`ClientBuilder`] |
//! | delete from one topic | [`Client::delete_messages`], [`DeleteMessages`], [`Deletion::into_result`] |
//! | delete from many topics | [`Client::purge`], [`Purge`], [`PurgeResult`], [`CircuitBreaker`] |
//! | see first what will be lost | [`Client::plan_deletion`], [`PlanDeletion`], [`Plan`], [`Losses`] |
//! | read offsets and names | [`Client::list_partitions`], [`Client::list_topics`] |
//! | handle errors | [`Error`], [`ErrorKind`], [`Outcome`], [`codes`], [`RetryPolicy`] |
//! | choose credentials | [`auth`] |
//! | call an operation that this crate does not have | [`Client::send_signed`], [`raw`] |
//!
//! The repository has [examples](https://github.com/dms-kafka/dms-kafka/tree/main/crates/dms-kafka/examples) and a
//! [changelog](https://github.com/dms-kafka/dms-kafka/blob/main/CHANGELOG.md). The crate
//! [`dms-kafka-gateway`](https://docs.rs/dms-kafka-gateway) is the server for tests.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod call;
mod call_settings;
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
mod plan_time;
mod purge;
mod records;
mod response;
mod retry;
#[cfg(feature = "serde")]
mod serialize;
mod service_error;
mod signed_request;
mod signing_date;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;

pub use builder::ClientBuilder;
pub use circuit_breaker::CircuitBreaker;
pub use client::Client;
pub use delete::{DeleteMessages, PreparedRequest};
pub use deletion::{Deletion, UnexpectedItem};
pub use error::Error;
pub use error_kind::{ErrorKind, PlanProblem};
pub use ids::{InstanceId, InvalidId, Offset, PartitionId, ProjectId, TopicName};
pub use list::PartitionInfo;
pub use outcome::Outcome;
pub use partition::{DeletionTarget, PartitionDeletion, PartitionStatus};
pub use plan::Plan;
pub use plan_content::{GroupLoss, GroupPosition, Losses, PlannedPartition, SkippedPartition};
pub use plan_deletion::PlanDeletion;
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
