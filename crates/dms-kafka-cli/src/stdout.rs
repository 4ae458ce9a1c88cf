//! Writes results to standard output.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use anstream::AutoStream;

use crate::exit::Failure;
use crate::stderr;

/// A closed pipe (`| head`) is not a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text.as_bytes())
}

pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let write = || write_to(io::stdout().lock(), bytes);
    // The progress bar may be on the same terminal.
    if io::stdout().is_terminal() {
        stderr::with_bar_hidden(write)
    } else {
        write()
    }
}

/// Removes the colours unless standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn print_coloured(text: &str) -> Result<(), Failure> {
    write_to(AutoStream::auto(io::stdout()).lock(), text.as_bytes())
}

/// The columns of the terminal.
pub(crate) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

fn write_to(mut stream: impl Write, bytes: &[u8]) -> Result<(), Failure> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::output(format!(
            "standard output cannot be written: {error}"
        ))),
        _ => Ok(()),
    }
}
