//! The gateway as its clients and operators use it: over the wire.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::print_stdout,
    reason = "the numbers of a load test are printed"
)]

mod access;
mod audit;
mod config;
mod connections;
mod control;
mod delete_records;
mod delete_requests;
mod deletion_table;
mod exhaustion;
mod faults;
mod fuzz_seeds;
mod grants;
mod heads;
mod list_partitions;
mod load;
mod logs;
mod operations;
mod protection;
mod reads;
mod replay;
mod shutdown;
mod support;
#[cfg(feature = "tls")]
mod tls;
