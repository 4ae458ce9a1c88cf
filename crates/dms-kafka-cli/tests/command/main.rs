//! Tests of the command through its output, exit codes and files.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]
#![expect(clippy::panic, reason = "a test helper that cannot continue fails")]
#![expect(clippy::print_stdout, reason = "a long test prints its progress")]

mod connection;
mod delete;
mod delete_refused;
mod exit_codes;
mod golden;
mod https;
mod journal;
mod messages;
mod page;
mod pipes;
mod plan;
mod plan_refused;
mod preview;
mod profile;
mod purge;
mod purge_outage;
mod purge_refused;
mod purge_stopped;
mod resume;
mod schema;
mod screens;
mod serve;
mod service;
mod sign;
mod signals;
mod stopping;
mod stored_plan;
mod support;
mod terminal;
