//! Compares the text of the vendor's page with the reference, line by line.
//!
//! The text is copied from a browser: each table cell or sentence is a line, with empty lines between them.

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::failure;
use crate::reference::{REFERENCE, Reference, Table};

/// A line of the vendor's text, which the reference does not repeat.
const SENTENCE: &str = "~";
/// Before a heading: any number of lines up to it.
const SKIP: &str = "~ ";

/// Returns the number of compared lines. Fails at the first line that differs from the reference; `file` is the name of the
/// page in messages.
pub(crate) fn compare(file: &str, text: &str, reference: &Reference) -> Result<usize> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let mut lines = lines.filter(|(_, line)| !line.is_empty());
    let wanted = page(reference);
    for wanted in wanted.lines() {
        let ends = || anyhow!("{file}: the page ends before {wanted:?}");
        let mut next = || lines.next().ok_or_else(ends);
        let (number, line) = next()?;
        let mut found = line.to_owned();
        if wanted == SENTENCE {
            continue;
        }
        if let Some(heading) = wanted.strip_prefix(SKIP) {
            let mut line = line;
            while line != heading {
                (_, line) = next()?;
            }
            continue;
        }
        if wanted.starts_with('{') {
            let mut json = serde_json::from_str::<Value>(&found);
            while json.as_ref().is_err_and(serde_json::Error::is_eof) {
                found = format!("{found}\n{}", next()?.1);
                json = serde_json::from_str(&found);
            }
            found = json.map_or(found, |json| json.to_string());
        }
        if found != wanted {
            let cause = format_args!("{REFERENCE} says {wanted:?}, the page {found:?}");
            return Err(failure::at(file, (number, 1), cause));
        }
    }
    Ok(wanted.lines().count())
}

/// The text that the page must have according to the reference.
fn page(page: &Reference) -> String {
    let Reference {
        title,
        updated,
        method,
        path,
        server,
        tables,
        statuses,
        referring,
        example,
    } = page;
    let tables: String = tables.iter().map(table).collect();
    let status = |status| format!("{status}\n{SENTENCE}\n");
    let statuses: String = statuses.iter().map(status).collect();
    let [calling, authorization, errors] = referring;
    format!(
        "Updated on {updated}\n{title}\n{SKIP}{calling}\n{SKIP}{authorization}\n{SKIP}URI\n{method} {path}\n{tables}\
         Example Requests\n{SENTENCE}\n{method} {server}{path}\n{}\n\
         Example Responses\nStatus code: {}\n{SENTENCE}\n{}\n\
         Status Codes\nStatus Code\nDescription\n{statuses}{errors}\n",
        example.request, example.status, example.response,
    )
}

fn table(
    Table {
        number,
        place,
        rows,
    }: &Table,
) -> String {
    let title = match (place.as_str(), place.strip_prefix("response.")) {
        ("path", _) => format!("Table {number} Path Parameters"),
        ("query", _) => format!("Table {number} Query Parameters"),
        ("request", _) => format!("Request Parameters\nTable {number} Request body parameters"),
        (_, Some(status)) => format!(
            "Response Parameters\nStatus code: {status}\nTable {number} Response body parameters"
        ),
        (object, _) => format!("Table {number} {object}"),
    };
    let mut lines = vec![title.as_str(), "Parameter"];
    let has_mandatory = rows.iter().any(|row| row.mandatory.is_some());
    lines.extend(has_mandatory.then_some("Mandatory"));
    lines.extend(["Type", "Description"]);
    for row in rows {
        lines.push(&row.parameter);
        lines.extend(row.mandatory.as_deref());
        lines.extend([row.kind.as_str(), SENTENCE]);
    }
    lines.join("\n") + "\n"
}
