//! Reading offsets files: JSON as `kafka-delete-records.sh` takes it, or a row of JSON on each line.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use dms_kafka::{DeletionTarget, PartitionId, TopicName};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

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
    pub(super) fn target(&self) -> DeletionTarget {
        match self.offset {
            EVERYTHING => DeletionTarget::Everything,
            offset => DeletionTarget::Before(offset),
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
        .map_err(|error| RowError::json(&error, None))
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
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        RowSeed(&mut *visit)
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| RowError::json(&error, Some(line)))?;
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

    /// `line` when the JSON is one line of a file.
    fn json(error: &serde_json::Error, line: Option<usize>) -> Self {
        let text = error.to_string();
        let suffix = format!(" at line {} column {}", error.line(), error.column());
        Self {
            place: (error.line() > 0)
                .then(|| (line.unwrap_or(error.line()), error.column().max(1))),
            message: text.strip_suffix(&suffix).unwrap_or(&text).to_owned(),
        }
    }
}

struct Document<'a, 'b>(&'a mut Visit<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum DocumentField {
    Partitions,
    Version,
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"an object such as {"partitions":[…],"version":1}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_partitions, mut has_version) = (false, false);
        while let Some(field) = map.next_key()? {
            match field {
                DocumentField::Partitions if has_partitions => {
                    return Err(A::Error::duplicate_field("partitions"));
                }
                DocumentField::Partitions => {
                    map.next_value_seed(Rows(self.0))?;
                    has_partitions = true;
                }
                DocumentField::Version if has_version => {
                    return Err(A::Error::duplicate_field("version"));
                }
                DocumentField::Version => {
                    let version: i64 = map.next_value()?;
                    if version != 1 {
                        return Err(A::Error::custom(format!(
                            "version {version} is not supported: it must be 1"
                        )));
                    }
                    has_version = true;
                }
            }
        }
        if has_partitions {
            Ok(())
        } else {
            Err(A::Error::missing_field("partitions"))
        }
    }
}

struct Rows<'a, 'b>(&'a mut Visit<'b>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(()) = rows.next_element_seed(RowSeed(&mut *self.0))? {}
        Ok(())
    }
}

/// A row that is handed on before the reader goes behind it, so that an error tells its place.
///
/// Takes objects only: a derived implementation would take lists too.
struct RowSeed<'a, 'b>(&'a mut Visit<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum RowField {
    Topic,
    Partition,
    Offset,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a row such as {"topic":"orders","partition":0,"offset":400}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut topic, mut partition, mut offset) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                RowField::Topic => once(&mut topic, "topic", checked_topic(map.next_value()?)?)?,
                RowField::Partition => {
                    once(
                        &mut partition,
                        "partition",
                        checked_partition(map.next_value()?)?,
                    )?;
                }
                RowField::Offset => {
                    once(&mut offset, "offset", checked_offset(map.next_value()?)?)?;
                }
            }
        }
        let row = Row {
            topic: topic.ok_or_else(|| A::Error::missing_field("topic"))?,
            partition: partition.ok_or_else(|| A::Error::missing_field("partition"))?,
            offset: offset.ok_or_else(|| A::Error::missing_field("offset"))?,
        };
        (self.0)(row).map_err(A::Error::custom)
    }
}

fn once<T, E: serde::de::Error>(
    slot: &mut Option<T>,
    name: &'static str,
    value: T,
) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

fn checked_topic<E: serde::de::Error>(topic: String) -> Result<String, E> {
    match TopicName::new(topic) {
        Ok(topic) => Ok(topic.as_str().to_owned()),
        Err(error) => Err(E::custom(error)),
    }
}

fn checked_partition<E: serde::de::Error>(partition: i32) -> Result<i32, E> {
    PartitionId::new(partition)
        .map(PartitionId::get)
        .map_err(E::custom)
}

