//! What is known of each row.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One row's way: from waiting to one of the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowState {
    /// Not sent.
    Waiting,
    /// Sent, or about to be; no result yet.
    UnderWay,
    Deleted,
    /// The service says that the partition failed; nothing was deleted from it.
    Failed,
    /// The service refused the request for what it asks; nothing was deleted.
    Refused,
    /// The request failed for a reason that is not the row's, such as a service that is away; nothing was deleted.
    Undone,
    /// Records may or may not have been deleted.
    Unknown,
}

/// How many rows there are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) waiting: u64,
    pub(super) under_way: u64,
    pub(super) deleted: u64,
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) undone: u64,
    pub(super) unknown: u64,
}

/// The states of all rows by their number in the file, from 0: a byte each. Clones share them.
#[derive(Clone)]
pub(super) struct States(Arc<Mutex<Inner>>);

struct Inner {
    rows: Vec<RowState>,
    counts: Counts,
}

impl States {
    pub(super) fn new(rows: u64) -> Self {
        let length = usize::try_from(rows).unwrap_or(usize::MAX);
        Self(Arc::new(Mutex::new(Inner {
            rows: vec![RowState::Waiting; length],
            counts: Counts {
                waiting: rows,
                ..Counts::default()
            },
        })))
    }

    /// `None` for a number that no row has.
    pub(super) fn get(&self, row: u64) -> Option<RowState> {
        self.inner().rows.get(usize::try_from(row).ok()?).copied()
    }

    pub(super) fn set_all(&self, rows: &[u64], state: RowState) -> bool {
        self.set_each(rows.iter().map(|row| (*row, state)))
    }

    /// Says `false` at a number that no row has, and sets no more.
    pub(super) fn set_each(&self, rows: impl IntoIterator<Item = (u64, RowState)>) -> bool {
        let mut inner = self.inner();
        rows.into_iter().all(|(row, state)| inner.set(row, state))
    }

    /// A copy of all of them, by number.
    pub(super) fn snapshot(&self) -> Vec<RowState> {
        self.inner().rows.clone()
    }

    pub(super) fn counts(&self) -> Counts {
        self.inner().counts
    }

    /// The numbers of the rows in a state.
    pub(super) fn rows_in(&self, state: RowState) -> Vec<u64> {
        let inner = self.inner();
        (0..)
            .zip(&inner.rows)
            .filter(|(_, other)| **other == state)
            .map(|(row, _)| row)
            .collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
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

impl Counts {
    fn of(&mut self, state: RowState) -> &mut u64 {
        match state {
            RowState::Waiting => &mut self.waiting,
            RowState::UnderWay => &mut self.under_way,
            RowState::Deleted => &mut self.deleted,
            RowState::Failed => &mut self.failed,
            RowState::Refused => &mut self.refused,
            RowState::Undone => &mut self.undone,
            RowState::Unknown => &mut self.unknown,
        }
    }

    /// Rows that have come to an end.
    pub(super) fn finished(&self) -> u64 {
        self.deleted + self.not_deleted()
    }

    /// Rows that have come to an end other than being deleted.
    pub(super) fn not_deleted(&self) -> u64 {
        self.failed + self.refused + self.undone + self.unknown
    }
}
