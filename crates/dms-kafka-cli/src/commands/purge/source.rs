//! Where the rows come from: a file that can be read more than once.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::SystemTime;

use crate::exit::Failure;

const BUFFER: usize = 64 * 1024;

/// A regular file, or a spooled copy of what can be read only once.
pub(super) struct Source {
    file: File,
    name: String,
    stamp: Stamp,
}

/// What changes when a file does.
#[derive(Clone, PartialEq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let from_stdin = path == Path::new("-");
        let name = if from_stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let file = if from_stdin {
            spool(io::stdin().lock(), &name)?
        } else {
            let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
            let metadata = file.metadata().map_err(|error| unreadable(&name, &error))?;
            if metadata.is_file() {
                file
            } else if metadata.is_dir() {
                return Err(unreadable(&name, &io::ErrorKind::IsADirectory.into()));
            } else {
                spool(file, &name)?
            }
        };
        let metadata = file.metadata().map_err(|error| unreadable(&name, &error))?;
        Ok(Self {
            stamp: Stamp::of(&metadata),
            file,
            name,
        })
    }

    /// The same open file, for another thread.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            name: self.name.clone(),
            stamp: self.stamp.clone(),
        })
    }

    /// How messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads from the start. One reader at a time: they share the place in the file.
    pub(super) fn reader(&self) -> io::Result<impl Read + Send + use<>> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::with_capacity(BUFFER, file))
    }

    /// Whether the file looks as it did when it was opened: then so does what was read from it.
    pub(super) fn is_unchanged(&self) -> bool {
        self.file
            .metadata()
            .is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp)
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// Copies to a file without a name, which goes away with the process.
fn spool(mut from: impl Read, name: &str) -> Result<File, Failure> {
    let mut copy = || {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut from, &mut file)?;
        file.flush()?;
        Ok(file)
    };
    let copied: io::Result<File> = copy();
    copied.map_err(|error| {
        Failure::usage(format!(
            "{name} cannot be copied to a temporary file in {}: {error}; nothing was sent",
            std::env::temp_dir().display()
        ))
    })
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::usage(format!("{name} cannot be read: {error}; nothing was sent"))
}
