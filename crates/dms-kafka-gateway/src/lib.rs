//! A server for Huawei Cloud's *Deleting Kafka Messages* API: for tests with topics in memory, and in front of Apache
//! Kafka.
//!
//! It verifies the vendor's request signatures, responds with the vendor's bodies and error codes, and deletes by Kafka's
//! rules. [`Gateway::memory`] starts one in a test:
//!
//! ```
//! use dms_kafka_gateway::Gateway;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), dms_kafka_gateway::Error> {
//! let gateway = Gateway::memory().topic("orders", 3, 1000).start().await?;
//! println!("send signed requests to {}", gateway.endpoint());
//! gateway.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Config`] describes a gateway with several instances, each with its Kafka cluster (feature `kafka`, through librdkafka;
//! `kafka-tls` for TLS to the cluster and SASL mechanisms other than PLAIN, but not Kerberos or OIDC), several keys with their permissions, HTTPS
//! (feature `tls`), limits and an audit log.
//!
//! [`dms-kafka`](https://docs.rs/dms-kafka) is the client. The [repository](https://github.com/dms-kafka/dms-kafka) has a command that starts a gateway, for
//! tests in any language, and a [changelog](https://github.com/dms-kafka/dms-kafka/blob/main/CHANGELOG.md).
//!
//! # Several processes
//!
//! A gateway keeps no state about topics, so any number of them may serve one address. Limits, rate limits, lockouts,
//! used signatures, metrics and the audit log are per process.
//!
//! # Replayed requests
//!
//! Anyone who reads a signed request can send it again until its date is 15 minutes old, as with the vendor. Repeating an
//! offset deletes nothing more, but repeating `-1` would delete what was written since. So a gateway executes a request
//! with `-1` once: the same signature gets 409 `DMS.00409900`. The date of such a request must not be before the start of
//! the process, nor more than 60 seconds ahead. Dates are whole seconds, so a client that deletes everything twice must wait
//! for the next second. A token is not a signature: who reads one can send any request. Serve HTTPS.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod app;
mod audit;
mod backend;
mod body_memory;
mod config;
mod deletion;
mod deletion_target;
mod error;
mod faults;
mod framing;
mod grants;
mod holds;
mod http;
mod kafka_gateway;
mod limits;
mod memory_gateway;
mod metrics;
mod names;
mod peers;
mod protection;
mod ready_line;
mod refusal;
mod refusal_log;
mod replay;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use backend::{
    GroupState, PartitionOffsets,
    memory::{CleanupPolicy, TopicSettings},
    memory_groups::{CommitSettings, GroupSettings},
};
pub use config::{
    AccessKeyConfig, AuditFile, AuditSync, Config, InstanceConfig, KafkaConfig, MemoryConfig,
    SecretSource, TlsFiles, TokenConfig,
};
pub use error::{Error, ErrorKind};
pub use faults::{FaultRule, Faults};
pub use grants::GrantedOperation;
pub use holds::Holds;
pub use kafka_gateway::KafkaGateway;
pub use limits::Limits;
pub use memory_gateway::{Gateway, MemoryGatewayBuilder};
pub use protection::{LockOut, RateLimit};
pub use ready_line::ReadyLine;
pub use service::{CheckedConfig, Service};
pub use wire::ErrorCodeStyle;

/// The example of the crate's README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
