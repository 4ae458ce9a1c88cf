//! A topic with records in it, for what is judged from outside.

use std::path::Path;

use super::jars::Java;
use crate::failure::{Failure, Result};

/// Creates topics and fills them; Java compiles it on its way.
const SEED: &str = "tests/kafka/SeedTopic.java";

/// Creates a topic with so many partitions, and so many records in each of them.
pub(super) fn create(
    root: &Path,
    java: &Java,
    bootstrap: &str,
    (name, partitions, records): (&str, u16, u32),
) -> Result<()> {
    let source = root.join(SEED);
    let mut seed = java.class(&source.display().to_string());
    seed.args([
        bootstrap,
        name,
        &partitions.to_string(),
        &records.to_string(),
    ]);
    let output = seed
        .output()
        .map_err(|error| Failure::file("java", error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::file(
        SEED,
        format_args!("{}\n{said}", output.status),
    ))
}
