//! The journal records the finished rows of an offsets file, so that a purge can be resumed.
//!
//! It has JSON lines: a header that identifies the purge, then two lines for each request, its intent and its result. A line
//! is written to the file at once, so that it survives a crash of the process. It is synced to the disk together with other
//! lines. A request that deletes all records waits until its intent is on the disk. An incomplete last line is removed.
//!
//! Version 1 has no project in its header, and intents only of requests that delete all records. Such a journal is continued
//! as it is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::durable_file::DurableFile;
use super::rows::{RowState, RowStates, Rows};
use crate::exit::Failure;
use crate::paths;

const NAME: &str = "dms-kafka purge";
const VERSION: u32 = 2;
const VERSION_WITHOUT_PROJECT: u32 = 1;
const NO_JOURNAL: &str = "is not a journal of dms-kafka: use another file";

/// An open journal, locked until it is closed.
pub(super) struct Journal {
    file: DurableFile,
}

impl Journal {
    /// Opens or creates the journal, and sets the states of the rows that it records.
    ///
    /// # Errors
    /// Usage: the file is not the journal of this purge, or is locked. Output: it cannot be opened or written.
    pub(super) fn open(
        path: &Path,
        expected: &Expected<'_>,
        states: &RowStates,
    ) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = open_with(path, &options)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(refused(path, "is in use by another process"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(path, "locked", &error)),
        }
        let length = match replay(path, &file, expected, states)? {
            0 => begin(path, &file, &expected.header)
                .map_err(|error| failed(path, "created", &error))?,
            length => length,
        };
        // Removes an incomplete last line.
        file.set_len(length)
            .and_then(|()| DurableFile::new(file, length))
            .map(|file| Self { file })
            .map_err(|error| failed(path, "opened", &error))
    }

    /// Sets the states of the rows like [`open`](Self::open), without changing or creating the journal.
    pub(super) fn read_states(
        path: &Path,
        expected: &Expected<'_>,
        states: &RowStates,
    ) -> Result<(), Failure> {
        if !path.exists() {
            return Ok(());
        }
        let file = open_with(path, OpenOptions::new().read(true))?;
        replay(path, &file, expected, states).map(drop)
    }

    /// Records that these rows are about to be sent. If they delete all records, returns when that is on the disk.
    pub(super) async fn intend(&self, rows: &[u64], everything: bool) -> io::Result<()> {
        let line = line(&JournalEntry::from([(Recorded::Intent, rows.to_vec())]))?;
        if everything {
            self.file.append_durably(&line).await
        } else {
            self.file.append(&line)
        }
    }

    pub(super) fn record(&self, entry: &JournalEntry) -> io::Result<()> {
        self.file.append(&line(entry)?)
    }

    /// Returns when everything is on the disk.
    pub(super) fn close(self) -> io::Result<()> {
        self.file.close()
    }
}

fn refused(path: &Path, cause: impl Display) -> Failure {
    Failure::usage(format!(
        "the journal {}: {cause}; nothing was deleted",
        path.display()
    ))
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::output(format!(
        "the journal {} cannot be {what}: {error}; nothing was deleted",
        path.display()
    ))
}

fn open_with(path: &Path, options: &OpenOptions) -> Result<File, Failure> {
    // Opening a named pipe would block.
    if path.exists() && !path.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    if paths::is_standard_stream(path) {
        return Err(refused(
            path,
            "is standard input, standard output or standard error: use another file",
        ));
    }
    options
        .open(path)
        .map_err(|error| failed(path, "opened", &error))
}

/// Applies all complete lines, decides about rows with unknown outcome, and returns the length of the lines in bytes.
pub(super) fn replay(
    path: &Path,
    input: impl Read,
    expected: &Expected<'_>,
    states: &RowStates,
) -> Result<u64, Failure> {
    let mut reader = BufReader::new(input);
    let mut line = Vec::new();
    let mut length = 0;
    for number in 1_u64.. {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| failed(path, "read", &error))?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            if length == 0 && !expected.header.begins_with(&line) {
                return Err(refused(path, NO_JOURNAL));
            }
            break;
        }
        if number == 1 {
            expected
                .check(&line)
                .map_err(|cause| refused(path, cause))?;
        } else if !apply(&line, states) {
            return Err(refused(path, format!("line {number} is not valid")));
        }
        length += read as u64;
    }
    states.resolve(expected.rows);
    Ok(length)
}

