//! Reads `openapi/reference.toml`: the facts of the vendor's page as data.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::failure;
use crate::yaml::escape;

/// The file, relative to the root of the checkout.
pub(crate) const REFERENCE: &str = "openapi/reference.toml";

/// The facts of the page, without its text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    pub(crate) title: String,
    /// Date of the page's last change, as printed on the page.
    pub(crate) updated: String,
    pub(crate) method: String,
    /// Path with the parameters in braces.
    pub(crate) path: String,
    /// Scheme and host in the example.
    pub(crate) server: String,
    #[serde(rename = "table")]
    pub(crate) tables: Vec<Table>,
    pub(crate) statuses: Vec<u16>,
    /// Headings of the sections that refer to a common page.
    pub(crate) referring: [String; 3],
    pub(crate) example: Examples,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) number: u16,
    /// `path`, `request`, `response.STATUS`, or the name of an object.
    #[serde(rename = "where")]
    pub(crate) place: String,
    pub(crate) rows: Vec<Row>,
}

/// One parameter. Tables of responses do not have the column `mandatory`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) parameter: String,
    pub(crate) mandatory: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// The example request body and the example response, with its status.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    pub(crate) request: Value,
    pub(crate) status: u16,
    pub(crate) response: Value,
}

impl Reference {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        failure::read_toml(root, REFERENCE)
    }

    pub(crate) fn call(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The JSON pointer to the operation in the contract.
    pub(crate) fn pointer(&self) -> String {
        let method = self.method.to_lowercase();
        format!("/paths/{}/{method}", escape(&self.path))
    }

    /// The facts that the contract must have too.
    pub(crate) fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        let mut add = |place: String, value: &str| facts.add(place, value, "");
        add("operation".to_owned(), &self.call());
        add(format!("server.{}", self.server), "listed");
        for status in &self.statuses {
            add(format!("status.{status}"), "listed");
        }
        for table in &self.tables {
            for row in &table.rows {
                let place = format!("{}.{}", table.place, row.parameter);
                add(format!("{place}.type"), &row.kind);
                if let Some(mandatory) = &row.mandatory {
                    add(format!("{place}.mandatory"), mandatory);
                }
            }
        }
        let example = &self.example;
        add("example.request".to_owned(), &example.request.to_string());
        let place = format!("example.response.{}", example.status);
        add(place, &example.response.to_string());
        facts
    }
}