fn checked_offset<E: serde::de::Error>(offset: i64) -> Result<i64, E> {
    if offset < EVERYTHING {
        return Err(E::custom(format!(
            "offset {offset} is negative: offsets count from 0, and -1 deletes all records of the partition"
        )));
    }
    Ok(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<(Layout, Vec<Row>), String> {
        let mut rows = Vec::new();
        let mut visit = |row| {
            rows.push(row);
            Ok(())
        };
        match read(text.as_bytes(), &mut visit) {
            Ok(layout) => Ok((layout, rows)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn row(topic: &str, partition: i32, offset: i64) -> Row {
        Row {
            topic: topic.to_owned(),
            partition,
            offset,
        }
    }

    #[test]
    fn both_forms_give_the_same_rows() {
        let expected = vec![row("a", 0, 400), row("b.c", 7, -1)];
        let document = "{ \"partitions\" :\n [{\"topic\":\"a\",\"partition\":0,\"offset\":400},\n\
                        {\"offset\":-1,\"partition\":7,\"topic\":\"b.c\"}],\"version\":1}\n";
        assert_eq!(rows(document), Ok((Layout::Document, expected.clone())));
        let without_version = "{\"partitions\":[]}";
        assert_eq!(rows(without_version), Ok((Layout::Document, Vec::new())));
        let lines = "\u{feff}{\"topic\":\"a\",\"partition\":0,\"offset\":400}\r\n\n\
                     {\"topic\":\"b.c\",\"partition\":7,\"offset\":-1}";
        assert_eq!(rows(lines), Ok((Layout::Lines, expected)));
        assert_eq!(rows(""), Ok((Layout::Lines, Vec::new())));
    }

    #[test]
    fn what_breaks_a_rule_is_told_with_line_and_column() {
        for (text, place, word) in [
            (
                "{\"version\":2,\"partitions\":[]}",
                "line 1, column 13: ",
                "it must be 1",
            ),
            ("{\"version\":1}", "line 1, column 13: ", "partitions"),
            (
                "{\"partitions\":[\n{\"topic\":\"a\",\"partition\":0}]}",
                "line 2, column 27: ",
                "missing field `offset`",
            ),
            (
                "{\"partitions\":[\n{\"topic\":\"a/b\",\"partition\":0}]}",
                "line 2, column 15: ",
                "\"a/b\"",
            ),
            (
                "{\"partitions\":[],\"more\":1}",
                "line 1, column 24: ",
                "unknown field `more`",
            ),
            (
                "{\"partitions\":[],\"partitions\":[]}",
                "line 1, column ",
                "duplicate field",
            ),
            (
                "{\"partitions\":[[\"a\",0,1]]}",
                "line 1, column ",
                "expected a row such as",
            ),
            (
                "{\"partitions\":[]} x",
                "line 1, column 19: ",
                "trailing characters",
            ),
            ("{\"partitions\":[\n", "line 2, column ", "EOF"),
            ("[]", "line 1, column ", "expected a row such as"),
            (
                "\n{\"topic\":\"a\",\"partition\":-1,\"offset\":1}",
                "line 2, column 27: ",
                r#"partition "-1" is negative"#,
            ),
            (
                "{\"topic\":\"a\",\"partition\":0,\"offset\":-2}",
                "line 1, column ",
                "offset -2 is negative",
            ),
            (
                "{\"topic\":\"a\",\"partition\":0,\"offset\":1.5}",
                "line 1, column ",
                "floating point",
            ),
            (
                "{\"topic\":\"a\",\"partition\":3000000000,\"offset\":1}",
                "line 1, column ",
                "i32",
            ),
            (
                "{\"topic\":\"a\",\"partition\":0,\"offset\":9223372036854775808}",
                "line 1, column ",
                "i64",
            ),
            (
                "{\"topic\":\"a\",\"topic\":\"b\",\"partition\":0,\"offset\":1}",
                "line 1, column ",
                "duplicate field",
            ),
            (
                "{\"topic\":\"a\",\"partition\":0,\"offset\":1} {}",
                "line 1, column ",
                "trailing",
            ),
            ("not json", "line 1, column ", "expected"),
        ] {
            let error = rows(text).unwrap_err();
            assert!(error.starts_with(place), "{text}: {error}");
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_read_to_its_end() {
        let error = rows(&"x".repeat(1 << 20)).unwrap_err();
        assert!(
            error.starts_with("line 1, column 1: the line is longer"),
            "{error}"
        );
    }
}
