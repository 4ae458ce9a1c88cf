//! Tests of the public API.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod cached;
mod chain;
mod credentials;
mod fuzz_seeds;
mod metadata;
mod project;
mod properties;
mod providers;
mod regions;
mod signing;
mod support;
mod transport;
mod verification;
