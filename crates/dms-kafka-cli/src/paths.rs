//! Paths of files that may not exist yet.

use std::path::{Path, PathBuf};

/// As in Linux.
const MOST_LINKS: usize = 40;

/// The canonical path, also of a file that does not exist, after links; `None` if its folder does not exist either.
pub(crate) fn real_path(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = path.read_link() else {
            let in_folder = || Some(folder(&path).canonicalize().ok()?.join(path.file_name()?));
            return path.canonicalize().ok().or_else(in_folder);
        };
        path = folder(&path).join(target);
    }
    None
}

pub(crate) fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Whether this is the file or pipe of standard input, standard output or standard error.
#[cfg(unix)]
pub(crate) fn is_standard_stream(path: &Path) -> bool {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

    let id = |path: &Path| {
        let metadata = path.metadata().ok()?;
        let kind = metadata.file_type();
        // Every process may use the same device.
        let is_own = kind.is_file() || kind.is_fifo() || kind.is_socket();
        is_own.then(|| (metadata.dev(), metadata.ino()))
    };
    let streams = ["/dev/stdin", "/dev/stdout", "/dev/stderr"].map(|stream| id(Path::new(stream)));
    id(path).is_some_and(|id| streams.contains(&Some(id)))
}

#[cfg(not(unix))]
pub(crate) fn is_standard_stream(_: &Path) -> bool {
    false
}
