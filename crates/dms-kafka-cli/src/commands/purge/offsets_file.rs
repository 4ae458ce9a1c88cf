//! Offsets files: the JSON of `kafka-delete-records.sh`, or one JSON row on each line.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::SystemTime;

use dms_kafka::auth::signing::hex;
use dms_kafka::{DeletionTarget, PartitionId, TopicName};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::rows::Rows;
use crate::exit::Failure;

const BUFFER: usize = 64 * 1024;
/// Much longer than any row.
const LONGEST_LINE: u64 = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Without white space.
const DOCUMENT_STARTS: [&[u8]; 2] = [b"{\"partitions\"", b"{\"version\""];
const BOTH_LAYOUTS: &str = concat!(
    r#"expected {"partitions":[...],"version":1}, or one row such as "#,
    r#"{"topic":"orders","partition":0,"offset":400} on each line"#
);

/// A valid offsets file.
pub(super) struct OffsetsFile {
    name: String,
    /// To detect a change; `None` for a pipe.
    opened: Option<(File, Stamp)>,
    pub(super) layout: Layout,
    /// In hexadecimal, if requested.
    pub(super) sha256: Option<String>,
}

/// The two forms of an offsets file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `{"partitions":[{"topic":…,"partition":…,"offset":…}],"version":1}`
    Document,
    /// `{"topic":…,"partition":…,"offset":…}` on each line
    Lines,
}

/// Length and time of the last change.
type Stamp = (u64, Option<SystemTime>);

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.len(), metadata.modified().ok())
}

impl OffsetsFile {
    /// Reads the file, or standard input for `-`, once. `hashed` requests its SHA-256.
    ///
    /// # Errors
    /// Usage: a row is not valid, or a partition is listed twice.
    pub(super) fn read(
        path: &Path,
        allow_everything: bool,
        hashed: bool,
    ) -> Result<(Self, Rows), Failure> {
        let hash = hashed.then(Sha256::new);
        let (read, rows) = if path == Path::new("-") {
            let name = "standard input".to_owned();
            Self::read_from(io::stdin().lock(), name, allow_everything, hash)?
        } else {
            let name = path.display().to_string();
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, file) = opened.map_err(|error| unreadable(&name, &error))?;
            let (mut read, rows) = Self::read_from(&file, name, allow_everything, hash)?;
            read.opened = metadata.is_file().then(|| (file, stamp(&metadata)));
            (read, rows)
        };
        // The program that writes to the pipe may have failed.
        if rows.len() == 0 && read.layout == Layout::Lines && read.opened.is_none() {
            return Err(Failure::usage(format!(
                "{} is empty: expected rows, or {{\"partitions\":[]}} for none; nothing was deleted",
                read.name
            )));
        }
        Ok((read, rows))
    }

    fn read_from(
        input: impl Read,
        name: String,
        allow_everything: bool,
        hash: Option<Sha256>,
    ) -> Result<(Self, Rows), Failure> {
        let mut input = Hashing { inner: input, hash };
        let (layout, rows) = read_rows(&mut input).map_err(|error| match error {
            ReadError::Io(error) => unreadable(&name, &error),
            ReadError::Invalid(message) => {
                Failure::usage(format!("{name}, {message}; nothing was deleted"))
            }
        })?;
        if let Some(number) = rows.first_of_everything().filter(|_| !allow_everything) {
            let row = rows.get(number);
            return Err(Failure::usage(format!(
                "{name}, row {}: offset -1 deletes all records of topic {}, partition {}: to allow that, add \
                 --allow-everything; nothing was deleted",
                number + 1,
                row.topic,
                row.partition
            )));
        }
        if let Some((second, first)) = rows.first_duplicate() {
            let row = rows.get(second);
            return Err(Failure::usage(format!(
                "{name}, row {}: topic {}, partition {} is already in row {}: list each partition once; nothing was \
                 deleted",
                second + 1,
                row.topic,
                row.partition,
                first + 1
            )));
        }
        let hexadecimal = |hash: Sha256| hex(&hash.finalize().into()).as_str().to_owned();
        let read = Self {
            name,
            opened: None,
            layout,
            sha256: input.hash.map(hexadecimal),
        };
        Ok((read, rows))
    }

    /// Refuses a file that was changed after it was opened: the rows may be incomplete.
    pub(super) fn check_unchanged(&self) -> Result<(), Failure> {
        let is_unchanged = self.opened.as_ref().is_none_or(|(file, opened)| {
            file.metadata()
                .is_ok_and(|metadata| stamp(&metadata) == *opened)
        });
        if is_unchanged {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{} was changed after it was opened; nothing was deleted",
            self.name
        )))
    }
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::input(format!(
        "{name} cannot be read: {error}; nothing was deleted"
    ))
}

