//! Offsets files: the JSON that `kafka-delete-records.sh` takes, or one row of JSON on each line.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::SystemTime;

use dms_kafka::{DeletionTarget, PartitionId, TopicName};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor,
};
use sha2::{Digest as _, Sha256};

use super::rows::{EVERYTHING, Rows};
use crate::exit::Failure;

const BUFFER: usize = 64 * 1024;
/// Far more than the longest row needs.
const LONGEST_LINE: u64 = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An offsets file that was read to its end and is valid.
pub(super) struct OffsetsFile {
    name: String,
    /// What is compared to notice a change; `None` for a pipe.
    opened: Option<(File, Stamp)>,
    pub(super) layout: Layout,
    /// SHA-256 of the content in hexadecimal, if it was asked for.
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

/// What changes when a file does.
#[derive(PartialEq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

impl OffsetsFile {
    /// Reads the file, or standard input for `-`, once. `hashed` asks for its SHA-256.
    ///
    /// # Errors
    /// Usage: the first row that is not valid, with line and column, or a partition that is named twice.
    pub(super) fn read(
        path: &Path,
        allow_everything: bool,
        hashed: bool,
    ) -> Result<(Self, Rows), Failure> {
        let hash = hashed.then(Sha256::new);
        if path == Path::new("-") {
            let name = "standard input".to_owned();
            return Self::read_from(io::stdin().lock(), name, allow_everything, hash);
        }
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| unreadable(&name, &error))?;
        let (mut read, rows) = Self::read_from(&file, name, allow_everything, hash)?;
        read.opened = metadata.is_file().then(|| (file, Stamp::of(&metadata)));
        Ok((read, rows))
    }

    fn read_from(
        input: impl Read,
        name: String,
        allow_everything: bool,
        hash: Option<Sha256>,
    ) -> Result<(Self, Rows), Failure> {
        let mut rows = Rows::default();
        let mut input = Hashing { inner: input, hash };
        let layout = read_rows(&mut input, &mut |row| {
            if row.target == DeletionTarget::Everything && !allow_everything {
                return Err(format!(
                    "offset -1 deletes all records of topic {}, partition {}: give --allow-everything if that is wanted",
                    row.topic, row.partition
                ));
            }
            rows.push(row.topic, row.partition, row.target)
        })
        .map_err(|error| match error {
            ReadError::Io(error) => unreadable(&name, &error),
            invalid @ ReadError::Invalid { .. } => Failure::usage(format!("{name}, {invalid}; nothing was sent")),
        })?;
        if rows.len() == 0 {
            return Err(Failure::usage(format!(
                "{name} holds no row: there is nothing to delete"
            )));
        }
        if let Some((second, first)) = rows.first_duplicate() {
            let row = rows.get(second);
            return Err(Failure::usage(format!(
                "{name}, row {}: topic {}, partition {} is named again (first in row {}): name each partition once; \
                 nothing was sent",
                second + 1,
                row.topic,
                row.partition,
                first + 1
            )));
        }
        let read = Self {
            name,
            opened: None,
            layout,
            sha256: input.hash.map(|hash| hexadecimal(&hash.finalize())),
        };
        Ok((read, rows))
    }

    /// Refuses a file that was written to since it was opened: what was read may be a part of it.
    pub(super) fn check_unchanged(&self) -> Result<(), Failure> {
        let is_unchanged = self.opened.as_ref().is_none_or(|(file, stamp)| {
            file.metadata()
                .is_ok_and(|metadata| Stamp::of(&metadata) == *stamp)
        });
        if is_unchanged {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{}: it was changed while it was read; nothing was sent",
            self.name
        )))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::input(format!("{name} cannot be read: {error}; nothing was sent"))
}

/// Takes the hash of what passes through.
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

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Why a file cannot be used.
#[derive(Debug)]
enum ReadError {
    Io(io::Error),
    Invalid {
        /// Line and column, both from 1.
        place: Option<(usize, usize)>,
        message: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Invalid { place, message } => {
                if let Some((line, column)) = place {
                    write!(f, "line {line}, column {column}: ")?;
                }
                f.write_str(message)
            }
        }
    }
}

/// What to do with each row; an error ends the reading and gets the row's place.
type Visit<'a> = dyn FnMut(FileRow) -> Result<(), String> + 'a;

/// Reads all rows, whichever form they have.
fn read_rows(input: impl Read, visit: &mut Visit<'_>) -> Result<Layout, ReadError> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    if input
        .fill_buf()
        .map_err(ReadError::Io)?
        .starts_with(BYTE_ORDER_MARK)
    {
        input.consume(BYTE_ORDER_MARK.len());
    }
    let layout = layout(input.fill_buf().map_err(ReadError::Io)?);
    match layout {
        Layout::Document => read_document(input, visit)?,
        Layout::Lines => read_lines(input, visit)?,
    }
    Ok(layout)
}