/// Writes the header and syncs file and folder.
fn begin(path: &Path, mut file: &File, header: &JournalHeader) -> io::Result<u64> {
    let line = line(header)?;
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    file.write_all(&line)?;
    file.sync_all()?;
    #[cfg(unix)]
    File::open(paths::folder(path))?.sync_all()?;
    Ok(line.len() as u64)
}

/// The purge that a journal must belong to.
pub(super) struct Expected<'a> {
    pub(super) header: JournalHeader,
    pub(super) rows: &'a Rows,
    /// Whether the endpoint may be another one.
    pub(super) allow_other_endpoint: bool,
}

/// The first line, which identifies the purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalHeader {
    /// `dms-kafka purge`
    journal: String,
    version: u32,
    /// SHA-256 of the offsets file, in hexadecimal.
    offsets_sha256: String,
    rows: u64,
    endpoint: String,
    /// `None` in version 1, and in a dry run, which does not look it up.
    #[serde(default)]
    project_id: Option<String>,
    instance_id: String,
}

impl JournalHeader {
    pub(super) fn new(
        offsets_sha256: &str,
        rows: u64,
        endpoint: &str,
        project_id: Option<&str>,
        instance_id: &str,
    ) -> Self {
        Self {
            journal: NAME.to_owned(),
            version: VERSION,
            offsets_sha256: offsets_sha256.to_owned(),
            rows,
            endpoint: endpoint.to_owned(),
            project_id: project_id.map(str::to_owned),
            instance_id: instance_id.to_owned(),
        }
    }

    /// Whether these bytes are the start of this header.
    fn begins_with(&self, incomplete: &[u8]) -> bool {
        line(self).is_ok_and(|line| line.starts_with(incomplete))
    }
}

impl Expected<'_> {
    /// Checks the first line of a journal.
    fn check(&self, line: &[u8]) -> Result<(), String> {
        let Ok(found) = serde_json::from_slice::<JournalHeader>(line) else {
            return Err(NO_JOURNAL.to_owned());
        };
        let header = &self.header;
        if found.journal != header.journal {
            return Err(NO_JOURNAL.to_owned());
        }
        if !matches!(
            (found.version, &found.project_id),
            (VERSION, Some(_)) | (VERSION_WITHOUT_PROJECT, None)
        ) {
            return Err("has the format of another version of dms-kafka".to_owned());
        }
        let what = if (&found.offsets_sha256, found.rows) != (&header.offsets_sha256, header.rows) {
            "another offsets file, or another version of this file".to_owned()
        } else if let (Some(found), Some(expected)) = (&found.project_id, &header.project_id)
            && found != expected
        {
            format!("the project {found}")
        } else if found.instance_id != header.instance_id {
            format!("the instance {}", found.instance_id)
        } else if found.endpoint != header.endpoint && !self.allow_other_endpoint {
            return Err(format!(
                "was written for the endpoint {}: if {} leads to the same instance, add --allow-other-endpoint",
                found.endpoint, header.endpoint
            ));
        } else {
            return Ok(());
        };
        Err(format!("belongs to {what}: use another journal"))
    }
}

/// Any other line: numbers of rows, from 0, by what is recorded.
pub(super) type JournalEntry = BTreeMap<Recorded, Vec<u64>>;

/// Applied in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Recorded {
    /// A request is about to be sent.
    Intent,
    Deleted,
    Failed,
    Refused,
    Unknown,
    /// The request had no effect, for a reason that passes.
    Undone,
}

impl Recorded {
    fn state(self) -> RowState {
        match self {
            Self::Intent => RowState::InFlight,
            Self::Deleted => RowState::Deleted,
            Self::Failed => RowState::Failed,
            Self::Refused => RowState::Refused,
            Self::Unknown => RowState::Unknown,
            Self::Undone => RowState::Waiting,
        }
    }
}

/// Returns `false` for a line that is not valid, or a row number that does not exist.
fn apply(line: &[u8], states: &RowStates) -> bool {
    serde_json::from_slice::<JournalEntry>(line).is_ok_and(|entry| {
        let mut entry = entry.iter();
        entry.all(|(recorded, rows)| states.set_all(rows, recorded.state()))
    })
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
