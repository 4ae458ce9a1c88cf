//! The journal: which rows of an offsets file are finished, so that a purge can be taken up again.
//!
//! A file of JSON lines: a header that says what is purged, then one line for each request. A line is handed to the
//! operating system at once, so that it outlives the process, and reaches the disk with the next group; a request that
//! deletes everything waits until its intent is on the disk. What stands after the last line break is what a crash has
//! torn: it is cut off.

mod durable;
mod entry;

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::states::{RowState, States};
use crate::exit::Failure;
use durable::DurableFile;
pub(super) use entry::{Entry, Header};

/// An open journal, held against other processes until it is closed.
pub(super) struct Journal {
    file: DurableFile,
}

impl Journal {
    /// Opens the journal, or begins it, and sets the states of the rows that it records. An intent without a result
    /// leaves its rows [`UnderWay`](RowState::UnderWay).
    ///
    /// # Errors
    /// Usage: the file is no journal, or one of another purge, or in use.
    pub(super) fn open(path: &Path, header: &Header, states: &States) -> Result<Self, Failure> {
        let refuse = |cause: String| refused(path, cause);
        let file = open_locked(path).map_err(refuse)?;
        let length = match replay(&file, header, states).map_err(refuse)? {
            0 => begin(path, &file, header)
                .map_err(|error| refuse(format!("cannot be begun: {error}")))?,
            length => length,
        };
        // Cuts off what a crash has torn.
        file.set_len(length)
            .and_then(|()| DurableFile::new(file, length))
            .map(|file| Self { file })
            .map_err(|error| refuse(format!("cannot be continued: {error}")))
    }

    /// Sets the states of the rows as [`open`](Self::open) does, and changes nothing; a journal that is yet to be begun
    /// records nothing.
    pub(super) fn look(path: &Path, header: &Header, states: &States) -> Result<(), Failure> {
        if !path.exists() {
            return Ok(());
        }
        open_with(path, OpenOptions::new().read(true))
            .and_then(|file| replay(&file, header, states))
            .map(drop)
            .map_err(|cause| refused(path, cause))
    }

    /// Records that these rows are about to be sent; returns when a crash cannot undo that any more.
    pub(super) async fn intend(&self, rows: &[u64]) -> io::Result<()> {
        let entry = Entry {
            intent: rows.to_vec(),
            ..Entry::default()
        };
        self.file.append_durably(&entry.line()?).await
    }

    /// Records results.
    pub(super) fn record(&self, entry: &Entry) -> io::Result<()> {
        self.file.append(&entry.line()?)
    }

    /// Returns when everything is on the disk.
    pub(super) fn close(self) -> io::Result<()> {
        self.file.close()
    }
}

fn refused(path: &Path, cause: impl Display) -> Failure {
    Failure::usage(format!(
        "the journal {}: {cause}; nothing was sent",
        path.display()
    ))
}

fn open_with(path: &Path, options: &OpenOptions) -> Result<File, String> {
    // Opening a pipe would wait for its other end.
    if path.exists() && !path.is_file() {
        return Err("is not a regular file".to_owned());
    }
    options
        .open(path)
        .map_err(|error| format!("cannot be opened: {error}"))
}

fn open_locked(path: &Path) -> Result<File, String> {
    let file = open_with(
        path,
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
    )?;
    match FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err("is in use by another process".to_owned()),
        Err(TryLockError::Error(error)) => Err(format!("cannot be locked: {error}")),
    }
}

/// Reads what there is, and says how many bytes of it are whole lines.
fn replay(file: &File, header: &Header, states: &States) -> Result<u64, String> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut length = 0;
    for number in 1_u64.. {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| format!("cannot be read: {error}"))?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            if length == 0 && !header.begins_with(&line) {
                return Err("is not a journal of dms-kafka: name another file".to_owned());
            }
            break;
        }
        if number == 1 {
            header.check(&line)?;
        } else {
            Entry::parse(&line)
                .filter(|entry| entry.apply(states))
                .ok_or_else(|| format!("line {number} cannot be understood"))?;
        }
        length += read as u64;
    }
    Ok(length)
}

/// Writes the header to the disk, and the file's name too.
fn begin(path: &Path, mut file: &File, header: &Header) -> io::Result<u64> {
    let line = header.line()?;
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    file.write_all(&line)?;
    file.sync_all()?;
    #[cfg(unix)]
    {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(line.len() as u64)
}

/// Rows whose deletion of everything was begun and never finished: from now on they are unknown.
pub(super) fn settle_intents(journal: &Journal, states: &States) -> io::Result<()> {
    let rows = states.rows_in(RowState::UnderWay);
    if !rows.is_empty() {
        journal.record(&Entry {
            unknown: rows.clone(),
            ..Entry::default()
        })?;
        states.set_all(&rows, RowState::Unknown);
    }
    Ok(())
}
