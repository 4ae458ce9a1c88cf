//! The rows that wait for one leader, and which of them a lane takes.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use super::{job::QueuedRow, results::TopicPartition};

/// Concurrent requests to one leader. Kafka responds to the requests of one connection in their order, and to a deletion when
/// the last replica has applied it, so each lane has a connection of its own.
pub(super) const LANES: usize = 4;

/// The only lane that takes rows of slow partitions, so that a replica that hangs does not occupy the others.
const SLOW_LANE: usize = LANES - 1;

/// The most rows in one request.
const MAX_ROWS: usize = 1000;

/// The most topics that a lane asks metadata for before one request.
const MAX_NEW_TOPICS: usize = 32;

#[derive(Default)]
pub(super) struct LeaderQueue {
    /// The next row is the first one of the first caller; callers take turns.
    callers: VecDeque<CallerRows>,
    lanes: [Lane; LANES],
    in_flight: HashSet<TopicPartition>,
    /// Partitions whose replicas did not apply the last deletion in time.
    slow: HashSet<TopicPartition>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lane {
    #[default]
    Idle,
    /// It takes rows soon.
    Reserved,
    /// Its request is in flight.
    Busy,
}

struct CallerRows {
    name: Arc<str>,
    rows: VecDeque<QueuedRow>,
    /// Rows that the lane cannot take now.
    kept: VecDeque<QueuedRow>,
}

/// The rows of one request: at most one of each partition.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<QueuedRow>,
    pub(super) is_slow: bool,
    /// Topics that the lane has not asked metadata for. Then these are the topics of all rows.
    pub(super) new_topics: HashSet<Arc<str>>,
}

impl LeaderQueue {
    pub(super) fn push(&mut self, row: QueuedRow) {
        let name = &row.job.caller;
        match self.callers.iter_mut().find(|caller| caller.name == *name) {
            Some(caller) => caller.rows.push_back(row),
            None => self.callers.push_back(CallerRows {
                name: name.clone(),
                rows: VecDeque::from([row]),
                kept: VecDeque::new(),
            }),
        }
    }

    /// The lanes that shall take rows. One of them takes all that arrive until it does.
    pub(super) fn reserve(&mut self) -> Vec<usize> {
        if self.callers.is_empty() {
            return Vec::new();
        }
        let is_idle = |lane: &usize| self.lanes[*lane] == Lane::Idle;
        let is_one_reserved = self.lanes.contains(&Lane::Reserved);
        let next = (0..LANES).find(is_idle).filter(|_| !is_one_reserved);
        let slow = Some(SLOW_LANE).filter(|lane| is_idle(lane) && !self.slow.is_empty());
        let slow = slow.filter(|slow| next != Some(*slow));
        let reserved: Vec<usize> = next.into_iter().chain(slow).collect();
        for lane in &reserved {
            self.lanes[*lane] = Lane::Reserved;
        }
        reserved
    }

    pub(super) fn is_busy(&self) -> bool {
        self.lanes.contains(&Lane::Busy)
    }

    /// What a lane sends next. It is busy until [`LeaderQueue::finish`], or idle if there is nothing that it can send.
    pub(super) fn take(
        &mut self,
        lane: usize,
        is_new: &dyn Fn(&QueuedRow) -> bool,
    ) -> Option<Batch> {
        self.lanes[lane] = Lane::Idle;
        let slow: &[bool] = if lane == SLOW_LANE {
            &[true, false]
        } else {
            &[false]
        };
        let mut batches = slow.iter().map(|slow| self.batch(*slow, is_new));
        let batch = batches.find(|batch| !batch.rows.is_empty())?;
        self.lanes[lane] = Lane::Busy;
        Some(batch)
    }

    fn batch(&mut self, is_slow: bool, is_new: &dyn Fn(&QueuedRow) -> bool) -> Batch {
        let mut batch = Batch {
            is_slow,
            ..Batch::default()
        };
        let mut exhausted = Vec::new();
        while batch.rows.len() < MAX_ROWS
            && let Some(mut caller) = self.callers.pop_front()
        {
            if self.take_one(&mut caller, &mut batch, is_new) {
                self.callers.push_back(caller);
            } else {
                exhausted.push(caller);
            }
        }
        // The rest of their rows is first in the next batch, for example because its topic is new.
        exhausted.extend(self.callers.drain(..));
        self.callers = exhausted.into();
        for caller in &mut self.callers {
            caller.kept.append(&mut caller.rows);
            std::mem::swap(&mut caller.kept, &mut caller.rows);
        }
        self.callers.retain(|caller| !caller.rows.is_empty());
        batch
    }

    /// Moves the first row that fits from a caller to the batch. A row that does not fit precedes no row of its partition
    /// that does.
    fn take_one(
        &mut self,
        caller: &mut CallerRows,
        batch: &mut Batch,
        is_new: &dyn Fn(&QueuedRow) -> bool,
    ) -> bool {
        while let Some(row) = caller.rows.pop_front() {
            if !row.job.is_open() {
                continue;
            }
            let partition = (row.topic().clone(), row.partition);
            let is_new = is_new(&row);
            let same_kind = batch.rows.is_empty() || is_new != batch.new_topics.is_empty();
            let has_room = !is_new
                || batch.new_topics.len() < MAX_NEW_TOPICS
                || batch.new_topics.contains(row.topic());
            if same_kind
                && has_room
                && self.slow.contains(&partition) == batch.is_slow
                && self.in_flight.insert(partition)
            {
                if is_new {
                    batch.new_topics.insert(row.topic().clone());
                }
                batch.rows.push(row);
                return true;
            }
            caller.kept.push_back(row);
        }
        false
    }

    /// Remembers whether the replicas of a partition applied a deletion in time.
    pub(super) fn set_slow(&mut self, partition: TopicPartition, slow: bool) {
        if slow {
            self.slow.insert(partition);
        } else {
            self.slow.remove(&partition);
        }
    }

    pub(super) fn finish(&mut self, lane: usize, partitions: &[TopicPartition]) {
        self.lanes[lane] = Lane::Idle;
        for partition in partitions {
            self.in_flight.remove(partition);
        }
    }
}
