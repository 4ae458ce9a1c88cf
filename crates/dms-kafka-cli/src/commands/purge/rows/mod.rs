//! Reading offsets files: JSON as `kafka-delete-records.sh` takes it, or a row of JSON on each line.

mod json;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use dms_kafka::{DeletionTarget, InvalidId};
use serde::Serialize;
use serde::de::{DeserializeSeed as _, Deserializer as _};

use json::{Document, RowSeed};

/// The wire's sign for everything that a partition holds.
const EVERYTHING: i64 = -1;
/// Far more than the longest row needs.
const LONGEST_LINE: u64 = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One row that keeps the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// -1 for everything.
    offset: i64,
}

impl Row {
    pub(super) fn target(&self) -> Result<DeletionTarget, InvalidId> {
        match self.offset {
            EVERYTHING => Ok(DeletionTarget::Everything),
            offset => DeletionTarget::before(offset),
        }
    }

    pub(super) fn is_everything(&self) -> bool {
        self.offset == EVERYTHING
    }
}

/// The two forms of an offsets file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `{"partitions":[{"topic":…,"partition":…,"offset":…}],"version":1}`
    Document,
    /// `{"topic":…,"partition":…,"offset":…}` on each line
    Lines,
}

/// Where the file breaks a rule, and which.
#[derive(Debug)]
pub(super) struct RowError {
    /// Line and column, both from 1.
    pub(super) place: Option<(usize, usize)>,
    pub(super) message: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// What to do with each row; an error ends the reading at its place.
pub(super) type Visit<'a> = dyn FnMut(Row) -> Result<(), String> + 'a;

/// Reads all rows, whichever form they have.
pub(super) fn read(reader: impl Read, visit: &mut Visit<'_>) -> Result<Layout, RowError> {
    let mut reader = BufReader::new(reader);
    let start = reader.fill_buf().map_err(|error| RowError::io(&error))?;
    if start.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    let layout = layout(reader.fill_buf().map_err(|error| RowError::io(&error))?);
    match layout {
        Layout::Document => read_document(reader, visit)?,
        Layout::Lines => read_lines(reader, visit)?,
    }
    Ok(layout)
}

/// The first name in the first object tells.
fn layout(start: &[u8]) -> Layout {
    let start = start.trim_ascii_start();
    let first = start.strip_prefix(b"{").unwrap_or(start).trim_ascii_start();
    let is_document = [&b"\"partitions\""[..], b"\"version\""]
        .iter()
        .any(|name| first.starts_with(name));
    if is_document {
        Layout::Document
    } else {
        Layout::Lines
    }
}

fn read_document(reader: impl Read, visit: &mut Visit<'_>) -> Result<(), RowError> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    deserializer
        .deserialize_map(Document(visit))
        .and_then(|()| deserializer.end())
        .map_err(|error| RowError::of_document(&error))
}

fn read_lines(mut reader: impl BufRead, visit: &mut Visit<'_>) -> Result<(), RowError> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| RowError::io(&error))?;
        if read == 0 {
            break;
        }
        if bytes.len() as u64 == LONGEST_LINE {
            let message = "the line is longer than any row".to_owned();
            return Err(RowError {
                place: Some((line, 1)),
                message,
            });
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        // Once for the line takes less than for each name and value in it.
        let text = std::str::from_utf8(&bytes).map_err(|error| RowError {
            place: Some((line, error.valid_up_to() + 1)),
            message: "this is not UTF-8".to_owned(),
        })?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        RowSeed(&mut *visit)
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| RowError::of_line(&error, line))?;
    }
    Ok(())
}

impl RowError {
    fn io(error: &io::Error) -> Self {
        Self {
            place: None,
            message: error.to_string(),
        }
    }

    fn of_document(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let suffix = format!(" at line {} column {}", error.line(), error.column());
        Self {
            place: (error.line() > 0).then(|| (error.line(), error.column().max(1))),
            message: text.strip_suffix(&suffix).unwrap_or(&text).to_owned(),
        }
    }

    fn of_line(error: &serde_json::Error, line: usize) -> Self {
        let mut error = Self::of_document(error);
        error.place = error.place.map(|(_, column)| (line, column));
        if error.message == "trailing characters" {
            error.message.push_str(": write one row on each line");
        }
        error
    }
}
