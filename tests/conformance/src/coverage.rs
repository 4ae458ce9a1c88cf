//! The rows of the vendor's page, and which cases prove which of them.

use std::fmt;

use anyhow::{Result, bail, ensure};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use openapiv3::OpenAPI;
use serde::Deserialize;

use crate::cases::Cases;
use crate::suite::Suite;

/// The facts of the page, as `openapi/reference.toml` records them.
const REFERENCE: &str = include_str!("../../../openapi/reference.toml");

/// The names of the rows of the page, in its order: `Table 3, offset`, `Status 200`, `URI` and so on.
///
/// ```
/// use dms_kafka_conformance::contract::Contract;
/// use dms_kafka_conformance::coverage::Rows;
///
/// let rows = Rows::read(Contract::read()?.document())?;
/// assert!(rows.contains("Table 3, offset"));
/// assert!(!rows.contains("Table 3, offsets"));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug)]
pub struct Rows(Vec<String>);

#[derive(Deserialize)]
struct Reference {
    method: String,
    path: String,
    statuses: Vec<u16>,
    referring: Vec<String>,
    #[serde(rename = "table")]
    tables: Vec<PageTable>,
}

#[derive(Deserialize)]
struct PageTable {
    number: u16,
    rows: Vec<PageRow>,
}

#[derive(Deserialize)]
struct PageRow {
    parameter: String,
}

impl Rows {
    /// Reads the rows of the page, and adds one for each operation of the contract that is not on the page.
    ///
    /// # Errors
    /// When `openapi/reference.toml` is not valid.
    pub fn read(document: &OpenAPI) -> Result<Self> {
        let page: Reference = toml::from_str(REFERENCE)?;
        let mut rows = page.referring;
        rows.push("URI".to_owned());
        for table in page.tables {
            let number = table.number;
            let named = |row: PageRow| format!("Table {number}, {}", row.parameter);
            rows.extend(table.rows.into_iter().map(named));
        }
        rows.extend(["Example request", "Example response"].map(str::to_owned));
        rows.extend(page.statuses.iter().map(|it| format!("Status {it}")));
        for (path, method, operation) in document.operations() {
            if path != page.path || !method.eq_ignore_ascii_case(&page.method) {
                let id = operation.operation_id.as_deref().unwrap_or(path);
                rows.push(format!("Companion {id}"));
            }
        }
        Ok(Self(rows))
    }

    /// Whether there is a row of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|row| row == name)
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The rows of the page with the cases that prove them.
#[derive(Debug)]
pub struct Coverage(Vec<Row>);

#[derive(Debug)]
struct Row {
    name: String,
    client: Vec<String>,
    server: Vec<String>,
}

impl Coverage {
    /// Finds the cases of each row.
    ///
    /// # Errors
    /// For a case without rows, or with a row that the page does not have.
    pub fn new(rows: &Rows, cases: &Cases) -> Result<Self> {
        for (_, name, proves) in cases.iter() {
            ensure!(!proves.is_empty(), "case {name}: `proves` is empty");
            if let Some(unknown) = proves.iter().find(|row| !rows.contains(row)) {
                let known = rows.0.join("; ");
                bail!("case {name}: the page has no row {unknown:?}; it has: {known}");
            }
        }
        let proving = |suite, row: &String| {
            let proves = |case: &(_, _, &[String])| case.0 == suite && case.2.contains(row);
            let proving = cases.iter().filter(proves);
            proving.map(|(_, name, _)| name.to_owned()).collect()
        };
        let row = |row: &String| Row {
            name: row.clone(),
            client: proving(Suite::Client, row),
            server: proving(Suite::Server, row),
        };
        Ok(Self(rows.0.iter().map(row).collect()))
    }

    /// The rows that no case proves.
    pub fn empty(&self) -> impl Iterator<Item = &str> {
        let empty = |row: &&Row| row.client.is_empty() && row.server.is_empty();
        self.0.iter().filter(empty).map(|row| row.name.as_str())
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(["row of the page", "client", "server", "cases"]);
        for row in &self.0 {
            let cases = [&row.client[..], &row.server[..]].concat().join(", ");
            let counts = [row.client.len(), row.server.len()].map(|count| count.to_string());
            let [client, server] = counts;
            let cases = if cases.is_empty() {
                "EMPTY".to_owned()
            } else {
                cases
            };
            table.add_row([row.name.clone(), client, server, cases]);
        }
        write!(f, "{table}")
    }
}
