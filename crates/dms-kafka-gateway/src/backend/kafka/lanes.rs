//! Sends queued rows to their leaders, many in one request.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use super::{
    job::QueuedRow,
    queue::{Batch, LANES, LeaderQueue},
    results::{Failure, TopicPartition, TopicResults},
};
use crate::backend::KafkaErrorCode;

/// How long the replicas of a partition may take. After it, the partition is slow.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same for a slow partition: meanwhile another broker may have become the leader.
const SLOW_PATIENCE: Duration = Duration::from_secs(9);

/// The part of a request's duration for which a lane waits for more rows, and its limit.
const LINGER: u32 = 16;
const LONGEST_LINGER: Duration = Duration::from_millis(10);

/// A connection on which a response arrived within this time is not tested before the next request.
const CONNECTED_FOR: Duration = Duration::from_secs(1);

/// Less than librdkafka keeps the metadata of a topic, by default.
const METADATA_FOR: Duration = Duration::from_secs(600);

/// The leader of each partition of a topic, when they were asked for, and since when the metadata of a lane must be. A
/// negative number is no leader.
pub(super) struct Leaders {
    pub(super) asked: Instant,
    pub(super) since: Instant,
    pub(super) of: HashMap<i32, i32>,
}

/// What lanes need of a cluster. In tests, there is none.
pub(super) trait Brokers: Send + Sync + 'static {
    /// The leaders of a topic, asked for since `not_before`.
    fn leaders(
        &self,
        topic: &Arc<str>,
        not_before: Option<Instant>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Arc<Leaders>, Failure>> + Send;

    /// The high watermarks of partitions with the same leader.
    fn ends(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> impl Future<Output = Result<TopicResults, Failure>> + Send;

    /// Lets a lane ask metadata for topics, and a leader that this partition has. Fails if no response arrives.
    fn connect(
        &self,
        lane: usize,
        topics: Vec<Arc<str>>,
        partition: TopicPartition,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Deletes the records before an offset from partitions with the same leader. If it fails as a whole, nothing was sent.
    fn delete(
        &self,
        lane: usize,
        leader: i32,
        rows: Vec<(TopicPartition, i64)>,
        patience: Duration,
    ) -> impl Future<Output = Result<TopicResults, Failure>> + Send;
}

pub(super) struct Lanes<B> {
    pub(super) brokers: Arc<B>,
    state: Mutex<LaneState>,
}

#[derive(Default)]
struct LaneState {
    queues: HashMap<i32, LeaderQueue>,
    /// When each lane asked metadata for a topic.
    metadata: [HashMap<Arc<str>, Instant>; LANES],
    /// When each lane got a response from a leader.
    responses: HashMap<(usize, i32), Instant>,
    /// How long the last request to each leader took.
    durations: HashMap<i32, Duration>,
}

impl<B: Brokers> Lanes<B> {
    pub(super) fn new(brokers: impl Into<Arc<B>>) -> Arc<Self> {
        Arc::new(Self {
            brokers: brokers.into(),
            state: Mutex::default(),
        })
    }

    /// Queues rows, each for a leader, and lets idle lanes take them.
    pub(super) fn push(self: &Arc<Self>, rows: Vec<(i32, QueuedRow)>) {
        let mut state = self.state();
        let leaders: HashSet<i32> = rows.iter().map(|(leader, _)| *leader).collect();
        for (leader, row) in rows {
            state.queues.entry(leader).or_default().push(row);
        }
        for leader in leaders {
            self.start(&mut state, leader);
        }
    }

    fn start(self: &Arc<Self>, state: &mut LaneState, leader: i32) {
        let Some(queue) = state.queues.get_mut(&leader) else {
            return;
        };
        let duration = state.durations.get(&leader).filter(|_| queue.is_busy());
        let pause = duration.map(|duration| LONGEST_LINGER.min(*duration / LINGER));
        for lane in queue.reserve() {
            tokio::spawn(self.clone().run(lane, leader, pause.unwrap_or_default()));
        }
    }

    /// Sends one batch. While others are in flight, rows arrive that can share it: it waits for a small part of the time
    /// that a request takes.
    async fn run(self: Arc<Self>, lane: usize, leader: i32, pause: Duration) {
        if pause < Duration::from_millis(1) {
            yield_now().await;
        } else {
            sleep(pause).await;
        }
        let Some(batch) = self.take(lane, leader) else {
            return;
        };
        let partitions: Vec<_> = batch.rows.iter().map(partition_of).collect();
        self.start(&mut self.state(), leader);
        let refused = self.send(lane, leader, batch).await;
        self.finish(lane, leader, &partitions);
        self.compare_with_end(refused).await;
    }

    fn finish(self: &Arc<Self>, lane: usize, leader: i32, partitions: &[TopicPartition]) {
        let mut state = self.state();
        if let Some(queue) = state.queues.get_mut(&leader) {
            queue.finish(lane, partitions);
        }
        self.start(&mut state, leader);
    }

    fn take(&self, lane: usize, leader: i32) -> Option<Batch> {
        let mut state = self.state();
        let LaneState {
            queues, metadata, ..
        } = &mut *state;
        let asked = &metadata[lane];
        let is_new = |row: &QueuedRow| {
            let asked = asked.get(row.topic());
            asked.is_none_or(|asked| *asked < row.metadata || asked.elapsed() > METADATA_FOR)
        };
        queues.get_mut(&leader)?.take(lane, &is_new)
    }

    /// Sends the rows of a batch, and passes each its result. Returns the rows whose offset the leader refused.
    async fn send(&self, lane: usize, leader: i32, batch: Batch) -> Vec<(QueuedRow, Failure)> {
        let Batch {
            rows,
            is_slow,
            new_topics,
        } = batch;
        let rows = self.resolve(rows).await;
        let Some(first) = rows.first() else {
            return Vec::new();
        };
        if let Err(failure) = self
            .connect(lane, leader, partition_of(first), new_topics)
            .await
        {
            fail(&rows, &failure);
            return Vec::new();
        }
        let rows = intend(rows).await;
        let offset = |row: QueuedRow| row.job.send(row.index).map(|before| (row, before));
        let (rows, offsets): (Vec<_>, Vec<_>) = rows.into_iter().filter_map(offset).unzip();
        if rows.is_empty() {
            return Vec::new();
        }
        let asked = rows.iter().map(partition_of).zip(offsets).collect();
        let patience = if is_slow { SLOW_PATIENCE } else { PATIENCE };
        let started = Instant::now();
        let deleted = self.brokers.delete(lane, leader, asked, patience).await;
        self.state().durations.insert(leader, started.elapsed());
        match deleted {
            Err(failure) => {
                fail(&rows, &failure);
                Vec::new()
            }
            Ok(results) => self.respond(lane, leader, rows, results),
        }
    }

    /// Decides rows whose offset the leader refused. Only a high watermark proves that an offset is beyond it: a new leader does
    /// not return its own until it has reached that of the previous one (KIP-207).
    async fn compare_with_end(&self, refused: Vec<(QueuedRow, Failure)>) {
        if refused.is_empty() {
            return;
        }
        let partitions = refused.iter().map(|(row, _)| partition_of(row));
        let ends = self.brokers.ends(partitions.collect()).await;
        let mut ends = ends.unwrap_or_default();
        for (row, failure) in refused {
            let end = ends.remove(&partition_of(&row));
            let is_beyond =
                end.is_some_and(|end| end.is_ok_and(|end| row.job.is_beyond(row.index, end)));
            row.job.respond(row.index, Err(failure), !is_beyond);
        }
    }

    /// Replaces everything by offsets, and returns the rows that can be sent.
    async fn resolve(&self, rows: Vec<QueuedRow>) -> Vec<QueuedRow> {
        let everything = rows.iter().filter(|row| row.job.needs_end(row.index));
        let everything: Vec<_> = everything.map(partition_of).collect();
        if everything.is_empty() {
            return rows;
        }
        let mut ends = self.brokers.ends(everything).await;
        let has_offset = |row: &QueuedRow| {
            if !row.job.needs_end(row.index) {
                return true;
            }
            let end = match &mut ends {
                Ok(ends) => ends
                    .remove(&partition_of(row))
                    .unwrap_or_else(|| Err(Failure::timed_out())),
                Err(failure) => Err(failure.clone()),
            };
            match end {
                Ok(end) => row.job.set_end(row.index, end),
                Err(failure) => {
                    row.job.not_sent(row.index, &failure);
                    return false;
                }
            }
            true
        };
        rows.into_iter().filter(has_offset).collect()
    }

    async fn connect(
        &self,
        lane: usize,
        leader: i32,
        partition: TopicPartition,
        topics: HashSet<Arc<str>>,
    ) -> Result<(), Failure> {
        let responded = self.state().responses.get(&(lane, leader)).copied();
        let is_connected = responded.is_some_and(|time| time.elapsed() < CONNECTED_FOR);
        if is_connected && topics.is_empty() {
            return Ok(());
        }
        let asked = Instant::now();
        let topics: Vec<_> = topics.into_iter().collect();
        self.brokers
            .connect(lane, topics.clone(), partition)
            .await?;
        let mut state = self.state();
        state.responses.insert((lane, leader), Instant::now());
        for topic in topics {
            state.metadata[lane].insert(topic, asked);
        }
        Ok(())
    }

    fn respond(
        &self,
        lane: usize,
        leader: i32,
        rows: Vec<QueuedRow>,
        mut results: TopicResults,
    ) -> Vec<(QueuedRow, Failure)> {
        let mut refused = Vec::new();
        let mut state = self.state();
        let mut has_response = false;
        for row in rows {
            let partition = partition_of(&row);
            let result = results.remove(&partition);
            let result = result.unwrap_or_else(|| Err(Failure::timed_out()));
            has_response |= result
                .as_ref()
                .map_or_else(Failure::is_from_broker, |_| true);
            if let Some(queue) = state.queues.get_mut(&leader) {
                let is_late = result.as_ref().is_err_and(Failure::is_timeout);
                queue.set_slow(partition, is_late);
            }
            match result {
                Err(failure) if failure.is_not_sent() => row.job.not_sent(row.index, &failure),
                Err(failure) if failure.code == KafkaErrorCode::OFFSET_OUT_OF_RANGE => {
                    row.job.refuse(row.index, &failure);
                    refused.push((row, failure));
                }
                result => row.job.respond(row.index, result, false),
            }
        }
        if has_response {
            state.responses.insert((lane, leader), Instant::now());
        } else {
            state.responses.remove(&(lane, leader));
        }
        refused
    }

    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn partition_of(row: &QueuedRow) -> TopicPartition {
    (row.topic().clone(), row.partition)
}

fn fail(rows: &[QueuedRow], failure: &Failure) {
    for row in rows {
        row.job.not_sent(row.index, failure);
    }
}

/// Records the intent of each job, and returns the rows that may be sent.
async fn intend(rows: Vec<QueuedRow>) -> Vec<QueuedRow> {
    let mut jobs: HashMap<usize, Vec<QueuedRow>> = HashMap::new();
    for row in rows {
        jobs.entry(Arc::as_ptr(&row.job).addr())
            .or_default()
            .push(row);
    }
    let intended = jobs.into_values().map(async |rows| {
        let indices: Vec<_> = rows.iter().map(|row| row.index).collect();
        if rows[0].job.intend(&indices).await {
            return rows;
        }
        fail(&rows, &Failure::fatal(&"the audit log cannot be written"));
        Vec::new()
    });
    join_all(intended).await.into_iter().flatten().collect()
}
