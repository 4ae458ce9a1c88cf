//! Case files: where they come from, and what makes a file unusable.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

/// Every case file as it was when the program was built: `client/NAME` or `server/NAME`, and its text.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/cases.rs"));

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
    /// Reads all cases of a folder, by name: the name of the file without its ending.
    ///
    /// # Errors
    /// [`CaseError`] names the file that cannot be read or is no case.
    pub fn read<T: DeserializeOwned>(&self, folder: &str) -> Result<Vec<(String, T)>, CaseError> {
        let texts = match self {
            Self::Embedded => embedded(folder),
            Self::Folder(root) => on_disk(&root.join(folder))?,
        };
        texts
            .into_iter()
            .map(|(name, text)| match toml::from_str(&text) {
                Ok(case) => Ok((name, case)),
                Err(cause) => Err(CaseError::new(format!("{folder}/{name}.toml"), cause)),
            })
            .collect()
    }
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

fn embedded(folder: &str) -> Vec<(String, String)> {
    let of_folder = EMBEDDED.iter().filter_map(|(file, text)| {
        let (place, name) = file.split_once('/')?;
        (place == folder).then(|| (name.to_owned(), (*text).to_owned()))
    });
    of_folder.collect()
}

fn on_disk(folder: &Path) -> Result<Vec<(String, String)>, CaseError> {
    let failed = |file: &Path, cause: io::Error| CaseError::new(file.display().to_string(), cause);
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).map_err(|cause| failed(folder, cause))? {
        let file = entry.map_err(|cause| failed(folder, cause))?.path();
        if file.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&file).map_err(|cause| failed(&file, cause))?;
        texts.push((name.into_owned(), text));
    }
    texts.sort();
    Ok(texts)
}
