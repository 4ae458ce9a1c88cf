//! Case files: where they come from, and what makes a file unusable.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

/// The files of a suite, by name without ending, as they were when the program was built.
macro_rules! embedded {
    ($suite:literal: $($name:literal)*) => {
        &[$((
            concat!($suite, "/", $name, ".toml"),
            include_str!(concat!("../cases/", $suite, "/", $name, ".toml")),
        )),*]
    };
}

const CLIENT: &[(&str, &str)] = embedded!(
    "client": "answer" "body" "error" "instance" "offset" "partition" "project" "result" "retry" "status" "token" "topic"
);
const SERVER: &[(&str, &str)] = embedded!(
    "server": "body" "delete" "error" "http" "instance" "list" "offset" "partition" "project" "signature" "topic" "uri"
);

/// A case of a suite.
pub trait Case: DeserializeOwned {
    /// The suite, and the folder of its case files.
    const SUITE: Suite;
    /// The name, which no other case of the suite has.
    fn name(&self) -> &str;
    /// The rows of the vendor's page that it proves.
    fn proves(&self) -> &[String];
}

/// What cases are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// Clients.
    Client,
    /// Servers.
    Server,
}

impl Suite {
    /// The name of the suite.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Where case files come from.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// The program itself.
    #[default]
    Embedded,
    /// A folder with the folders `client` and `server` in it.
    Folder(PathBuf),
}

/// Why a case file cannot be used. Its text names the file, the place and the rule.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {cause}")]
pub struct CaseError {
    file: String,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl CaseError {
    pub(crate) fn new(
        file: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            file: file.into(),
            cause: cause.into(),
        }
    }
}

impl Source {
    /// Reads all cases of a suite, file by file.
    ///
    /// # Errors
    /// [`CaseError`] names the file that cannot be read or has what is no case, or a case that another one is named like.
    pub fn read<C: Case>(&self) -> Result<Vec<C>, CaseError> {
        let texts = match self {
            Self::Embedded => embedded(C::SUITE),
            Self::Folder(root) => on_disk(&root.join(C::SUITE.name()))?,
        };
        let mut cases: Vec<C> = Vec::new();
        for (file, text) in texts {
            let parsed = toml::from_str::<File<C>>(&text);
            let parsed = parsed.map_err(|cause| CaseError::new(&file, cause))?;
            for case in parsed.case {
                let name = case.name();
                if name.is_empty() || cases.iter().any(|other| other.name() == name) {
                    let cause = format!("the name {name:?} is empty, or that of another case");
                    return Err(CaseError::new(file, cause));
                }
                cases.push(case);
            }
        }
        Ok(cases)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<C> {
    case: Vec<C>,
}

/// Reads a list that a case without entries would try nothing of, and so pass.
pub(crate) fn not_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(D::Error::custom("this list must not be empty"));
    }
    Ok(list)
}

fn embedded(suite: Suite) -> Vec<(String, String)> {
    let files = match suite {
        Suite::Client => CLIENT,
        Suite::Server => SERVER,
    };
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    files.iter().map(owned).collect()
}

fn on_disk(folder: &Path) -> Result<Vec<(String, String)>, CaseError> {
    let failed = |file: &Path, cause: io::Error| CaseError::new(file.display().to_string(), cause);
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).map_err(|cause| failed(folder, cause))? {
        let file = entry.map_err(|cause| failed(folder, cause))?.path();
        if file.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let text = fs::read_to_string(&file).map_err(|cause| failed(&file, cause))?;
        texts.push((file.display().to_string(), text));
    }
    texts.sort();
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_file_is_embedded() {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        for suite in [Suite::Client, Suite::Server] {
            let on_disk = on_disk(&cases.join(suite.name())).unwrap();
            let on_disk: BTreeSet<_> = on_disk.into_iter().map(|(_, text)| text).collect();
            let embedded = embedded(suite).into_iter().map(|(_, text)| text).collect();
            assert_eq!(on_disk, embedded, "{}", suite.name());
        }
    }
}
