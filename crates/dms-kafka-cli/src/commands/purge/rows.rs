//! The rows of an offsets file in memory, and their states.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use dms_kafka::{DeletionTarget, Offset, Outcome, PartitionId, PurgeTarget, TopicName};
use futures_util::{Stream, stream};
use indexmap::IndexMap;

/// The offset for all records in an offsets file.
pub(super) const EVERYTHING: i64 = -1;

/// All rows with 16 bytes each, and each topic name once.
#[derive(Default)]
pub(super) struct Rows {
    topics: IndexMap<TopicName, TopicRows>,
    rows: Vec<PackedRow>,
}

struct PackedRow {
    topic: u32,
    partition: PartitionId,
    offset: i64,
}

/// Counts of the rows of one topic.
pub(super) struct TopicRows {
    pub(super) name: TopicName,
    pub(super) rows: u64,
    pub(super) everything: u64,
    pub(super) highest_partition: i32,
}

pub(super) struct Row<'a> {
    pub(super) topic: &'a TopicName,
    pub(super) partition: PartitionId,
    pub(super) target: DeletionTarget,
}

/// The offset of a target in an offsets file.
pub(super) fn offset(target: DeletionTarget) -> i64 {
    match target {
        DeletionTarget::Before(offset) => offset.get(),
        _ => EVERYTHING,
    }
}

impl PackedRow {
    fn target(&self) -> DeletionTarget {
        // Only the offset for all records is negative.
        Offset::new(self.offset).map_or(DeletionTarget::Everything, DeletionTarget::Before)
    }
}

impl Row<'_> {
    pub(super) fn is_everything(&self) -> bool {
        self.target == DeletionTarget::Everything
    }
}

impl TopicRows {
    fn new(name: &TopicName) -> Self {
        Self {
            name: name.clone(),
            rows: 0,
            everything: 0,
            highest_partition: 0,
        }
    }
}

