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

use crate::backend::{BackendError, BeforeOffset, DeletedRecords, KafkaErrorCode, RecordsToDelete};

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
    partition: i32,
    /// As asked for: -1 is the high watermark.
    offset: i64,
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
    /// What the operating system says.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(Lines { file, torn: false }))))
    }

    /// Whether it could be opened, as far as can be told without creating it: it would belong to whoever asks.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        let folder = match OpenOptions::new().append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.parent(),
            opened => return opened.map(drop),
        };
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), |folder| folder.metadata().map(drop))
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
        let rows = rows.iter().map(|row| AuditRow::new(row, None)).collect();
        self.write("intent", subject, Detail::Partitions(rows))
            .await
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
            Ok(deleted) => Detail::Partitions(
                rows.iter()
                    .zip(deleted)
                    .map(|(row, done)| AuditRow::new(row, Some(done)))
                    .collect(),
            ),
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

impl AuditRow {
    fn new(row: &RecordsToDelete, done: Option<&DeletedRecords>) -> Self {
        let offset = match row.before {
            BeforeOffset::Offset(offset) => offset,
            BeforeOffset::HighWatermark => -1,
        };
        let outcome = done.map(|done| AuditOutcome {
            low_watermark: done.outcome.ok(),
            error_code: done.outcome.map_or_else(KafkaErrorCode::value, |_| 0),
        });
        Self {
            partition: row.partition,
            offset,
            outcome,
        }
    }
}
