//! The first reading of an offsets file: nothing is sent before all of it was found good.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::io::{self, Read};

use foldhash::{fast, quality};
use sha2::{Digest as _, Sha256};

use super::rows::{self, Layout, Row, RowError};
use super::source::Source;
use crate::exit::Failure;

/// Topics and rows are told one by one up to these numbers, so that memory does not grow with the file.
const TOLD_TOPICS: usize = 10_000;
pub(super) const TOLD_ROWS: usize = 50;

/// What a good offsets file holds.
pub(super) struct Checked {
    pub(super) layout: Layout,
    /// SHA-256 of the file, in hexadecimal.
    pub(super) sha256: String,
    pub(super) rows: u64,
    pub(super) everything: u64,
    pub(super) topics: BTreeMap<String, TopicRows>,
    /// Whether there are more topics than are told.
    pub(super) has_more_topics: bool,
    /// The first rows; all of them when they are no more than [`TOLD_ROWS`].
    pub(super) first_rows: Vec<Row>,
}

/// The rows of one topic.
#[derive(Default)]
pub(super) struct TopicRows {
    pub(super) rows: u64,
    pub(super) everything: u64,
    pub(super) highest_partition: i32,
}

impl TopicRows {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.everything += u64::from(row.is_everything());
        self.highest_partition = self.highest_partition.max(row.partition);
    }
}

/// Reads all rows.
///
/// # Errors
/// Usage: the first row that breaks a rule, with line and column.
pub(super) fn check(source: &Source, allow_everything: bool) -> Result<Checked, Failure> {
    loop {
        let mut check = Check::new(allow_everything);
        let mut reader = Hashing::new(
            source
                .reader()
                .map_err(|error| unreadable(source, &error))?,
        );
        let error = match rows::read(&mut reader, &mut |row| check.take(row)) {
            Ok(layout) => return check.finish(source, layout, reader.sha256()),
            Err(error) => error,
        };
        let Some(suspect) = check.suspect else {
            return Err(refused(source, &error));
        };
        if let Some(first) = first_place(source, &suspect, check.rows)? {
            return Err(refused(
                source,
                &RowError {
                    message: format!(
                        "topic {}, partition {} is named again (first in line {first}): name each partition once",
                        suspect.topic, suspect.partition
                    ),
                    ..error
                },
            ));
        }
        // Two rows had the same hash by chance: with other hashes they will not.
    }
}

struct Check {
    allow_everything: bool,
    hasher: quality::RandomState,
    /// A hash of topic and partition each: 32 bytes a row at most, whatever the topics' names.
    seen: HashSet<u64, fast::RandomState>,
    /// The row whose hash was seen before.
    suspect: Option<Row>,
    rows: u64,
    everything: u64,
    topics: HashMap<String, TopicRows, fast::RandomState>,
    has_more_topics: bool,
    first_rows: Vec<Row>,
}

impl Check {
    fn new(allow_everything: bool) -> Self {
        Self {
            allow_everything,
            hasher: quality::RandomState::default(),
            seen: HashSet::default(),
            suspect: None,
            rows: 0,
            everything: 0,
            topics: HashMap::default(),
            has_more_topics: false,
            first_rows: Vec::new(),
        }
    }

    fn take(&mut self, row: Row) -> Result<(), String> {
        if row.is_everything() && !self.allow_everything {
            return Err(format!(
                "offset -1 deletes all records of topic {}, partition {}: give --allow-everything if that is wanted",
                row.topic, row.partition
            ));
        }
        if !self
            .seen
            .insert(self.hasher.hash_one((&row.topic, row.partition)))
        {
            self.suspect = Some(row);
            return Err("suspect".to_owned());
        }
        self.rows += 1;
        self.everything += u64::from(row.is_everything());
        let has_room = self.topics.len() < TOLD_TOPICS;
        match self.topics.get_mut(&row.topic) {
            Some(topic) => topic.add(&row),
            None if has_room => {
                let topic = self.topics.entry(row.topic.clone()).or_default();
                topic.add(&row);
            }
            None => self.has_more_topics = true,
        }
        if self.first_rows.len() < TOLD_ROWS {
            self.first_rows.push(row);
        }
        Ok(())
    }

    fn finish(self, source: &Source, layout: Layout, sha256: String) -> Result<Checked, Failure> {
        if self.rows == 0 {
            return Err(Failure::usage(format!(
                "{} holds no row: there is nothing to delete",
                source.name()
            )));
        }
        Ok(Checked {
            layout,
            sha256,
            rows: self.rows,
            everything: self.everything,
            topics: self.topics.into_iter().collect(),
            has_more_topics: self.has_more_topics,
            first_rows: self.first_rows,
        })
    }
}

/// The line in which the row's partition is named first, when that is among the first `rows`.
fn first_place(source: &Source, suspect: &Row, rows: u64) -> Result<Option<usize>, Failure> {
    let mut before = 0;
    let reader = source
        .reader()
        .map_err(|error| unreadable(source, &error))?;
    let found = rows::read(reader, &mut |row| {
        if before == rows || (row.topic == suspect.topic && row.partition == suspect.partition) {
            return Err("found".to_owned());
        }
        before += 1;
        Ok(())
    });
    match found {
        Err(RowError {
            place: Some((line, _)),
            ..
        }) if before < rows => Ok(Some(line)),
        _ => Ok(None),
    }
}

pub(super) fn unreadable(source: &Source, error: &io::Error) -> Failure {
    Failure::usage(format!("{} cannot be read: {error}", source.name()))
}

fn refused(source: &Source, error: &RowError) -> Failure {
    Failure::usage(format!("{}, {error}; nothing was sent", source.name()))
}

/// Takes the hash of what passes through.
pub(super) struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R> Hashing<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
        }
    }

    pub(super) fn sha256(self) -> String {
        use std::fmt::Write as _;
        let digest = self.hash.finalize();
        digest
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
