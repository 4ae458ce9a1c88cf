//! The rows of the vendor's page, which cases prove.

use openapiv3::OpenAPI;
use serde::Deserialize;

/// The facts of the page, as `openapi/reference.toml` records them.
const REFERENCE: &str = include_str!("../../../openapi/reference.toml");

/// The rows of the page, in its order, by name: `Table 3, offset`, `Status 200`, `URI` and so on.
///
/// ```
/// use dms_kafka_conformance::page::Rows;
///
/// let rows = Rows::read()?;
/// assert!(rows.contains("Table 3, offset"));
/// assert!(!rows.contains("Table 3, offsets"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    number: u16,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    parameter: String,
}

impl Rows {
    /// Reads the rows of the page.
    ///
    /// # Errors
    /// When the recorded facts are not what this program was built for.
    pub fn read() -> Result<Self, toml::de::Error> {
        let page: Reference = toml::from_str(REFERENCE)?;
        let mut rows = page.referring;
        rows.push("URI".to_owned());
        for table in page.tables {
            let number = table.number;
            let named = |row: Row| format!("Table {number}, {}", row.parameter);
            rows.extend(table.rows.into_iter().map(named));
        }
        rows.extend(["Example request", "Example response"].map(str::to_owned));
        rows.extend(
            page.statuses
                .iter()
                .map(|status| format!("Status {status}")),
        );
        Ok(Self(rows))
    }

    /// Adds a row for each operation of the contract that is not on the page.
    ///
    /// # Errors
    /// As for [`Rows::read`].
    pub fn with_companions(mut self, document: &OpenAPI) -> Result<Self, toml::de::Error> {
        let page: Reference = toml::from_str(REFERENCE)?;
        for (path, method, operation) in document.operations() {
            if path != page.path || !method.eq_ignore_ascii_case(&page.method) {
                let id = operation.operation_id.as_deref().unwrap_or(path);
                self.0.push(format!("Companion {id}"));
            }
        }
        Ok(self)
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
