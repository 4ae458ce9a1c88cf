//! Conformance kit for *Deleting Kafka Messages*: checks whether a client or a server implements the documented protocol.
//!
//! The oracle is the OpenAPI document: requests and responses are validated against its schemas by a JSON Schema
//! validator, never against the types of the client or server under test. Cases are files under `cases/`; each names the
//! rows of the vendor's page that it proves. The program is `dms-kafka-conformance`; `README.md` explains how to use it
//! and how to add a case.

pub mod cases;
pub mod client;
pub mod contract;
pub mod coverage;
pub mod deviations;
pub mod faults;
mod har;
mod judge;
pub mod proxy;
pub mod recorder;
pub mod report;
mod rewrite;
pub mod script;
pub mod server;
pub mod suite;
mod values;
pub mod wire;

/// Compiles and runs the Rust examples of the repository's README and guides. The packages do not contain them.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/testing.md")]
struct Documents;
