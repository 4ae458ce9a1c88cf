//! `openapi/reference.toml`: the facts of the vendor's page as data.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::failure;
use anyhow::Result;

/// The file, relative to the root of the checkout.
pub(crate) const REFERENCE: &str = "openapi/reference.toml";

/// What the page says, its sentences left out.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// Heading of the page.
    pub(crate) title: String,
    /// Day of the page's last change, as it prints it.
    pub(crate) updated: String,
    /// HTTP method.
    pub(crate) method: String,
    /// Path with the parameters in braces.
    pub(crate) path: String,
    /// What the example puts before the path.
    pub(crate) server: String,
    #[serde(rename = "table")]
    pub(crate) tables: Vec<Table>,
    /// Documented status codes.
    pub(crate) statuses: Vec<u16>,
    /// Headings of the sections that only refer to a common page.
    pub(crate) referring: Vec<String>,
    pub(crate) example: Examples,
}

/// One numbered table of parameters.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) number: u16,
    /// `path`, `request`, `response.STATUS`, or the name of the object that the table describes.
    #[serde(rename = "where")]
    pub(crate) place: String,
    pub(crate) rows: Vec<Row>,
}

/// One parameter. Tables of an answer have no column for `mandatory`.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) parameter: String,
    pub(crate) mandatory: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// The example request body and the example answer.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    pub(crate) request: Value,
    /// Status of the example answer.
    pub(crate) status: u16,
    pub(crate) response: Value,
}

impl Reference {
    /// Reads the file of a checkout.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        failure::read_toml(root, REFERENCE)
    }

    /// What the contract must say too.
    pub(crate) fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        facts.insert(
            "operation".to_owned(),
            format!("{} {}", self.method, self.path),
        );
        facts.insert(format!("server.{}", self.server), "listed".to_owned());
        for status in &self.statuses {
            facts.insert(format!("status.{status}"), "listed".to_owned());
        }
        for (table, row) in self
            .tables
            .iter()
            .flat_map(|t| t.rows.iter().map(move |row| (t, row)))
        {
            let place = format!("{}.{}", table.place, row.parameter);
            facts.insert(format!("{place}.type"), row.kind.clone());
            if let Some(mandatory) = &row.mandatory {
                facts.insert(format!("{place}.mandatory"), mandatory.clone());
            }
        }
        facts.insert(
            "example.request".to_owned(),
            self.example.request.to_string(),
        );
        let answer = format!("example.response.{}", self.example.status);
        facts.insert(answer, self.example.response.to_string());
        facts
    }

    /// Everything, the page's own layout included.
    pub(crate) fn facts_and_layout(&self) -> Facts {
        let mut facts = self.facts();
        facts.insert("title".to_owned(), self.title.clone());
        facts.insert("updated".to_owned(), self.updated.clone());
        facts.insert("referring".to_owned(), self.referring.join(", "));
        for table in &self.tables {
            let rows: Vec<&str> = table
                .rows
                .iter()
                .map(|row| row.parameter.as_str())
                .collect();
            let value = format!("{}: {}", table.place, rows.join(", "));
            facts.insert(format!("table {}", table.number), value);
        }
        facts
    }
}
