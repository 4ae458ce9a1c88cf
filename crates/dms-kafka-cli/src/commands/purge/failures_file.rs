//! The failures file: the rows that were not deleted, in the format of the offsets file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::offsets_file::Layout;
use super::paths;
use super::rows::{RowStates, Rows};
use crate::exit::Failure;

/// Opened before anything is sent.
pub(super) enum FailuresFile {
    /// A temporary file that is renamed when it is complete.
    Regular {
        path: PathBuf,
        file: NamedTempFile,
        overwrite: bool,
    },
    /// A pipe or a device.
    Stream(File),
}

impl FailuresFile {
    /// # Errors
    /// Usage: the file exists and `overwrite` is not set, or it is standard output. Output: it cannot be created.
    pub(super) fn create(given: &Path, overwrite: bool) -> Result<Self, Failure> {
        // Also a link to nothing exists.
        let exists = given.symlink_metadata().is_ok();
        let refused = |cause: &str| {
            let given = given.display();
            Failure::usage(format!(
                "--failures-file {given}: {cause}; nothing was deleted"
            ))
        };
        if given == Path::new("-") || paths::is_standard_stream(given) {
            return Err(refused(
                "it is standard input, standard output or standard error: use another file",
            ));
        }
        if given.is_dir() {
            return Err(refused("this is a folder"));
        }
        let is_stream = given.exists() && !given.is_file();
        if exists && !is_stream && !overwrite {
            return Err(refused(
                "the file exists: use another file, or add --overwrite",
            ));
        }
        // The target of a link is replaced, not the link.
        let path = given.canonicalize().unwrap_or_else(|_| given.to_owned());
        let created = if is_stream {
            OpenOptions::new().write(true).open(given).map(Self::Stream)
        } else {
            NamedTempFile::new_in(paths::folder(&path)).map(|file| Self::Regular {
                path,
                file,
                overwrite,
            })
        };
        created.map_err(|error| {
            let error = error.to_string();
            // The path of the temporary file follows.
            let cause = error.split(" at path ").next().unwrap_or(&error);
            Failure::output(format!(
                "the failures file {} cannot be written: {cause}; nothing was deleted",
                given.display()
            ))
        })
    }

    /// Writes the rows that are not known to be deleted. It leaves out deletions of all records with unknown outcome:
    /// repeating them would delete newer records.
    pub(super) fn write(self, layout: Layout, rows: &Rows, states: &RowStates) -> io::Result<()> {
        match self {
            Self::Stream(file) => write_rows(file, layout, rows, states),
            Self::Regular {
                path,
                file,
                overwrite,
            } => {
                write_rows(file.as_file(), layout, rows, states)?;
                file.as_file().sync_all()?;
                if overwrite {
                    file.persist(path)?;
                } else {
                    file.persist_noclobber(path)?;
                }
                Ok(())
            }
        }
    }
}

pub(super) fn write_rows(
    file: impl Write,
    layout: Layout,
    rows: &Rows,
    states: &RowStates,
) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let (before, between, after) = match layout {
        Layout::Document => ("{\"partitions\":[\n", ",\n", "],\"version\":1}\n"),
        Layout::Lines => ("", "\n", ""),
    };
    file.write_all(before.as_bytes())?;
    let mut separator = "";
    for (row, state) in rows.iter().zip(states.all().iter()) {
        if state.is_left(&row) {
            // Topic names contain no character that JSON escapes.
            write!(
                file,
                r#"{separator}{{"topic":"{}","partition":{},"offset":{}}}"#,
                row.topic,
                row.partition,
                row.target.to_api_offset()
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
