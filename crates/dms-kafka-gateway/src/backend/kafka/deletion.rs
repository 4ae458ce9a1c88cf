//! One deletion: attempts until each row is decided or the deadline is reached.

use std::{iter, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    job::{Job, QueuedRow},
    lanes::{Brokers, Lanes, Leaders},
    results::Failure,
};
use crate::backend::{BackendError, DeletedRecords, TopicDeletion};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pauses between attempts.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    iter::successors(Some(FIRST_PAUSE), |pause| {
        Some(LONGEST_PAUSE.min(*pause * 2))
    })
}

/// Queues the rows for their leaders, and queues them again after a temporary failure. A retry deletes no other records,
/// because `-1` is resolved to an offset once, before the first attempt.
///
/// Fails when there is no such topic, or nothing could be sent.
pub(super) async fn delete<B: Brokers>(
    lanes: &Arc<Lanes<B>>,
    deletion: TopicDeletion<'_>,
) -> Result<Vec<DeletedRecords>, BackendError> {
    let (job, deadline) = (Job::new(&deletion), Instant::from_std(deletion.deadline));
    let mut not_before = None;
    let mut pauses = pauses();
    loop {
        queue(lanes, &job, not_before, deadline).await?;
        while job.waiting().is_empty() {
            if job.is_done() || timeout_at(deadline, job.changed()).await.is_err() {
                return job.close();
            }
        }
        not_before = Some(Instant::now());
        let pause = sleep(pauses.next().unwrap_or_default());
        if timeout_at(deadline, pause).await.is_err() {
            return job.close();
        }
    }
}

/// Queues the rows that wait. `not_before` says since when the metadata is outdated.
async fn queue<B: Brokers>(
    lanes: &Arc<Lanes<B>>,
    job: &Arc<Job>,
    not_before: Option<Instant>,
    deadline: Instant,
) -> Result<(), BackendError> {
    let waiting = job.waiting();
    if waiting.is_empty() {
        return Ok(());
    }
    let mut leaders = leaders(lanes, job, not_before, deadline).await;
    if let Ok(known) = &leaders
        && not_before.is_none()
        && waiting.iter().any(|(_, id)| !known.of.contains_key(id))
    {
        // The topic may have more partitions since.
        leaders = self::leaders(lanes, job, Some(Instant::now()), deadline).await;
    }
    let leaders = match leaders {
        Ok(leaders) => leaders,
        Err(failure) if failure.is_unknown_topic() && !job.may_be_applied() => {
            return Err(BackendError::UnknownTopic);
        }
        Err(failure) => {
            for (index, _) in waiting {
                if failure.is_unknown_topic() {
                    job.decide_unknown(index);
                } else {
                    job.not_sent(index, &failure);
                }
            }
            return Ok(());
        }
    };
    let mut queued = Vec::with_capacity(waiting.len());
    for (index, partition) in waiting {
        match leaders.of.get(&partition) {
            None => job.decide_unknown(index),
            Some(leader) if *leader < 0 => job.not_sent(index, &Failure::no_leader()),
            Some(leader) => {
                job.queue(index);
                let row = QueuedRow {
                    job: job.clone(),
                    index,
                    partition,
                    metadata: leaders.since,
                };
                queued.push((*leader, row));
            }
        }
    }
    lanes.push(queued);
    Ok(())
}

/// Fails with a timeout at the deadline.
async fn leaders<B: Brokers>(
    lanes: &Lanes<B>,
    job: &Job,
    not_before: Option<Instant>,
    deadline: Instant,
) -> Result<Arc<Leaders>, Failure> {
    let asked = lanes.brokers.leaders(&job.topic, not_before, deadline);
    timeout_at(deadline, asked)
        .await
        .unwrap_or_else(|_| Err(Failure::timed_out()))
}
