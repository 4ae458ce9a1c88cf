//! The two suites, and reading their case files.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// The files of a suite at build time, as names without extension.
macro_rules! embedded {
    ($suite:literal: $($name:literal)*) => {
        &[$((
            concat!($suite, "/", $name, ".toml"),
            include_str!(concat!("../cases/", $suite, "/", $name, ".toml")),
        )),*]
    };
}

const CLIENT: &[(&str, &str)] = embedded!(
    "client": "response" "body" "error" "instance" "offset" "partition" "project" "result" "retry" "status" "token" "topic"
);
const SERVER: &[(&str, &str)] = embedded!(
    "server": "access" "body" "effect" "http" "model" "reads"
);

/// A case of a suite.
pub(crate) trait SuiteCase: Sized {
    /// The suite, and the folder of its case files.
    const SUITE: Suite;
    /// Reads the cases of a file.
    fn parse(text: &str) -> Result<Vec<Self>>;
    fn name(&self) -> &str;
}

/// The two suites.
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

/// Reads the cases of a suite in a folder with the folders `client` and `server`, or those that are part of the program.
pub(crate) fn read<C: SuiteCase>(folder: Option<&Path>) -> Result<Vec<C>> {
    let texts = match folder {
        None => embedded(C::SUITE),
        Some(root) => on_disk(&root.join(C::SUITE.name()))?,
    };
    let mut cases: Vec<C> = Vec::new();
    for (file, text) in texts {
        for case in C::parse(&text).with_context(|| file.clone())? {
            let name = case.name();
            if name.is_empty() || cases.iter().any(|other| other.name() == name) {
                bail!("{file}: the name {name:?} is empty, or that of another case");
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// Reads a list that must not be empty: a case without entries would check nothing, and pass.
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

fn on_disk(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            texts.push((file.display().to_string(), text));
        }
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
