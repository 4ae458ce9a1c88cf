//! A server for Huawei Cloud's *Deleting Kafka Messages* API: for tests with topics in memory, and in front of Apache
//! Kafka.
//!
//! It checks the vendor's request signatures, answers with the vendor's bodies and error codes, and deletes by Kafka's
//! rules. [`Gateway::memory`] starts one inside a test:
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
//! [`Config`] describes a service: several instances, each with its Kafka cluster (feature `kafka`, through librdkafka;
//! `kafka-tls` for TLS to the cluster and every SASL mechanism but Kerberos), several keys with what they may touch, HTTPS
//! (feature `tls`), limits, an audit log.
//!
//! # What a process keeps to itself
//!
//! Nothing about topics: any number of gateways may serve one address. Limits, rate limits, lock-outs, metrics and the
//! audit log's file are each process's own.
//!
//! # What a signature does not do
//!
//! A signed request can be sent again, by whoever saw it, until its date is 15 minutes old: so it is with the vendor. A
//! repeated absolute offset deletes nothing more; a repeated `-1` deletes what was written since. Serve HTTPS.

mod access;
mod app;
mod audit;
mod backend;
mod config;
mod deletion;
mod deletion_target;
mod error;
mod faults;
mod http;
mod limits;
mod memory_gateway;
mod metrics;
mod names;
mod protection;
mod ready_line;
mod refusal;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use backend::{
    PartitionOffsets,
    memory::{CleanupPolicy, TopicSettings},
};
pub use config::{
    AccessKeyConfig, AuditFile, Config, InstanceConfig, KafkaConfig, MemoryConfig, SecretSource,
    TlsFiles, TokenConfig,
};
pub use error::{Error, ErrorKind};
pub use faults::Faults;
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
