//! The command from outside: what it prints, how it ends, and what it leaves behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::panic, reason = "so does a helper of tests")]
#![expect(clippy::print_stdout, reason = "a long test tells how far it is")]

mod delete;
mod delete_refused;
mod golden;
mod https;
mod journal;
mod pipes;
mod purge;
mod purge_refused;
mod purge_stopped;
mod resume;
mod schema;
mod serve;
mod service;
mod sign;
mod stopping;
mod support;
mod terminal;
