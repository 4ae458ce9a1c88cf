//! Writes results to standard output.

use std::io::{ErrorKind, Write};

use crate::exit::Failure;

/// Writes `text`; a reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::usage(format!(
            "standard output cannot be written: {error}"
        ))),
        _ => Ok(()),
    }
}
