//! Conformance kit for *Deleting Kafka Messages*.
//!
//! The oracle is the OpenAPI document: what goes over the wire is validated against its schemas by a
//! JSON Schema validator, never against the types of the client under test. Cases are files under
//! `cases/`; each names the row of the vendor's page that it proves.

pub mod case;
pub mod client;
pub mod contract;
