//! Writes results to standard output.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use anstream::AutoStream;

use crate::exit::Failure;
use crate::stderr;

/// Writes `text`; a reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text.as_bytes())
}

/// The same for bytes.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let write = || write_to(io::stdout().lock(), bytes);
    // A progress bar may stand on the same terminal.
    if io::stdout().is_terminal() {
        stderr::with_bar_hidden(write)
    } else {
        write()
    }
}

/// The same for a text with colours, which only a terminal gets, and none that `NO_COLOR` forbids.
pub(crate) fn print_coloured(text: &str) -> Result<(), Failure> {
    write_to(AutoStream::auto(io::stdout()).lock(), text.as_bytes())
}

fn write_to(mut stream: impl Write, bytes: &[u8]) -> Result<(), Failure> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::output(format!(
            "standard output cannot be written: {error}"
        ))),
        _ => Ok(()),
    }
}
