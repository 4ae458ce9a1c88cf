//! The failures file: the rows that were not deleted, in the format of the offsets file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::offsets_file::Layout;
use super::paths;
use super::rows::{self, RowState, RowStates, Rows};
use crate::exit::Failure;

/// Opened before anything is sent.
pub(super) enum FailuresFile {
    /// A temporary file that is renamed when it is complete.
    Replaced { path: PathBuf, file: NamedTempFile },
    /// A pipe or a device.
    Stream(File),
}

impl FailuresFile {
    pub(super) fn create(given: &Path) -> Result<Self, Failure> {
        // The target of a link is replaced, not the link, which may be /dev/stdout.
        let path = &given.canonicalize().unwrap_or_else(|_| given.to_owned());
        let created = if path.exists() && !path.is_file() {
            OpenOptions::new().write(true).open(path).map(Self::Stream)
        } else {
            NamedTempFile::new_in(paths::folder(path)).map(|file| Self::Replaced {
                path: path.to_owned(),
                file,
            })
        };
        created.map_err(|error| {
            let error = error.to_string();
            // The path of the temporary file follows.
            let cause = error.split(" at path ").next().unwrap_or(&error);
            Failure::output(format!(
                "the failures file {} cannot be written: {cause}; nothing was sent",
                given.display()
            ))
        })
    }

    /// Writes the rows that are not known to be deleted. It leaves out deletions of all records with unknown outcome:
    /// repeating them would delete newer records.
    pub(super) fn write(self, layout: Layout, rows: &Rows, states: &RowStates) -> io::Result<()> {
        match self {
            Self::Stream(file) => write_rows(file, layout, rows, states),
            Self::Replaced { path, file } => {
                write_rows(file.as_file(), layout, rows, states)?;
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

fn write_rows(file: impl Write, layout: Layout, rows: &Rows, states: &RowStates) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let (before, between, after) = match layout {
        Layout::Document => ("{\"partitions\":[\n", ",\n", "],\"version\":1}\n"),
        Layout::Lines => ("", "\n", ""),
    };
    file.write_all(before.as_bytes())?;
    let mut separator = "";
    for (row, state) in rows.iter().zip(states.all().iter()) {
        let is_left = match state {
            RowState::Deleted => false,
            RowState::Unknown | RowState::InFlight => !row.is_everything(),
            _ => true,
        };
        if is_left {
            // Topic names contain no character that JSON escapes.
            write!(
                file,
                r#"{separator}{{"topic":"{}","partition":{},"offset":{}}}"#,
                row.topic,
                row.partition,
                rows::offset(row.target)
            )?;
            separator = between;
        }
    }
    if !separator.is_empty() {
        file.write_all(b"\n")?;
    }
    file.write_all(after.as_bytes())?;
    file.flush()
}
