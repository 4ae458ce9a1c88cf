//! The rows of an offsets file in memory, and their states.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use dms_kafka::{DeletionTarget, Outcome, PartitionId, PurgeTarget, TopicName};
use futures_util::{Stream, stream};
use indexmap::IndexSet;

/// All rows with 16 bytes each, and each topic name once.
#[derive(Default)]
pub(super) struct Rows {
    topics: IndexSet<TopicName>,
    /// Of each topic.
    highest_partitions: Vec<i32>,
    packed: Vec<PackedRow>,
}

struct PackedRow {
    topic: u32,
    partition: PartitionId,
    /// The target as in the API, which takes half the memory.
    offset: i64,
}

pub(super) struct Row<'a> {
    pub(super) topic: &'a TopicName,
    pub(super) partition: PartitionId,
    pub(super) target: DeletionTarget,
}

impl PackedRow {
    #[expect(clippy::expect_used, reason = "the offset was converted from a target")]
    fn target(&self) -> DeletionTarget {
        DeletionTarget::from_api_offset(self.offset).expect("the offset of a target is valid")
    }
}

impl Row<'_> {
    pub(super) fn is_everything(&self) -> bool {
        self.target == DeletionTarget::Everything
    }
}

impl Rows {
    /// # Errors
    /// The name of the topic is not valid, or there are more rows than 32-bit numbers.
    pub(super) fn push(
        &mut self,
        topic: &str,
        partition: PartitionId,
        target: DeletionTarget,
    ) -> Result<(), String> {
        let too_many = |_| format!("more than {} rows are not supported", u32::MAX);
        u32::try_from(self.packed.len()).map_err(too_many)?;
        // Rows of one topic are usually adjacent: comparing names is faster than hashing them.
        let last = self.packed.last().map(|row| row.topic);
        let number = match last.filter(|&last| self.topics[last as usize] == *topic) {
            Some(number) => number,
            None => u32::try_from(self.topic(topic)?).map_err(too_many)?,
        };
        let highest = &mut self.highest_partitions[number as usize];
        *highest = partition.get().max(*highest);
        self.packed.push(PackedRow {
            topic: number,
            partition,
            offset: target.to_api_offset(),
        });
        Ok(())
    }

    /// The number of a topic, which is added if it is new.
    fn topic(&mut self, name: &str) -> Result<usize, String> {
        if let Some(number) = self.topics.get_index_of(name) {
            return Ok(number);
        }
        let topic = TopicName::new(name).map_err(|error| error.to_string())?;
        self.highest_partitions.push(0);
        Ok(self.topics.insert_full(topic).0)
    }

    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// Each topic with its highest partition.
    pub(super) fn topics(&self) -> impl Iterator<Item = (&TopicName, i32)> {
        let highest = self.highest_partitions.iter().copied();
        self.topics.iter().zip(highest)
    }

