//! What a command says when it fails.

use std::path::Path;

/// One message: the file, the place in it when there is one, and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{file}{place}: {cause}")]
pub(crate) struct Failure {
    file: String,
    place: String,
    cause: String,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The whole file is at fault.
    pub(crate) fn file(file: impl ToString, cause: impl ToString) -> Self {
        Self {
            file: file.to_string(),
            place: String::new(),
            cause: cause.to_string(),
        }
    }

    /// A line and column of the file is at fault, both counted from 1.
    pub(crate) fn line(
        file: impl ToString,
        line: impl ToString,
        column: impl ToString,
        cause: impl ToString,
    ) -> Self {
        let place = format!(":{}:{}", line.to_string(), column.to_string());
        Self {
            place,
            ..Self::file(file, cause)
        }
    }

    /// A named part of the file is at fault.
    pub(crate) fn place(file: impl ToString, place: impl ToString, cause: impl ToString) -> Self {
        Self {
            place: format!(", at {}", place.to_string()),
            ..Self::file(file, cause)
        }
    }
}

/// Reads a file of the checkout; line ends come out as `\n` whatever the checkout made of them.
pub(crate) fn read(root: &Path, file: &str) -> Result<String> {
    std::fs::read_to_string(root.join(file))
        .map(|text| text.replace("\r\n", "\n"))
        .map_err(|error| Failure::file(file, error))
}
