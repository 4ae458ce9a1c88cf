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
    /// Headings of the sections that refer to a common page. The last is at the end of the page.
    pub(crate) referring: Vec<String>,
    #[serde(default)]
    pub(crate) example: Examples,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) number: u16,
    /// `path`, `query`, `header`, `request`, `response.STATUS`, or the name of an object.
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

/// The example request and response. The bodies are absent if there are none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    /// The URL of the request, unless it is that of the operation.
    pub(crate) url: Option<String>,
    pub(crate) request: Option<Value>,
    pub(crate) status: Option<u16>,
    pub(crate) response: Option<Value>,
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
        if let Some(request) = &self.example.request {
            add("example.request".to_owned(), &request.to_string());
        }
        if let (Some(status), Some(response)) = (self.example.status, &self.example.response) {
            add(format!("example.response.{status}"), &response.to_string());
        }
        facts
    }
}
