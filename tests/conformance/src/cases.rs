//! The cases of both suites.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::suite::{self, Suite};
use crate::{client, server};

/// The cases of both suites.
#[derive(Clone, Debug, Default)]
pub struct Cases {
    /// Client cases.
    pub client: Vec<client::ClientCase>,
    /// Server cases.
    pub server: Vec<server::ServerCase>,
}

impl Cases {
    /// Reads the cases in a folder, or those that are part of the program.
    ///
    /// # Errors
    /// When a file is not valid.
    pub fn read(folder: Option<&Path>) -> Result<Self> {
        Ok(Self {
            client: suite::read(folder)?,
            server: suite::read(folder)?,
        })
    }

    /// The suite, name and proven rows of each case.
    pub fn iter(&self) -> impl Iterator<Item = (Suite, &str, &[String])> {
        let client = self.client.iter();
        let client = client.map(|case| (Suite::Client, &*case.name, &*case.proves));
        let server = self.server.iter();
        client.chain(server.map(|case| (Suite::Server, &*case.name, &*case.proves)))
    }

    /// Keeps only the cases with one of these names, and those of rules with one.
    pub fn retain(&mut self, names: &[String]) {
        let is_named = |case: &str| names.iter().any(|name| is_in(case, name));
        self.client.retain(|case| is_named(&case.name));
        self.server.retain(|case| is_named(&case.name));
    }

    /// The names of the verdicts.
    pub fn verdict_names(&self) -> BTreeSet<String> {
        let client = self.client.iter().flat_map(|case| {
            let subjects = case.clients.iter();
            subjects.map(|subject| case.verdict_name(*subject))
        });
        let server = self.server.iter().map(|case| case.name.clone());
        client.chain(server).collect()
    }
}

/// Whether a case has this name, or is one of the rule of this name.
pub fn is_in(case: &str, name: &str) -> bool {
    let rest = case.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
