//! The command from outside: what it prints, how it ends, and what it leaves behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod delete;
mod purge;
mod sign;
mod support;
