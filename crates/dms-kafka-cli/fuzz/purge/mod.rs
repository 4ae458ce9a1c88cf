//! The modules of the command that the targets use.

#[path = "../../src/commands/purge/durable_file.rs"]
mod durable_file;
#[path = "../../src/commands/purge/failures_file.rs"]
mod failures_file;
#[path = "../../src/commands/purge/journal.rs"]
mod journal;
#[path = "../../src/commands/purge/offsets_file.rs"]
mod offsets_file;
#[path = "../../src/commands/purge/rows.rs"]
mod rows;
#[path = "../../tests/fuzz/targets.rs"]
pub(crate) mod targets;
