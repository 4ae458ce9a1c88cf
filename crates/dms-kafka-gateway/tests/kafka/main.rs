//! The gateway in front of a real Apache Kafka.
//!
//! `cargo xtask kafka test` starts the brokers and says in the environment where they are; without them every test here
//! says that it was skipped.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it expected"
)]
#![allow(clippy::print_stdout, reason = "cases are told to the transcript")]
#![allow(clippy::print_stderr, reason = "what was skipped is said")]

mod any_cluster;
mod brokers;
mod command;
#[path = "../wire/deletion_table.rs"]
mod deletion_table;
mod front;
#[path = "../wire/load.rs"]
mod load;
mod one_broker;
mod process;
#[allow(dead_code, reason = "these tests need some of what the others need")]
#[path = "../wire/support.rs"]
mod support;
mod table;
mod three_brokers;
mod topics;
