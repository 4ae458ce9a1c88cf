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
    ignore_closed_pipe(write_bytes(bytes))
}

/// Removes the colours unless standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn print_coloured(text: &str) -> Result<(), Failure> {
    ignore_closed_pipe(write_coloured(text))
}

/// Like [`print()`], for results that somebody must get: a closed pipe is a failure.
pub(crate) fn deliver(text: &str) -> Result<(), Failure> {
    write_bytes(text.as_bytes()).map_err(|error| failed(&error))
}

/// Like [`print_coloured`], for results that somebody must get: a closed pipe is a failure.
pub(crate) fn deliver_coloured(text: &str) -> Result<(), Failure> {
    write_coloured(text).map_err(|error| failed(&error))
}

/// The columns of the terminal.
pub(crate) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// Nothing is to be sent if the reader of the results is gone already.
pub(crate) fn check_reader() -> Result<(), Failure> {
    if is_closed() {
        return Err(closed_by_reader());
    }
    Ok(())
}

#[cfg(unix)]
fn is_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let output = io::stdout();
    let mut polled = [PollFd::new(&output, PollFlags::OUT)];
    let now = Timespec::default();
    poll(&mut polled, Some(&now)).is_ok()
        && polled[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(not(unix))]
fn is_closed() -> bool {
    false
}

/// Returns when standard output is a pipe or socket and its reader is gone, also before anything is written.
pub(crate) async fn closed() -> Failure {
    wait_until_closed().await;
    closed_by_reader()
}

fn closed_by_reader() -> Failure {
    Failure::output("standard output was closed by its reader".to_owned())
}

#[cfg(unix)]
async fn wait_until_closed() {
    use std::os::fd::AsFd as _;
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;

    let output = io::stdout().as_fd().try_clone_to_owned();
    // Files cannot be watched, and no reader closes them. The mode of the descriptor, which other processes share, is not
    // changed: nothing is written here.
    if let Ok(watched) = output.and_then(|output| Sender::from_file_unchecked(output.into()))
        && watched.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(not(unix))]
async fn wait_until_closed() {
    std::future::pending::<()>().await;
}

fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let write = || write_to(io::stdout().lock(), bytes);
    // The progress bar may be on the same terminal.
    if io::stdout().is_terminal() {
        stderr::with_bar_hidden(write)
    } else {
        write()
    }
}

fn write_coloured(text: &str) -> io::Result<()> {
    write_to(AutoStream::auto(io::stdout()).lock(), text.as_bytes())
}

fn write_to(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

fn ignore_closed_pipe(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::output(format!("standard output cannot be written: {error}"))
}