/// Hashes the bytes that are read.
struct Hashing<R> {
    inner: R,
    hash: Option<Sha256>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..read]);
        }
        Ok(read)
    }
}

#[derive(Debug)]
pub(super) enum ReadError {
    Io(io::Error),
    /// With line and column.
    Invalid(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ReadError {
    fn at(line: usize, column: usize, message: &str) -> Self {
        Self::Invalid(format!("line {line}, column {column}: {message}"))
    }

    /// `line` counts the lines before the text that was parsed.
    fn of_json(error: serde_json::Error, line: usize) -> Self {
        if error.is_io() {
            return Self::Io(error.into());
        }
        let mut message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        message.truncate(message.strip_suffix(&place).unwrap_or(&message).len());
        if error.is_eof() {
            message = format!("the JSON is not complete: {BOTH_LAYOUTS}");
        } else if error.is_syntax() {
            message = format!("not valid JSON ({message}): {BOTH_LAYOUTS}");
        }
        Self::at(line + error.line(), error.column().max(1), &message)
    }
}

pub(super) fn read_rows(input: impl Read) -> Result<(Layout, Rows), ReadError> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut mark = Vec::new();
    let length = BYTE_ORDER_MARK.len() as u64;
    input.by_ref().take(length).read_to_end(&mut mark)?;
    if mark == BYTE_ORDER_MARK {
        mark.clear();
    }
    let mut input = mark.chain(input);
    let mut start = Vec::new();
    let layout = read_layout(input.by_ref().take(BUFFER as u64), &mut start)?;
    let input = BufReader::with_capacity(BUFFER, start.chain(input));
    let rows = match layout {
        Layout::Document => {
            let document: serde_json::Result<Document> = serde_json::from_reader(input);
            document
                .map_err(|error| ReadError::of_json(error, 0))?
                .partitions
        }
        Layout::Lines => read_lines(input)?,
    };
    Ok((layout, rows))
}

/// Depends on the first name in the first object. Reads byte by byte into `start` until it is known: one read of a pipe may
/// return any part of it.
fn read_layout(input: impl BufRead, start: &mut Vec<u8>) -> io::Result<Layout> {
    let mut tokens = Vec::new();
    for byte in input.bytes() {
        let byte = byte?;
        start.push(byte);
        let is_between_tokens = tokens.len() < 2;
        if is_between_tokens && byte.is_ascii_whitespace() {
            continue;
        }
        tokens.push(byte);
        if DOCUMENT_STARTS.contains(&&*tokens) {
            return Ok(Layout::Document);
        }
        if !DOCUMENT_STARTS.iter().any(|all| all.starts_with(&tokens)) {
            break;
        }
    }
    Ok(Layout::Lines)
}

fn read_lines(mut input: impl BufRead) -> Result<Rows, ReadError> {
    let mut rows = Rows::default();
    let mut bytes = Vec::new();
    for before in 0.. {
        bytes.clear();
        let read = input
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)?;
        if read == 0 {
            break;
        }
        let invalid = |column, message: &str| ReadError::at(before + 1, column, message);
        if bytes.len() as u64 == LONGEST_LINE {
            return Err(invalid(1, "the line is too long for a row"));
        }
        let row = bytes.trim_ascii_end();
        if row.is_empty() {
            continue;
        }
        let is_object = row.trim_ascii_start().starts_with(b"{");
        if !is_object {
            return Err(invalid(1, &format!("this is not a row: {BOTH_LAYOUTS}")));
        }
        if let Some((topic, partition, target)) = plain_row(row)
            && rows.push(topic, partition, target).is_ok()
        {
            continue;
        }
        // One check of the line is faster than one of each string in it.
        let text = std::str::from_utf8(row)
            .map_err(|error| invalid(error.valid_up_to() + 1, "not valid UTF-8"))?;
        let RowObject(row) =
            serde_json::from_str(text).map_err(|error| ReadError::of_json(error, before))?;
        rows.push(row.topic.as_str(), row.partition, row.target)
            .map_err(|message| invalid(1, &message))?;
    }
    Ok(rows)
}

