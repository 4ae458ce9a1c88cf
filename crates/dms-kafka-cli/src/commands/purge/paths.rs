//! Paths of files that may not exist yet.

use std::path::{Path, PathBuf};

/// The canonical path, also of a file that does not exist; `None` if its folder does not exist either.
pub(super) fn real_path(path: &Path) -> Option<PathBuf> {
    path.canonicalize()
        .ok()
        .or_else(|| Some(folder(path).canonicalize().ok()?.join(path.file_name()?)))
}

pub(super) fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
