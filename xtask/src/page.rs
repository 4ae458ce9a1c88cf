//! Reads the text of the vendor's page, as a browser copies it: one table cell or sentence a line,
//! empty lines between them.

use std::iter::Peekable;
use std::str::FromStr;

use serde_json::Value;

use crate::failure;
use crate::reference::{Examples, Reference, Row, Table};
use anyhow::{Error as Failure, Result};

/// Headings that end a table.
const HEADINGS: [&str; 6] = [
    "Request Parameters",
    "Response Parameters",
    "Example Requests",
    "Example Responses",
    "Status Codes",
    "Error Codes",
];

/// Headings of sections that only refer to a common page.
const REFERRING: [&str; 3] = ["Calling Method", "Authorization Information", "Error Codes"];

/// Reads a page. `file` is what messages call it.
pub(crate) fn parse(file: &str, text: &str) -> Result<Reference> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index as u64 + 1, line.trim()));
    let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty()).collect();
    let referring = lines.iter().map(|(_, line)| *line);
    let referring: Vec<_> = referring
        .filter(|line| REFERRING.contains(line))
        .map(str::to_owned)
        .collect();
    let mut page = Page {
        file,
        lines: lines.into_iter().peekable(),
    };
    page.reference(referring)
}

struct Page<'a, I: Iterator<Item = (u64, &'a str)>> {
    file: &'a str,
    lines: Peekable<I>,
}

