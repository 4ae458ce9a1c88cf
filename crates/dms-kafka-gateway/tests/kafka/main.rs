//! The gateway in front of a real Apache Kafka.
//!
//! `cargo xtask kafka test` starts the brokers and passes their addresses in the environment; without it, every test is
//! skipped.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::print_stdout, reason = "the transcript contains the output")]
#![allow(clippy::print_stderr, reason = "skipped tests are reported")]

mod any_cluster;
mod brokers;
mod command;
#[path = "../wire/deletion_table.rs"]
mod deletion_table;
mod front;
mod kafka_flag;
#[path = "../wire/load.rs"]
mod load;
mod one_broker;
mod page;
mod plans;
mod process;
mod reads;
#[allow(dead_code, reason = "these tests need some of what the others need")]
#[path = "../wire/support.rs"]
mod support;
mod table;
mod three_brokers;
mod topics;
