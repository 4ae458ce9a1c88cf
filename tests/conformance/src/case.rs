//! Client cases: what the client is asked for, what must stand on the wire, what the service answers and
//! what the client must make of it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// One case, read from a file of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// The row of the vendor's page that the case proves.
    pub proves: String,
    /// What the caller asks for.
    pub given: Given,
    /// What must stand on the wire.
    pub request: Request,
    /// What the service answers.
    pub answer: Answer,
    /// What the client must make of it.
    pub expect: Expect,
}

/// What the caller asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Project id.
    pub project_id: String,
    /// Instance id.
    pub instance_id: String,
    /// Topic.
    pub topic: String,
    /// Partitions in the order in which they are named.
    pub partitions: Vec<Partition>,
}

/// A partition and how far to delete in it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The partition's number.
    pub partition: i32,
    /// Delete below this offset; absent with `everything`.
    pub before: Option<i64>,
    /// Delete everything.
    #[serde(default)]
    pub everything: bool,
}

/// What must stand on the wire.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The path, byte for byte.
    pub path: String,
    /// The body's JSON value; the order of keys is free.
    pub body: String,
}

/// What the service answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The content type; JSON when absent.
    pub content_type: Option<String>,
    /// The body, byte for byte.
    pub body: String,
    /// Whether the body breaks the contract on purpose.
    #[serde(default)]
    pub breaks_contract: bool,
}

/// What the client must make of the answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The facade's error kind, when the call must fail.
    pub error: Option<String>,
    /// The facade's error code, when the service gave one.
    pub code: Option<String>,
    /// The facade's status of each partition asked for, in order.
    #[serde(default)]
    pub statuses: Vec<String>,
    /// Whether the bare generated client must return a value; its own weaknesses are not hidden.
    pub raw_decodes: bool,
}

/// Why a case file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The folder or a file cannot be read.
    #[error("{}: {cause}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is no case.
    #[error("{}: {cause}", file.display())]
    Malformed {
        /// Which.
        file: PathBuf,
        /// Where and why.
        cause: Box<toml::de::Error>,
    },
}

/// Reads all client cases, by name.
///
/// # Errors
/// [`CaseError`] names the file that cannot be used.
pub fn read_all() -> Result<Vec<Case>, CaseError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/client");
    let io = |file: &Path| {
        let file = file.to_owned();
        move |cause| CaseError::Io { file, cause }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io(&folder))? {
        files.push(entry.map_err(io(&folder))?.path());
    }
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Result<Case, CaseError> {
    let text = fs::read_to_string(file).map_err(|cause| CaseError::Io {
        file: file.to_owned(),
        cause,
    })?;
    let mut case: Case = toml::from_str(&text).map_err(|cause| CaseError::Malformed {
        file: file.to_owned(),
        cause: Box::new(cause),
    })?;
    case.name = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(case)
}