impl<'a, I: Iterator<Item = (u64, &'a str)>> Page<'a, I> {
    fn reference(&mut self, referring: Vec<String>) -> Result<Reference> {
        let updated = self.after_prefix("Updated on ")?;
        let (_, title) = self.next("the title")?;
        self.skip_to("URI")?;
        let (method, path) = self.request_line()?;
        let tables = self.tables()?;
        let (_, url) = self.request_line()?;
        let server = url.strip_suffix(path).ok_or_else(|| {
            self.fault(format_args!(
                "the example's {url:?} does not end with the path {path:?}"
            ))
        })?;
        let request = self.json()?;
        self.skip_to("Example Responses")?;
        let status = self.status_line()?;
        self.next("what the status means")?;
        let response = self.json()?;
        self.skip_to("Status Codes")?;
        let statuses = self.statuses()?;
        Ok(Reference {
            title: title.to_owned(),
            updated: updated.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            server: server.to_owned(),
            tables,
            statuses,
            referring,
            example: Examples {
                request,
                status,
                response,
            },
        })
    }

    /// `POST /path` or `POST https://host/path`.
    fn request_line(&mut self) -> Result<(&'a str, &'a str)> {
        let (number, line) = self.next("a method and a path")?;
        line.split_once(' ')
            .filter(|(method, target)| {
                method.bytes().all(|byte| byte.is_ascii_uppercase()) && target.contains('/')
            })
            .ok_or_else(|| self.expected(number, "a method and a path", line))
    }

    /// Every table up to the examples. `Status code: N` says which answer the tables after it describe.
    fn tables(&mut self) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        let mut status = None;
        loop {
            let (number, line) = self.next("the heading \"Example Requests\"")?;
            if line == "Example Requests" {
                self.next("the example's name")?;
                return Ok(tables);
            } else if let Some(code) = line.strip_prefix("Status code: ") {
                status = Some(self.number(number, code)?);
            } else if let Some(caption) = line.strip_prefix("Table ") {
                tables.push(self.table(number, caption, status)?);
            }
        }
    }

    fn table(&mut self, number: u64, caption: &str, status: Option<u16>) -> Result<Table> {
        let (index, title) = caption
            .split_once(' ')
            .ok_or_else(|| self.expected(number, "a table's number and title", caption))?;
        let place = match title {
            "Path Parameters" => "path".to_owned(),
            "Query Parameters" => "query".to_owned(),
            "Request header parameters" => "header".to_owned(),
            "Request body parameters" => "request".to_owned(),
            "Response body parameters" => {
                let status = status
                    .ok_or_else(|| self.expected(number, "a status code before it", title))?;
                format!("response.{status}")
            }
            object => object.to_owned(),
        };
        self.exactly("Parameter")?;
        let has_mandatory = self
            .lines
            .next_if(|(_, line)| *line == "Mandatory")
            .is_some();
        self.exactly("Type")?;
        self.exactly("Description")?;
        let mut rows = Vec::new();
        while !self.at_table_end() {
            rows.push(self.row(has_mandatory)?);
        }
        Ok(Table {
            number: self.number(number, index)?,
            place,
            rows,
        })
    }

    fn at_table_end(&mut self) -> bool {
        self.lines.peek().is_none_or(|(_, line)| {
            HEADINGS.contains(line)
                || line.starts_with("Table ")
                || line.starts_with("Status code: ")
        })
    }

    fn row(&mut self, has_mandatory: bool) -> Result<Row> {
        let (number, parameter) = self.next("a parameter")?;
        if !parameter
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        {
            return Err(self.expected(number, "a parameter", parameter));
        }
        let mandatory = if has_mandatory {
            Some(self.yes_or_no()?.to_owned())
        } else {
            None
        };
        let (number, kind) = self.next("a type")?;
        if !is_type(kind) {
            return Err(self.expected(number, "a type", kind));
        }
        self.next("a description")?;
        Ok(Row {
            parameter: parameter.to_owned(),
            mandatory,
            kind: kind.to_owned(),
        })
    }

    fn yes_or_no(&mut self) -> Result<&'a str> {
        match self.next("Yes or No")? {
            (_, answer @ ("Yes" | "No")) => Ok(answer),
            (number, other) => Err(self.expected(number, "Yes or No", other)),
        }
    }

    /// `Status code: 200`.
    fn status_line(&mut self) -> Result<u16> {
        let (number, line) = self.next("a status code")?;
        let code = line.strip_prefix("Status code: ").unwrap_or(line);
        self.number(number, code)
    }

    /// The rows of the status table, each a code and a sentence.
    fn statuses(&mut self) -> Result<Vec<u16>> {
        self.exactly("Status Code")?;
        self.exactly("Description")?;
        let mut statuses = Vec::new();
        while !self.at_table_end() {
            let (number, code) = self.next("a status code")?;
            statuses.push(self.number(number, code)?);
            self.next("what the status means")?;
        }
        Ok(statuses)
    }

    /// The lines of one JSON value.
    fn json(&mut self) -> Result<Value> {
        let (first, line) = self.next("JSON")?;
        let mut text = line.to_owned();
        loop {
            match serde_json::from_str(&text) {
                Ok(value) => return Ok(value),
                Err(error) if !error.is_eof() => return Err(self.expected(first, "JSON", &text)),
                Err(_) => {
                    let (_, line) = self.next("the rest of the JSON")?;
                    text.push('\n');
                    text.push_str(line);
                }
            }
        }
    }

    fn after_prefix(&mut self, prefix: &str) -> Result<&'a str> {
        let (number, line) = self.next(prefix)?;
        line.strip_prefix(prefix)
            .ok_or_else(|| self.expected(number, &format!("{prefix:?}"), line))
    }

    fn exactly(&mut self, wanted: &str) -> Result<()> {
        match self.next(wanted)? {
            (_, line) if line == wanted => Ok(()),
            (number, line) => Err(self.expected(number, &format!("{wanted:?}"), line)),
        }
    }

    fn skip_to(&mut self, heading: &str) -> Result<()> {
        while self.next(&format!("the heading {heading:?}"))?.1 != heading {}
        Ok(())
    }

    fn next(&mut self, what: &str) -> Result<(u64, &'a str)> {
        self.lines
            .next()
            .ok_or_else(|| self.fault(format_args!("the page ends before {what}")))
    }

    fn number<T: FromStr>(&self, line: u64, text: &str) -> Result<T> {
        text.parse()
            .map_err(|_| self.expected(line, "a number", text))
    }

    fn expected(&self, line: u64, wanted: &str, found: &str) -> Failure {
        failure::line(
            self.file,
            (line, 1),
            format_args!("expected {wanted}, found {found:?}"),
        )
    }

    fn fault(&self, cause: impl std::fmt::Display) -> Failure {
        failure::file(self.file, cause)
    }
}

/// The page's words for types.
fn is_type(text: &str) -> bool {
    matches!(
        text,
        "String" | "Integer" | "Long" | "Number" | "Float" | "Double" | "Boolean" | "Object"
    ) || text.starts_with("Array of ")
        || text.ends_with(" object")
}
