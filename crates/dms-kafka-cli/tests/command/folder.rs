//! A folder for one test.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A folder with an offsets file.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) offsets: PathBuf,
}

impl Folder {
    pub(crate) fn new(offsets: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        fs::write(&path, offsets).unwrap();
        Self {
            folder,
            offsets: path,
        }
    }

    /// As many partitions of topic `t0`, each to be deleted below 7.
    pub(crate) fn with_partitions(count: u32) -> Self {
        let mut rows = String::new();
        for partition in 0..count {
            writeln!(
                rows,
                "{{\"topic\":\"t0\",\"partition\":{partition},\"offset\":7}}"
            )
            .unwrap();
        }
        Self::new(&rows)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}
