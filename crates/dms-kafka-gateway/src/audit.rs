//! The audit log: a line before each deletion and one after it.

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
    names::TopicPath,
};

/// A file that lines of JSON are appended to.
///
/// A line has reached the operating system when [`AuditLog::intend`] and [`AuditLog::conclude`] return: it survives a crash
/// of the process, but not a power failure in the next seconds.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    file: File,
    /// Whether the last line is incomplete.
    torn: bool,
}

/// Who deletes records, and from which topic.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditContext {
    pub(crate) request_id: String,
    pub(crate) caller: String,
    pub(crate) client: Option<SocketAddr>,
    #[serde(flatten)]
    pub(crate) path: TopicPath,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    event: &'static str,
    #[serde(flatten)]
    context: &'a AuditContext,
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
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|source| Error::file(path, source))?;
        Ok(Self(Arc::new(Mutex::new(Lines { file, torn: false }))))
    }

    /// Checks that the file can be opened, without creating it: its owner would be the user who runs the check.
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

    /// Writes that these rows are about to be deleted; when that fails, nothing may be deleted.
    pub(crate) async fn intend(
        &self,
        context: &AuditContext,
        rows: &[RecordsToDelete],
    ) -> io::Result<()> {
        let rows = rows.iter().map(|asked| AuditRow {
            asked: *asked,
            outcome: None,
        });
        let detail = Detail::Partitions(rows.collect());
        self.write("intent", context, detail).await
    }

    pub(crate) async fn conclude(
        &self,
        context: &AuditContext,
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
        self.write("result", context, detail).await
    }

    async fn write(
        &self,
        event: &'static str,
        context: &AuditContext,
        detail: Detail,
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line {
            time: Timestamp::now(),
            event,
            context,
            detail,
        })?;
        line.push(b'\n');
        let lines = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.torn {
                line.insert(0, b'\n');
            }
            let written = lines.file.write_all(&line);
            lines.torn = written.is_err();
            written
        });
        written.await.map_err(io::Error::other)?
    }
}