impl Rows {
    /// # Errors
    /// There are more rows than 32-bit numbers.
    pub(super) fn push(
        &mut self,
        topic: TopicName,
        partition: PartitionId,
        target: DeletionTarget,
    ) -> Result<(), String> {
        let too_many = |_| format!("more than {} rows are not supported", u32::MAX);
        u32::try_from(self.rows.len()).map_err(too_many)?;
        // Rows of one topic are usually adjacent: comparing names is faster than hashing them.
        let last = self.rows.last().map(|row| row.topic);
        let of_last = last.filter(|&last| self.topics[last as usize].name == topic);
        let number = if let Some(number) = of_last {
            number
        } else {
            let entry = self.topics.entry(topic);
            let number = u32::try_from(entry.index()).map_err(too_many)?;
            entry.or_insert_with_key(TopicRows::new);
            number
        };
        let topic = &mut self.topics[number as usize];
        topic.rows += 1;
        topic.everything += u64::from(target == DeletionTarget::Everything);
        topic.highest_partition = topic.highest_partition.max(partition.get());
        self.rows.push(PackedRow {
            topic: number,
            partition,
            offset: offset(target),
        });
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many rows delete all records.
    pub(super) fn everything(&self) -> u64 {
        self.topics.values().map(|topic| topic.everything).sum()
    }

    pub(super) fn topics(&self) -> impl ExactSizeIterator<Item = &TopicRows> {
        self.topics.values()
    }

    /// The row with this number, from 0.
    pub(super) fn get(&self, number: usize) -> Row<'_> {
        let row = &self.rows[number];
        Row {
            topic: &self.topics[row.topic as usize].name,
            partition: row.partition,
            target: row.target(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The first row with the partition of an earlier row, and that row.
    pub(super) fn first_duplicate(&self) -> Option<(usize, usize)> {
        let key = |row: &PackedRow| (row.topic, row.partition);
        if self.rows.is_sorted_by(|one, next| key(one) < key(next)) {
            return None;
        }
        let mut numbers: Vec<u32> = (0..).take(self.rows.len()).collect();
        let key = |number: u32| key(&self.rows[number as usize]);
        numbers.sort_unstable_by_key(|&number| (key(number), number));
        let again = numbers
            .windows(2)
            .filter(|pair| key(pair[0]) == key(pair[1]));
        again.map(|pair| (pair[1] as usize, pair[0] as usize)).min()
    }
}

/// The waiting rows as the client's purge targets.
pub(super) fn waiting(
    rows: &Arc<Rows>,
    states: &RowStates,
) -> impl Stream<Item = PurgeTarget> + Send + use<> {
    let rows = Arc::clone(rows);
    // The state of a waiting row changes only when it is sent.
    let states = states.all().clone();
    let waiting = states.into_iter().enumerate();
    stream::iter(waiting.filter_map(move |(number, state)| {
        let row = (state == RowState::Waiting).then(|| rows.get(number))?;
        Some(PurgeTarget {
            topic: row.topic.clone(),
            partition: row.partition,
            target: row.target,
            row: number as u64,
        })
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowState {
    /// Not sent.
    Waiting,
    /// Sent or about to be sent, without a result.
    InFlight,
    Deleted,
    /// The partition failed: nothing was deleted.
    Failed,
    /// The service rejected the content of the request: nothing was deleted.
    Refused,
    /// The request failed for a reason that does not depend on the row, such as a connection error: nothing was deleted.
    Retryable,
    /// Records may or may not have been deleted.
    Unknown,
}

/// The number of rows in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowCounts {
    pub(super) waiting: u64,
    pub(super) in_flight: u64,
    pub(super) deleted: u64,
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) retryable: u64,
    pub(super) unknown: u64,
}

/// The states of all rows, by row number from 0: one byte each.
pub(super) struct RowStates(RefCell<StatesInner>);

struct StatesInner {
    rows: Vec<RowState>,
    counts: RowCounts,
}

impl RowStates {
    pub(super) fn new(rows: usize) -> Self {
        Self(RefCell::new(StatesInner {
            rows: vec![RowState::Waiting; rows],
            counts: RowCounts {
                waiting: rows as u64,
                ..RowCounts::default()
            },
        }))
    }

    pub(super) fn set_all(&self, rows: &[u64], state: RowState) -> bool {
        self.set_each(rows.iter().map(|row| (*row, state)))
    }

    /// Stops at a row number that does not exist, and returns `false`.
    pub(super) fn set_each(&self, rows: impl IntoIterator<Item = (u64, RowState)>) -> bool {
        let mut inner = self.0.borrow_mut();
        rows.into_iter().all(|(row, state)| inner.set(row, state))
    }

    pub(super) fn all(&self) -> Ref<'_, Vec<RowState>> {
        Ref::map(self.0.borrow(), |inner| &inner.rows)
    }

    pub(super) fn counts(&self) -> RowCounts {
        self.0.borrow().counts
    }

    pub(super) fn rows_in(&self, state: RowState) -> Vec<u64> {
        (0..)
            .zip(self.all().iter())
            .filter(|(_, other)| **other == state)
            .map(|(row, _)| row)
            .collect()
    }
}

impl StatesInner {
    fn set(&mut self, row: u64, state: RowState) -> bool {
        let slot = usize::try_from(row)
            .ok()
            .and_then(|row| self.rows.get_mut(row));
        let Some(slot) = slot else {
            return false;
        };
        let before = std::mem::replace(slot, state);
        *self.counts.of(before) -= 1;
        *self.counts.of(state) += 1;
        true
    }
}

impl RowCounts {
    fn of(&mut self, state: RowState) -> &mut u64 {
        match state {
            RowState::Waiting => &mut self.waiting,
            RowState::InFlight => &mut self.in_flight,
            RowState::Deleted => &mut self.deleted,
            RowState::Failed => &mut self.failed,
            RowState::Refused => &mut self.refused,
            RowState::Retryable => &mut self.retryable,
            RowState::Unknown => &mut self.unknown,
        }
    }

    /// Rows with a result.
    pub(super) fn finished(&self) -> u64 {
        self.deleted + self.not_deleted()
    }

    /// Rows with a result other than deleted.
    pub(super) fn not_deleted(&self) -> u64 {
        self.failed + self.refused + self.retryable + self.unknown
    }

    /// The outcome of the purge; `None` if every row was deleted.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        if self.unknown + self.in_flight > 0 {
            Some(Outcome::Unknown)
        } else if self.deleted == 0 {
            Some(Outcome::NotApplied)
        } else if self.waiting + self.not_deleted() > 0 {
            Some(Outcome::Partial)
        } else {
            None
        }
    }
}
