//! Which cases prove which row of the page.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::page::Rows;
use crate::source::{Case, CaseError};
use crate::{client, server};

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
    /// Sorts the cases into the rows.
    ///
    /// # Errors
    /// [`CaseError`] for a case that names no row, or one that the page does not have.
    pub fn new(
        rows: &Rows,
        client: &[client::Case],
        server: &[server::Case],
    ) -> Result<Self, CaseError> {
        check_all(rows, client)?;
        check_all(rows, server)?;
        Ok(Self(
            rows.iter()
                .map(|row| Row {
                    name: row.to_owned(),
                    client: proving(client, row),
                    server: proving(server, row),
                })
                .collect(),
        ))
    }

    /// The rows that no case proves.
    pub fn empty(&self) -> impl Iterator<Item = &str> {
        let empty = |row: &&Row| row.client.is_empty() && row.server.is_empty();
        self.0.iter().filter(empty).map(|row| row.name.as_str())
    }
}

fn check_all(rows: &Rows, cases: &[impl Case]) -> Result<(), CaseError> {
    for case in cases {
        check(rows, case.proves())
            .map_err(|cause| CaseError::new(format!("case {}", case.name()), cause))?;
    }
    Ok(())
}

fn check(rows: &Rows, proves: &[String]) -> Result<(), String> {
    if proves.is_empty() {
        return Err("`proves` names no row of the page".to_owned());
    }
    match proves.iter().find(|row| !rows.contains(row)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<_> = rows.iter().collect();
            Err(format!(
                "`proves` names the row {unknown:?}, which the page does not have; it has: {}",
                known.join("; ")
            ))
        }
    }
}

fn proving(cases: &[impl Case], row: &str) -> Vec<String> {
    let proves = |case: &&_| Case::proves(*case).iter().any(|one| one == row);
    let proving = cases.iter().filter(proves);
    proving.map(|case| case.name().to_owned()).collect()
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