    /// The row with this number, from 0.
    pub(super) fn get(&self, number: usize) -> Row<'_> {
        let row = &self.packed[number];
        Row {
            topic: &self.topics[row.topic as usize],
            partition: row.partition,
            target: row.target(),
        }
    }

    /// Whether two rows, given by their numbers, have the same topic.
    pub(super) fn have_one_topic(&self, one: u32, other: u32) -> bool {
        let topic = |number: u32| self.packed[number as usize].topic;
        topic(one) == topic(other)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The rows in a wanted state. `states` has the state of each row.
    pub(super) fn in_state(
        &self,
        states: &[RowState],
        wanted: impl Fn(RowState) -> bool,
    ) -> impl Iterator<Item = (Row<'_>, RowState)> {
        let states = states.iter().copied().enumerate();
        let wanted = states.filter(move |(_, state)| wanted(*state));
        wanted.map(|(number, state)| (self.get(number), state))
    }

    /// The numbers of the rows to be sent, sorted by topic and then by number.
    pub(super) fn to_be_sent_by_topic(&self, states: &RowStates) -> Vec<u32> {
        let states = states.all();
        let numbers = (0..).zip(states.iter());
        let numbers = numbers.filter(|(_, state)| state.is_to_be_sent());
        let mut numbers: Vec<u32> = numbers.map(|(number, _)| number).collect();
        numbers.sort_by_key(|&number| self.packed[number as usize].topic);
        numbers
    }

    /// The first row that deletes all records.
    pub(super) fn first_of_everything(&self) -> Option<usize> {
        let is_everything = |row: &PackedRow| row.target().is_everything();
        self.packed.iter().position(is_everything)
    }

    /// How many of the rows with these numbers delete all records.
    pub(super) fn count_everything(&self, numbers: &[u32]) -> u64 {
        let target = |number: &&u32| self.packed[**number as usize].target();
        numbers
            .iter()
            .filter(|number| target(number).is_everything())
            .count() as u64
    }

    /// The first row with the partition of an earlier row, and that row.
    pub(super) fn first_duplicate(&self) -> Option<(usize, usize)> {
        let key = |row: &PackedRow| (row.topic, row.partition);
        if self.packed.is_sorted_by(|one, next| key(one) < key(next)) {
            return None;
        }
        let mut numbers: Vec<u32> = (0..).take(self.packed.len()).collect();
        let key = |number: u32| key(&self.packed[number as usize]);
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
        let row = state.is_to_be_sent().then(|| rows.get(number))?;
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
    /// To be sent again: whether an earlier request deleted records is unknown.
    WaitingAgain,
    /// Sent or about to be sent, without a result.
    InFlight,
    /// In flight, and whether an earlier request deleted records is unknown.
    InFlightAgain,
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

impl RowState {
    pub(super) fn is_to_be_sent(self) -> bool {
        matches!(self, Self::Waiting | Self::WaitingAgain)
    }

    /// Whether a row in this state may or may not be deleted.
    pub(super) fn is_unknown(self) -> bool {
        matches!(
            self,
            Self::WaitingAgain | Self::InFlight | Self::InFlightAgain | Self::Unknown
        )
    }

    /// Whether the row is not known to be deleted and sending it again is harmless.
    pub(super) fn is_left(self, row: &Row<'_>) -> bool {
        match self {
            Self::Deleted => false,
            unknown if unknown.is_unknown() => !row.is_everything(),
            _ => true,
        }
    }

    /// The state after `next` happens. The outcome covers all requests of the row: once unknown, only a deletion ends it.
    fn then(self, next: Self) -> Self {
        let is_unknown = matches!(
            self,
            Self::WaitingAgain | Self::InFlightAgain | Self::Unknown
        );
        match next {
            Self::Waiting if is_unknown => Self::WaitingAgain,
            // An intent after an intent without a result.
            Self::InFlight if is_unknown || self == Self::InFlight => Self::InFlightAgain,
            Self::Failed | Self::Refused | Self::Retryable if is_unknown => Self::Unknown,
            next => next,
        }
    }
}

/// The number of rows in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowCounts {
    pub(super) waiting: u64,
    pub(super) waiting_again: u64,
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

    /// Stops at a row number that does not exist, and returns `false`.
    pub(super) fn set_all(&self, rows: &[u64], state: RowState) -> bool {
        let mut inner = self.0.borrow_mut();
        rows.iter().all(|row| inner.set(*row, state).is_some())
    }

    /// Sets the result of each row and returns its state, which covers its earlier requests.
    pub(super) fn finish(
        &self,
        rows: &[u64],
        results: impl Iterator<Item = RowState>,
    ) -> Vec<RowState> {
        let mut inner = self.0.borrow_mut();
        let finished = rows.iter().zip(results);
        finished
            .filter_map(|(row, state)| inner.set(*row, state))
            .collect()
    }

    /// Decides about the rows whose outcome is unknown after earlier runs: repeating a deletion before an offset is
    /// harmless, repeating a deletion of all records is not.
    pub(super) fn resolve(&self, rows: &Rows) {
        let mut inner = self.0.borrow_mut();
        for (number, row) in (0..).zip(rows.iter()) {
            if inner.rows[number].is_unknown() {
                let next = if row.is_everything() {
                    RowState::Unknown
                } else {
                    RowState::WaitingAgain
                };
                inner.set(number as u64, next);
            }
        }
    }

    pub(super) fn all(&self) -> Ref<'_, Vec<RowState>> {
        Ref::map(self.0.borrow(), |inner| &inner.rows)
    }

    pub(super) fn counts(&self) -> RowCounts {
        self.0.borrow().counts
    }
}

impl StatesInner {
    /// Returns the new state, or `None` if there is no such row.
    fn set(&mut self, row: u64, next: RowState) -> Option<RowState> {
        let slot = self.rows.get_mut(usize::try_from(row).ok()?)?;
        let state = slot.then(next);
        let before = std::mem::replace(slot, state);
        *self.counts.of(before) -= 1;
        *self.counts.of(state) += 1;
        Some(state)
    }
}

impl RowCounts {
    fn of(&mut self, state: RowState) -> &mut u64 {
        match state {
            RowState::Waiting => &mut self.waiting,
            RowState::WaitingAgain => &mut self.waiting_again,
            RowState::InFlight | RowState::InFlightAgain => &mut self.in_flight,
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
        self.failed + self.requests_failed() + self.unknown
    }

    /// Rows whose request failed, without effect.
    pub(super) fn requests_failed(&self) -> u64 {
        self.refused + self.retryable
    }

    /// Rows that may or may not be deleted, over all runs.
    pub(super) fn all_unknown(&self) -> u64 {
        self.unknown + self.in_flight + self.waiting_again
    }

    /// The outcome of the purge; `None` if every row was deleted.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        if self.all_unknown() > 0 {
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
