//! A file of lines that a thread syncs to the disk.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::watch;

/// How many lines are on the disk, or why syncing failed.
type Synced = Result<u64, Arc<io::Error>>;

pub(super) struct DurableFile {
    writing: Mutex<Writing>,
    synced: watch::Receiver<Synced>,
    thread: JoinHandle<()>,
}

struct Writing {
    file: File,
    length: u64,
    lines: u64,
    /// Sends the number of lines to the thread.
    wanted: mpsc::Sender<u64>,
}

impl DurableFile {
    /// Appends after the first `length` bytes.
    pub(super) fn new(mut file: File, length: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(length))?;
        let to_sync = file.try_clone()?;
        let (wanted, lines) = mpsc::channel();
        let (sender, synced) = watch::channel(Ok(0));
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || sync(&to_sync, &lines, &sender))?;
        Ok(Self {
            writing: Mutex::new(Writing {
                file,
                length,
                lines: 0,
                wanted,
            }),
            synced,
            thread,
        })
    }

    /// Hands a line to the operating system.
    ///
    /// # Errors
    /// Also if an earlier line could not be synced. A line that fails is removed.
    pub(super) fn append(&self, line: &[u8]) -> io::Result<()> {
        self.number(line).map(drop)
    }

    /// Returns when the line is on the disk.
    pub(super) async fn append_durably(&self, line: &[u8]) -> io::Result<()> {
        let number = self.number(line)?;
        let is_there = |synced: &Synced| synced.as_ref().is_ok_and(|lines| *lines >= number);
        let mut synced = self.synced.clone();
        let seen = synced
            .wait_for(|synced| synced.is_err() || is_there(synced))
            .await
            .map_err(|_| thread_stopped())?;
        seen.as_ref().map(drop).map_err(repeat)
    }

    fn number(&self, line: &[u8]) -> io::Result<u64> {
        self.synced.borrow().as_ref().map_err(repeat)?;
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writing.file.write_all(line) {
            let length = writing.length;
            let _ = writing.file.set_len(length);
            let _ = writing.file.seek(SeekFrom::Start(length));
            return Err(error);
        }
        writing.length += line.len() as u64;
        writing.lines += 1;
        writing
            .wanted
            .send(writing.lines)
            .map_err(|_| thread_stopped())?;
        Ok(writing.lines)
    }

    /// Returns when every line is on the disk.
    pub(super) fn close(self) -> io::Result<()> {
        drop(self.writing);
        self.thread.join().map_err(|_| thread_stopped())?;
        self.synced.borrow().as_ref().map(drop).map_err(repeat)
    }
}

/// One sync covers all lines that were appended during the previous one.
fn sync(file: &File, lines: &mpsc::Receiver<u64>, synced: &watch::Sender<Synced>) {
    while let Ok(first) = lines.recv() {
        let last = lines.try_iter().last().unwrap_or(first);
        let result = file.sync_data().map(|()| last).map_err(Arc::new);
        let has_failed = result.is_err();
        drop(synced.send_replace(result));
        if has_failed {
            return;
        }
    }
}

fn repeat(error: &Arc<io::Error>) -> io::Error {
    io::Error::new(error.kind(), Arc::clone(error))
}

fn thread_stopped() -> io::Error {
    io::Error::other("the thread that syncs it to the disk has stopped")
}
