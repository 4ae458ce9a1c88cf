//! Compares the text of the vendor's page with the reference, line by line.
//!
//! The text is copied from a browser: each table cell or sentence is a line, with empty lines between them.

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::failure;
use crate::reference::{REFERENCE, Reference, Table};

/// A line of the vendor's text, which the reference does not repeat.
const SENTENCE: &str = "~";
/// What the page has in place of a table or example that does not exist.
const NONE: &str = "None";
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
    let status = |status| format!("{status}\n{SENTENCE}\n");
    let (last, first) = referring
        .split_last()
        .map_or(("", &[][..]), |(last, first)| (last, first));
    let first = first.iter().flat_map(|heading| [SKIP, heading, "\n"]);
    let first: String = first.collect();
    let tables = sections(tables, statuses);
    let url = example
        .url
        .clone()
        .unwrap_or_else(|| format!("{server}{path}"));
    let request = example
        .request
        .as_ref()
        .map_or(String::new(), |body| format!("{body}\n"));
    let response = match (example.status, &example.response) {
        (Some(status), Some(body)) => format!("Status code: {status}\n{SENTENCE}\n{body}"),
        _ => NONE.to_owned(),
    };
    let statuses: String = statuses.iter().map(status).collect();
    format!(
        "Updated on {updated}\n{title}\n{first}{SKIP}URI\n{method} {path}\n{tables}\
         Example Requests\n{SKIP}{method} {url}\n{request}\
         Example Responses\n{response}\n\
         Status Codes\nStatus Code\nDescription\n{statuses}{last}\n",
    )
}

/// The tables, with the headings of the sections between them.
fn sections(tables: &[Table], statuses: &[u16]) -> String {
    const REQUEST: &str = "Request Parameters";
    const RESPONSE: &str = "Response Parameters";
    let mut lines: Vec<String> = Vec::new();
    let has = |lines: &[String], heading: &str| lines.iter().any(|line| line == heading);
    let add = |lines: &mut Vec<String>, heading: &str| {
        if !has(lines, heading) {
            lines.push(heading.to_owned());
        }
    };
    let end_request = |lines: &mut Vec<String>| {
        if !has(lines, REQUEST) {
            lines.extend([REQUEST, NONE].map(str::to_owned));
        }
    };
    for table in tables {
        match (table.place.as_str(), table.place.strip_prefix("response.")) {
            ("header" | "request", _) => add(&mut lines, REQUEST),
            (_, Some(status)) => {
                end_request(&mut lines);
                add(&mut lines, RESPONSE);
                lines.push(format!("Status code: {status}"));
            }
            _ => {}
        }
        lines.push(self::table(table));
    }
    end_request(&mut lines);
    if let (false, Some(status)) = (has(&lines, RESPONSE), statuses.first()) {
        let status = format!("Status code: {status}");
        lines.extend([RESPONSE, &status, SENTENCE, NONE].map(str::to_owned));
    }
    lines.join("\n") + "\n"
}

fn table(
    Table {
        number,
        place,
        rows,
    }: &Table,
) -> String {
    let title = match (place.as_str(), place.starts_with("response.")) {
        ("path", _) => "Path Parameters",
        ("query", _) => "Query Parameters",
        ("header", _) => "Request header parameters",
        ("request", _) => "Request body parameters",
        (_, true) => "Response body parameters",
        (object, _) => object,
    };
    let title = format!("Table {number} {title}");
    let mut lines = vec![title.as_str(), "Parameter"];
    let has_mandatory = rows.iter().any(|row| row.mandatory.is_some());
    lines.extend(has_mandatory.then_some("Mandatory"));
    lines.extend(["Type", "Description"]);
    for row in rows {
        lines.push(&row.parameter);
        lines.extend(row.mandatory.as_deref());
        lines.extend([row.kind.as_str(), SENTENCE]);
    }
    lines.join("\n")
}
