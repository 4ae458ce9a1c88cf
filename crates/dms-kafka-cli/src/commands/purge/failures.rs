//! The failures file: what is left to do, in the form of the offsets file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::feed::CHANGED;
use super::rows::{self, Layout};
use super::source::Source;
use super::states::{RowState, States};
use crate::exit::Failure;

/// A place to write the failures to, found good before anything is sent.
pub(super) enum FailuresFile {
    /// Put in place when it is complete.
    Replaced { path: PathBuf, file: NamedTempFile },
    /// A pipe or a device.
    Stream(File),
}

impl FailuresFile {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        // The file behind a link is replaced, not the link: it may be /dev/stdout.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let created = if path.exists() && !path.is_file() {
            OpenOptions::new().write(true).open(path).map(Self::Stream)
        } else {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map(|file| Self::Replaced {
                path: path.to_owned(),
                file,
            })
        };
        created.map_err(|error| {
            Failure::usage(format!(
                "the failures file {} cannot be written: {error}; nothing was sent",
                path.display()
            ))
        })
    }

    /// Writes every row that is not known to be deleted, but those whose deletion of everything may have been carried
    /// out: repeating it would delete what was written since.
    pub(super) fn write(self, source: &Source, layout: Layout, states: &States) -> io::Result<()> {
        match self {
            Self::Stream(file) => write_rows(file, source, layout, states),
            Self::Replaced { path, file } => {
                write_rows(file.as_file(), source, layout, states)?;
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

fn write_rows(
    file: impl Write,
    source: &Source,
    layout: Layout,
    states: &States,
) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let (before, between, after) = match layout {
        Layout::Document => ("{\"partitions\":[\n", ",\n", "],\"version\":1}\n"),
        Layout::Lines => ("", "\n", ""),
    };
    file.write_all(before.as_bytes())?;
    let (mut number, mut is_first) = (0, true);
    let written = rows::read(source.reader()?, &mut |row| {
        let state = states.get(number);
        number += 1;
        let is_left = match state {
            Some(RowState::Deleted) | None => false,
            Some(RowState::Unknown | RowState::UnderWay) => !row.is_everything(),
            Some(_) => true,
        };
        if !is_left {
            return Ok(());
        }
        let separator = if is_first { "" } else { between };
        is_first = false;
        serde_json::to_string(&row)
            .map_err(io::Error::from)
            .and_then(|row| write!(file, "{separator}{row}"))
            .map_err(|error| error.to_string())
    });
    written.map_err(|error| io::Error::other(error.to_string()))?;
    if !source.is_unchanged() {
        return Err(io::Error::other(format!("{}: {CHANGED}", source.name())));
    }
    if !is_first {
        file.write_all(b"\n")?;
    }
    file.write_all(after.as_bytes())?;
    file.flush()
}
