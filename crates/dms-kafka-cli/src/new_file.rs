//! A file that is complete when it appears.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::Failure;
use crate::paths;

/// Opened before anything is sent.
pub(crate) enum NewFile {
    /// A temporary file that is renamed when it is complete.
    Regular {
        path: PathBuf,
        file: NamedTempFile,
        overwrite: bool,
    },
    /// A pipe or a device.
    Stream(File),
}

impl NewFile {
    /// # Errors
    /// Usage: the file exists and `overwrite` is not set, or it is standard output. Output: it cannot be created.
    pub(crate) fn create(flag: &str, given: &Path, overwrite: bool) -> Result<Self, Failure> {
        // Also a link to nothing exists.
        let exists = given.symlink_metadata().is_ok();
        let refused = |cause: &str| {
            let given = given.display();
            Failure::usage(format!("{flag} {given}: {cause}; nothing was deleted"))
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
        // The target of a link is replaced or created, not the link.
        let path = match paths::real_path(given) {
            Some(path) => path,
            None if exists => return Err(refused("this is a link that leads nowhere")),
            None => given.to_owned(),
        };
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
                "{flag} {}: the file cannot be written: {cause}; nothing was deleted",
                given.display()
            ))
        })
    }

    pub(crate) fn write(self, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Stream(file) => write(&file),
            Self::Regular {
                path,
                file,
                overwrite,
            } => {
                write(file.as_file())?;
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