/// The first name in the first object decides.
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

fn read_document(input: impl Read, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    deserializer
        .deserialize_map(DocumentVisitor(visit))
        .and_then(|()| deserializer.end())
        .map_err(ReadError::of_document)
}

fn read_lines(mut input: impl BufRead, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read = input
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(ReadError::Io)?;
        if read == 0 {
            break;
        }
        let invalid = |column, message: String| ReadError::Invalid {
            place: Some((line, column)),
            message,
        };
        if bytes.len() as u64 == LONGEST_LINE {
            return Err(invalid(1, "the line is longer than any row".to_owned()));
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        // Faster once for the line than for each name and value in it.
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| invalid(error.valid_up_to() + 1, "this is not UTF-8".to_owned()))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        RowSeed(&mut *visit)
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| ReadError::of_line(&error, line))?;
    }
    Ok(())
}

impl ReadError {
    fn of_document(error: serde_json::Error) -> Self {
        if error.is_io() {
            return Self::Io(error.into());
        }
        Self::Invalid {
            place: (error.line() > 0).then(|| (error.line(), error.column().max(1))),
            message: without_place(&error),
        }
    }

    fn of_line(error: &serde_json::Error, line: usize) -> Self {
        let mut message = without_place(error);
        if message == "trailing characters" {
            message.push_str(": write one row on each line");
        }
        Self::Invalid {
            place: Some((line, error.column().max(1))),
            message,
        }
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// One row as the file has it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    #[serde(deserialize_with = "topic")]
    topic: TopicName,
    #[serde(deserialize_with = "partition")]
    partition: PartitionId,
    #[serde(rename = "offset", deserialize_with = "target")]
    target: DeletionTarget,
}

fn topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TopicName, D::Error> {
    TopicName::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn partition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PartitionId, D::Error> {
    let partition = PARTITION.deserialize(deserializer)?;
    let number = i32::try_from(partition)
        .map_err(|_| D::Error::invalid_value(Unexpected::Signed(partition), &PARTITION))?;
    PartitionId::new(number).map_err(D::Error::custom)
}

fn target<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeletionTarget, D::Error> {
    let offset = OFFSET.deserialize(deserializer)?;
    if offset == EVERYTHING {
        return Ok(DeletionTarget::Everything);
    }
    DeletionTarget::before(offset).map_err(|_| {
        D::Error::custom(format!(
            "offset {offset} is negative: offsets count from 0, and -1 deletes all records of the partition"
        ))
    })
}

/// A row that is passed on before the reader moves past it, so that an error tells its place. Derived code alone would
/// also take a list for a row.
struct RowSeed<'a, 'b>(&'a mut Visit<'b>);

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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let row = FileRow::deserialize(MapAccessDeserializer::new(map))?;
        (self.0)(row).map_err(A::Error::custom)
    }
}

/// The list of rows in a document, passed on one by one.
struct RowsSeed<'a, 'b>(&'a mut Visit<'b>);

impl<'de> DeserializeSeed<'de> for RowsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(()) = rows.next_element_seed(RowSeed(&mut *self.0))? {}
        Ok(())
    }
}

/// The document of `kafka-delete-records.sh`.
struct DocumentVisitor<'a, 'b>(&'a mut Visit<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum DocumentField {
    Partitions,
    Version,
}

impl<'de> Visitor<'de> for DocumentVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"an object such as {"partitions":[…],"version":1}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_partitions, mut has_version) = (false, false);
        while let Some(field) = map.next_key()? {
            match field {
                DocumentField::Partitions => {
                    if std::mem::replace(&mut has_partitions, true) {
                        return Err(A::Error::duplicate_field("partitions"));
                    }
                    map.next_value_seed(RowsSeed(&mut *self.0))?;
                }
                DocumentField::Version => {
                    if std::mem::replace(&mut has_version, true) {
                        return Err(A::Error::duplicate_field("version"));
                    }
                    let version = map.next_value_seed(VERSION)?;
                    if version != 1 {
                        return Err(A::Error::custom(format!(
                            "version {version} is not supported: it must be 1"
                        )));
                    }
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

/// A whole number, and how errors call it.
#[derive(Clone, Copy)]
struct Number(&'static str);

const VERSION: Number = Number("the version 1");
const PARTITION: Number = Number("a partition, a whole number from 0 to 2147483647");
const OFFSET: Number =
    Number("an offset, a whole number from 0 to 9223372036854775807, or -1 for all records");

impl<'de> DeserializeSeed<'de> for Number {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_i64(self)
    }
}

impl Visitor<'_> for Number {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}
