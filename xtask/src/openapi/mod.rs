//! The contract as OpenAPI 3.0: its values, its keys, and its rules.

mod keys;
mod node;

pub(crate) use keys::{METHODS, check};
pub(crate) use node::{Fault, Node};
