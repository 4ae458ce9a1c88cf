//! The audit log: a line before each deletion and one after it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    backend::{BackendError, DeletedRecords},
    config::{AuditFile, AuditSync},
    deletion_target::RecordsToDelete,
    error::Error,
    names::TopicPath,
};

/// A file that lines of JSON are appended to.
///
/// A line has reached the operating system when [`AuditLog::intend`] and [`AuditLog::conclude`] return: it survives a crash
/// of the process, and a power failure if the configuration syncs it.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog(Arc<Log>);

#[derive(Debug)]
struct Log {
    path: PathBuf,
    sync: AuditSync,
    lines: Mutex<Lines>,
    /// Whether the last line could not be written.
    failed: AtomicBool,
    /// Held while a line of more than [`SHORT_LINE_ROWS`] rows is in memory: no budget counts it.
    long_line: tokio::sync::Mutex<()>,
}

/// Lines of more rows are written one after the other.
const SHORT_LINE_ROWS: usize = 1000;

#[derive(Debug)]
struct Lines {
    file: Arc<File>,
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
    context: Option<&'a AuditContext>,
    #[serde(flatten)]
    detail: Option<Detail>,
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
    pub(crate) fn open(config: AuditFile) -> Result<Self, Error> {
        let AuditFile { file: path, sync } = config;
        let lines = Lines::open(&path, sync).map_err(|source| Error::file(&path, source))?;
        Ok(Self(Arc::new(Log {
            path,
            sync,
            lines: Mutex::new(lines),
            failed: AtomicBool::new(false),
            long_line: tokio::sync::Mutex::default(),
        })))
    }

    /// Opens the file again, and creates it if it was moved.
    pub(crate) fn reopen(&self) -> Result<(), Error> {
        let Log { path, sync, .. } = &*self.0;
        let opened = Lines::open(path, *sync).map_err(|source| Error::file(path, source))?;
        *self.0.lines() = opened;
        Ok(())
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

    /// Writes that these rows are about to be deleted; when that fails, nothing may be deleted. `deletes_everything` says
    /// whether the request had -1, which holds replace.
    pub(crate) async fn intend(
        &self,
        context: &AuditContext,
        rows: &[RecordsToDelete],
        deletes_everything: bool,
    ) -> io::Result<()> {
        let sync = match self.0.sync {
            AuditSync::Never => false,
            AuditSync::Everything => deletes_everything,
            AuditSync::Always => true,
        };
        let _turn = self.turn(rows).await;
        let rows = rows.iter().map(|asked| AuditRow {
            asked: *asked,
            outcome: None,
        });
        let detail = Detail::Partitions(rows.collect());
        self.write("intent", Some(context), Some(detail), sync)
            .await
    }

    pub(crate) async fn conclude(
        &self,
        context: &AuditContext,
        rows: &[RecordsToDelete],
        deleted: &Result<Vec<DeletedRecords>, BackendError>,
    ) -> io::Result<()> {
        let _turn = self.turn(rows).await;
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
        let sync = self.0.sync == AuditSync::Always;
        self.write("result", Some(context), Some(detail), sync)
            .await
    }

    async fn turn(&self, rows: &[RecordsToDelete]) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match rows.len() {
            0..=SHORT_LINE_ROWS => None,
            _ => Some(self.0.long_line.lock().await),
        }
    }

    /// Fails while lines cannot be written. After a failure, it writes a line itself: a gateway that is not ready gets no
    /// deletion that could show whether lines can be written again.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        if self.0.failed.load(Ordering::Relaxed) {
            let sync = self.0.sync != AuditSync::Never;
            self.write("recovered", None, None, sync).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        event: &'static str,
        context: Option<&AuditContext>,
        detail: Option<Detail>,
        sync: bool,
    ) -> io::Result<()> {
        let (log, context) = (self.0.clone(), context.cloned());
        let written = tokio::task::spawn_blocking(move || {
            // Here, because a line may have a hundred thousand rows.
            let mut line = serde_json::to_vec(&Line {
                time: Timestamp::now(),
                event,
                context: context.as_ref(),
                detail,
            })?;
            line.push(b'\n');
            let written = log.append(&line, sync);
            log.failed.store(written.is_err(), Ordering::Relaxed);
            written
        });
        written.await.map_err(io::Error::other)?
    }
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, line: &[u8], sync: bool) -> io::Result<()> {
        let file = self.lines().append_at(&self.path, self.sync, line)?;
        // Without the lock: one sync covers all lines that were written before it.
        if sync { file.sync_data() } else { Ok(()) }
    }
}

impl Lines {
    fn open(path: &Path, sync: AuditSync) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        if sync != AuditSync::Never {
            sync_folder(path)?;
        }
        Ok(Self {
            torn: is_torn(&file, path)?,
            file: Arc::new(file),
        })
    }

    /// Appends to the file at the path, which may have been renamed or removed. Returns the file.
    fn append_at(&mut self, path: &Path, sync: AuditSync, line: &[u8]) -> io::Result<Arc<File>> {
        // Twice, because the file may be removed while the line is written.
        for _ in 0..2 {
            if !is_at(&self.file, path)? {
                *self = Self::open(path, sync)?;
            }
            self.append(path, line)?;
            if !is_removed(&self.file)? {
                return Ok(self.file.clone());
            }
        }
        Err(io::Error::other("the file was removed again and again"))
    }

    fn append(&mut self, path: &Path, line: &[u8]) -> io::Result<()> {
        let mut file = &*self.file;
        let end = if self.torn { "\n" } else { "" };
        let written = file.write_all(end.as_bytes());
        let written = written.and_then(|()| file.write_all(line));
        self.torn = written.is_err() && is_torn(file, path).unwrap_or(true);
        written
    }
}

/// Whether the last line of a file lacks its end, because a process was killed or the disk was full.
fn is_torn(file: &File, path: &Path) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let Ok(mut file) = File::open(path) else {
        // An empty line does no harm.
        return Ok(true);
    };
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Whether the open file still is the one at the path: it may have been renamed or removed.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let file = file.metadata()?;
    match path.metadata() {
        Ok(found) => Ok((file.dev(), file.ino()) == (found.dev(), found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the open file has no name any more, so that what was written to it is lost.
#[cfg(unix)]
fn is_removed(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

/// Makes a file that was created in the folder survive a power failure.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

// Elsewhere, the standard library does not identify open files, and a folder cannot be opened.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(not(unix))]
fn is_removed(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