/// Parses a row without white space or escapes and with its fields in this order, as programs write it, with a tenth of
/// the instructions that `serde_json` needs. Any other row is `None`, valid or not.
fn plain_row(row: &[u8]) -> Option<(&str, PartitionId, DeletionTarget)> {
    let (topic, rest) = split(row.strip_prefix(br#"{"topic":""#)?, b'"')?;
    let (partition, rest) = split(rest.strip_prefix(br#","partition":"#)?, b',')?;
    let offset = rest.strip_prefix(br#""offset":"#)?.strip_suffix(b"}")?;
    let partition = i32::try_from(plain_number(partition)?).ok()?;
    Some((
        std::str::from_utf8(topic).ok()?,
        PartitionId::new(partition).ok()?,
        DeletionTarget::from_api_offset(plain_number(offset)?).ok()?,
    ))
}

/// The bytes before and after `end`.
fn split(bytes: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == end)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// A number without sign, leading zeros, fraction or exponent.
fn plain_number(digits: &[u8]) -> Option<i64> {
    if matches!(digits, [] | [b'0', _, ..]) {
        return None;
    }
    digits.iter().try_fold(0, |number: i64, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// The document of `kafka-delete-records.sh`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    partitions: Rows,
    #[serde(default, rename = "version", deserialize_with = "version")]
    _version: (),
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let version = Value::deserialize(deserializer)?;
    if version == 1 {
        return Ok(());
    }
    Err(D::Error::custom(format!(
        "version {version} is not supported: it must be 1"
    )))
}

/// Packs rows one by one, so that the list itself is never in memory.
impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowsVisitor;

        impl<'de> Visitor<'de> for RowsVisitor {
            type Value = Rows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
                let mut rows = Rows::default();
                while let Some(RowObject(row)) = list.next_element()? {
                    rows.push(row.topic.as_str(), row.partition, row.target)
                        .map_err(A::Error::custom)?;
                }
                Ok(rows)
            }
        }

        deserializer.deserialize_seq(RowsVisitor)
    }
}

/// One row of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    #[serde(deserialize_with = "topic")]
    topic: TopicName,
    #[serde(deserialize_with = "partition")]
    partition: PartitionId,
    #[serde(rename = "offset", deserialize_with = "target")]
    target: DeletionTarget,
}

/// A row from a JSON object: derived code alone would also accept a list.
struct RowObject(FileRow);

impl<'de> Deserialize<'de> for RowObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;

        impl<'de> Visitor<'de> for RowVisitor {
            type Value = RowObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a row such as {"topic":"orders","partition":0,"offset":400}"#)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RowObject, A::Error> {
                FileRow::deserialize(MapAccessDeserializer::new(map)).map(RowObject)
            }
        }

        deserializer.deserialize_map(RowVisitor)
    }
}

fn topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TopicName, D::Error> {
    struct TopicVisitor;

    impl Visitor<'_> for TopicVisitor {
        type Value = TopicName;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TopicName, E> {
            TopicName::new(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(TopicVisitor)
}

fn partition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PartitionId, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_i64().and_then(|number| number.try_into().ok());
    number
        .and_then(|number| PartitionId::new(number).ok())
        .ok_or_else(|| {
            D::Error::custom(format!(
                "partition {value} is not a whole number from 0 to 2147483647"
            ))
        })
}

fn target<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeletionTarget, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let offset = value.as_i64();
    let target = offset.and_then(|offset| DeletionTarget::from_api_offset(offset).ok());
    target.ok_or_else(|| {
        D::Error::custom(format!(
            "offset {value} is not a whole number from 0 to 9223372036854775807, or -1 for all records"
        ))
    })
}
