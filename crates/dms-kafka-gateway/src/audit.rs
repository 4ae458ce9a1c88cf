//! The audit log: who deleted what, written before it happens and after.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    backend::{BackendError, DeletedRecords},
    deletion_target::RecordsToDelete,
    error::Error,
};

/// A file that lines of JSON are appended to.
///
/// A line reaches the operating system before [`AuditLog::intend`] and [`AuditLog::conclude`] return; it outlives the
/// process, though not a power failure in the next seconds.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    file: File,
    /// Whether a line was begun that could not be written to its end.
    torn: bool,
}

/// Who asks for which records.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditSubject {
    pub(crate) request_id: String,
    pub(crate) caller: String,
    pub(crate) client: Option<SocketAddr>,
    pub(crate) project_id: String,
    pub(crate) instance_id: String,
    pub(crate) topic: String,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    event: &'static str,
    #[serde(flatten)]
    subject: &'a AuditSubject,
    #[serde(flatten)]
    detail: Detail,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Detail {
    Partitions(Vec<AuditRow>),
    Error(String),
}

#[derive(Serialize)]
struct AuditRow {
    #[serde(flatten)]
    asked: RecordsToDelete,
    #[serde(flatten)]
    outcome: Option<AuditOutcome>,
}

#[derive(Serialize)]
struct AuditOutcome {
    /// `null` for a failure.
    low_watermark: Option<i64>,
    error_code: i16,
}

impl AuditLog {
    /// Opens the file, or creates it, to append to it.
    ///
    /// # Errors
    /// The file, and what the operating system says.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|source| Error::file(path, source))?;
        Ok(Self(Arc::new(Mutex::new(Lines { file, torn: false }))))
    }

    /// Whether it could be opened, as far as can be told without creating it: it would belong to whoever asks.
    ///
    /// # Errors
    /// The file, and what the operating system says.
    pub(crate) fn check(path: &Path) -> Result<(), Error> {
        let checked = match OpenOptions::new().append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
                Some(folder) if folder != Path::new("") => folder.metadata().map(drop),
                _ => Ok(()),
            },
            opened => opened.map(drop),
        };
        checked.map_err(|source| Error::file(path, source))
    }

    /// Writes that these rows are about to be deleted.
    ///
    /// # Errors
    /// What the operating system says: then nothing may be deleted.
    pub(crate) async fn intend(
        &self,
        subject: &AuditSubject,
        rows: &[RecordsToDelete],
    ) -> io::Result<()> {
        let rows = rows.iter().map(|asked| AuditRow {
            asked: *asked,
            outcome: None,
        });
        let detail = Detail::Partitions(rows.collect());
        self.write("intent", subject, detail).await
    }

    /// Writes what became of these rows.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) async fn conclude(
        &self,
        subject: &AuditSubject,
        rows: &[RecordsToDelete],
        deleted: &Result<Vec<DeletedRecords>, BackendError>,
    ) -> io::Result<()> {
        let detail = match deleted {
            Ok(deleted) => {
                let rows = rows.iter().zip(deleted).map(|(asked, done)| AuditRow {
                    asked: *asked,
                    outcome: Some(AuditOutcome {
                        low_watermark: done.outcome.ok(),
                        error_code: done.error_code(),
                    }),
                });
                Detail::Partitions(rows.collect())
            }
            Err(error) => Detail::Error(error.to_string()),
        };
        self.write("result", subject, detail).await
    }

    async fn write(
        &self,
        event: &'static str,
        subject: &AuditSubject,
        detail: Detail,
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line {
            time: Timestamp::now(),
            event,
            subject,
            detail,
        })?;
        line.push(b'\n');
        let lines = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .append(line)
        });
        written.await.map_err(io::Error::other)?
    }
}

impl Lines {
    fn append(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        if self.torn {
            line.insert(0, b'\n');
        }
        let written = self.file.write_all(&line);
        self.torn = written.is_err();
        written
    }
}
