//! Tests of the public API, in one program: linking takes longer than most tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call_settings;
mod calls;
mod canary;
mod dropped;
mod environment;
mod expiry;
mod hostile;
mod http2;
mod http_client;
mod list;
mod partitions;
mod plan_properties;
mod plan_times;
mod plans;
mod properties;
mod public_api;
mod purge;
mod region;
mod results;
mod signed_request;
mod spans;
mod stored_plans;
mod support;
mod tokens;
mod transport;
