//! Reads the text of the vendor's page, as a browser copies it: one table cell or sentence a line,
//! empty lines between them.

use std::iter::Peekable;

use anyhow::{Error, Result, bail};
use serde_json::Value;

use crate::failure;
use crate::reference::{Examples, Reference, Row, Table};

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

const STATUS: &str = "Status code: ";
const TABLE: &str = "Table ";

/// Reads a page. `file` is what messages call it.
pub(crate) fn parse(file: &str, text: &str) -> Result<Reference> {
    let referring = text
        .lines()
        .map(str::trim)
        .filter(|line| REFERRING.contains(line));
    let referring = referring.map(str::to_owned).collect();
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty()).peekable();
    Page {
        file,
        lines,
        number: 0,
    }
    .reference(referring)
}

struct Page<'a, I: Iterator<Item = (u64, &'a str)>> {
    file: &'a str,
    lines: Peekable<I>,
    /// Of the line that was read last.
    number: u64,
}

impl<'a, I: Iterator<Item = (u64, &'a str)>> Page<'a, I> {
    fn reference(&mut self, referring: Vec<String>) -> Result<Reference> {
        let updated = self.expect("\"Updated on \"", |line| line.strip_prefix("Updated on "))?;
        let title = self.next("the title")?;
        self.skip_to("URI")?;
        let (method, path) = self.expect("a method and a path", request_line)?;
        let tables = self.tables()?;
        self.next("the example's name")?;
        let server = self.expect("a method and the path again", |line| {
            request_line(line)?.1.strip_suffix(path)
        })?;
        let request = self.json()?;
        self.skip_to("Example Responses")?;
        let status = self.expect("a status code", |line| {
            line.strip_prefix(STATUS)?.parse().ok()
        })?;
        self.next("what the status means")?;
        let response = self.json()?;
        self.skip_to("Status Codes")?;
        Ok(Reference {
            title: title.to_owned(),
            updated: updated.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            server: server.to_owned(),
            tables,
            statuses: self.statuses()?,
            referring,
            example: Examples {
                request,
                status,
                response,
            },
        })
    }

    /// Every table up to the examples. `Status code: N` says which response the tables after it describe.
    fn tables(&mut self) -> Result<Vec<Table>> {
        let (mut tables, mut status) = (Vec::new(), "");
        loop {
            let line = self.next("the heading \"Example Requests\"")?;
            if line == "Example Requests" {
                return Ok(tables);
            } else if let Some(code) = line.strip_prefix(STATUS) {
                status = code;
            } else if let Some(caption) = line.strip_prefix(TABLE) {
                tables.push(self.table(caption, status)?);
            }
        }
    }

    fn table(&mut self, caption: &str, status: &str) -> Result<Table> {
        let parts = caption.split_once(' ');
        let parts = parts.and_then(|(number, title)| Some((number.parse().ok()?, title)));
        let (number, title) =
            parts.ok_or_else(|| self.unexpected("a table's number and title", caption))?;
        let place = match title {
            "Path Parameters" => "path".to_owned(),
            "Query Parameters" => "query".to_owned(),
            "Request header parameters" => "header".to_owned(),
            "Request body parameters" => "request".to_owned(),
            "Response body parameters" => format!("response.{status}"),
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
            number,
            place,
            rows,
        })
    }

    fn at_table_end(&mut self) -> bool {
        self.lines.peek().is_none_or(|(_, line)| {
            HEADINGS.contains(line) || line.starts_with(TABLE) || line.starts_with(STATUS)
        })
    }

    fn row(&mut self, has_mandatory: bool) -> Result<Row> {
        let is_name = |line: &str| {
            line.bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it))
        };
        let parameter = self.expect("a parameter", |line| is_name(line).then_some(line))?;
        let yes_or_no = |line| ["Yes", "No"].contains(&line).then(|| line.to_owned());
        let mandatory = has_mandatory.then(|| self.expect("Yes or No", yes_or_no));
        let kind = self.expect("a type", |line| is_type(line).then_some(line))?;
        self.next("a description")?;
        Ok(Row {
            parameter: parameter.to_owned(),
            mandatory: mandatory.transpose()?,
            kind: kind.to_owned(),
        })
    }

    /// The rows of the status table, each a code and a sentence.
    fn statuses(&mut self) -> Result<Vec<u16>> {
        self.exactly("Status Code")?;
        self.exactly("Description")?;
        let mut statuses = Vec::new();
        while !self.at_table_end() {
            statuses.push(self.expect("a status code", |line| line.parse().ok())?);
            self.next("what the status means")?;
        }
        Ok(statuses)
    }

    /// The lines of one JSON value.
    fn json(&mut self) -> Result<Value> {
        let mut text = self.next("JSON")?.to_owned();
        let first = self.number;
        loop {
            match serde_json::from_str(&text) {
                Ok(value) => return Ok(value),
                Err(error) if error.is_eof() => {
                    text.push('\n');
                    text.push_str(self.next("the rest of the JSON")?);
                }
                Err(_) => {
                    self.number = first;
                    return Err(self.unexpected("JSON", &text));
                }
            }
        }
    }

    fn exactly(&mut self, wanted: &str) -> Result<()> {
        self.expect(&format!("{wanted:?}"), |line| {
            (line == wanted).then_some(())
        })
    }

    fn skip_to(&mut self, heading: &str) -> Result<()> {
        while self.next(&format!("the heading {heading:?}"))? != heading {}
        Ok(())
    }

    fn next(&mut self, what: &str) -> Result<&'a str> {
        self.expect(what, Some)
    }

    /// The next line, as `read` takes it.
    fn expect<T>(&mut self, what: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T> {
        let Some((number, line)) = self.lines.next() else {
            bail!("{}: the page ends before {what}", self.file);
        };
        self.number = number;
        read(line).ok_or_else(|| self.unexpected(what, line))
    }

    fn unexpected(&self, wanted: &str, found: &str) -> Error {
        let cause = format_args!("expected {wanted}, found {found:?}");
        failure::at(self.file, (self.number, 1), cause)
    }
}

/// `POST /path` or `POST https://host/path`.
fn request_line(line: &str) -> Option<(&str, &str)> {
    let (method, target) = line.split_once(' ')?;
    let is_method = method.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_method && target.contains('/')).then_some((method, target))
}

/// The page's words for types.
fn is_type(text: &str) -> bool {
    let simple = [
        "String", "Integer", "Long", "Number", "Float", "Double", "Boolean", "Object",
    ];
    simple.contains(&text) || text.starts_with("Array of ") || text.ends_with(" object")
}
