//! Lanes and deletions with brokers that tests control, in simulated time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::ready,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rdkafka::types::RDKafkaErrorCode;
use tokio::time::{Instant, sleep};

use super::{
    deletion::delete,
    lanes::{Brokers, Lanes, Leaders},
    queue::LANES,
    results::{Failure, TopicPartition, TopicResults},
};
use crate::{
    backend::{BackendError, DeletedRecords, Intent, TopicDeletion},
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
};

const LEADERS: i32 = 3;
const END: i64 = 100;

/// How a broker ends one request for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Code(i16),
    NoAnswer,
}

/// Every partition exists. Partition 0 of each topic is led by broker 0, and so on.
#[derive(Default)]
struct Fake {
    first_asked: OnceLock<Instant>,
    partitions: i32,
    state: Mutex<FakeState>,
}

#[derive(Default)]
struct FakeState {
    /// What happens to each partition, request by request; after that, no row is sent.
    scripts: HashMap<i32, VecDeque<Step>>,
    /// Whether each partition got a response to a deletion that does not exclude its success.
    may_be_applied: HashSet<i32>,
    applied: HashSet<i32>,
    requests: Vec<Request>,
    in_flight: HashSet<(usize, i32)>,
    /// Topics that each lane asked metadata for.
    asked: Vec<(usize, Arc<str>)>,
    /// Topics with a follower that hangs: their deletions end when the broker's patience does.
    hanging: HashSet<Arc<str>>,
    unreachable: bool,
}

struct Request {
    leader: i32,
    rows: Vec<(TopicPartition, i64)>,
}

/// Codes after which records have certainly not been deleted, as the client's table of outcomes has them.
const NOT_APPLIED: [i16; 6] = [1, 3, 5, 17, 29, 44];

fn failure(code: i16) -> Failure {
    match code {
        -1 => RDKafkaErrorCode::Unknown,
        1 => RDKafkaErrorCode::OffsetOutOfRange,
        3 => RDKafkaErrorCode::UnknownTopicOrPartition,
        5 => RDKafkaErrorCode::LeaderNotAvailable,
        6 => RDKafkaErrorCode::NotLeaderForPartition,
        7 => RDKafkaErrorCode::RequestTimedOut,
        8 => RDKafkaErrorCode::BrokerNotAvailable,
        9 => RDKafkaErrorCode::ReplicaNotAvailable,
        13 => RDKafkaErrorCode::NetworkException,
        29 => RDKafkaErrorCode::TopicAuthorizationFailed,
        44 => RDKafkaErrorCode::PolicyViolation,
        56 => RDKafkaErrorCode::KafkaStorageError,
        72 => RDKafkaErrorCode::ListenerNotFound,
        74 => RDKafkaErrorCode::FencedLeaderEpoch,
        75 => RDKafkaErrorCode::UnknownLeaderEpoch,
        78 => RDKafkaErrorCode::OffsetNotAvailable,
        _ => panic!("code {code}"),
    }
    .into()
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().expect("no panic")
    }
}

impl Brokers for Fake {
    async fn leaders(
        &self,
        _topic: &Arc<str>,
        not_before: Option<Instant>,
        _deadline: Instant,
    ) -> Result<Arc<Leaders>, Failure> {
        let asked = *self.first_asked.get_or_init(Instant::now);
        let asked = not_before.unwrap_or(asked);
        let of = (0..self.partitions.max(100)).map(|id| (id, id % LEADERS));
        let of = of.collect();
        Ok(Arc::new(Leaders {
            asked,
            since: asked,
            of,
        }))
    }

    async fn ends(&self, partitions: Vec<TopicPartition>) -> Result<TopicResults, Failure> {
        let mut state = self.state();
        let mut result = |partition: i32| match state.scripts.get_mut(&partition)?.pop_front() {
            Some(Step::Code(0)) => Some(Ok(END)),
            Some(Step::Code(code)) => Some(Err(failure(code))),
            Some(Step::NoAnswer) => None,
            None => Some(Err(failure(78))),
        };
        let partitions = partitions.into_iter();
        let results =
            partitions.filter_map(|partition| Some((partition.clone(), result(partition.1)?)));
        Ok(results.collect())
    }

    async fn connect(
        &self,
        lane: usize,
        topics: Vec<Arc<str>>,
        _partition: TopicPartition,
    ) -> Result<(), Failure> {
        let mut state = self.state();
        if state.unreachable {
            return Err(Failure::timed_out());
        }
        state
            .asked
            .extend(topics.into_iter().map(|topic| (lane, topic)));
        Ok(())
    }

    async fn delete(
        &self,
        lane: usize,
        leader: i32,
        rows: Vec<(TopicPartition, i64)>,
        patience: Duration,
    ) -> Result<TopicResults, Failure> {
        assert!(lane < LANES && rows.len() <= 1000, "{} rows", rows.len());
        let partitions: HashSet<_> = rows.iter().map(|(partition, _)| partition).collect();
        assert_eq!(
            partitions.len(),
            rows.len(),
            "a partition twice in a request"
        );
        assert!(
            rows.iter().all(|((_, id), _)| id % LEADERS == leader),
            "leaders are mixed"
        );
        let hangs = {
            let mut state = self.state();
            let first = state.in_flight.insert((lane, leader));
            assert!(first, "two requests on one connection");
            let is_known = |((topic, _), _): &(TopicPartition, i64)| {
                state.asked.contains(&(lane, topic.clone()))
            };
            assert!(
                rows.iter().all(is_known),
                "the lane does not know the topic"
            );
            let mut topics = rows.iter().map(|((topic, _), _)| topic);
            let hangs = topics.any(|topic| state.hanging.contains(topic));
            state.requests.push(Request {
                leader,
                rows: rows.clone(),
            });
            hangs
        };
        sleep(if hangs {
            patience
        } else {
            Duration::from_millis(5)
        })
        .await;
        let mut state = self.state();
        state.in_flight.remove(&(lane, leader));
        let mut results = TopicResults::new();
        for (partition, before) in rows {
            let id = partition.1;
            let hangs = state.hanging.contains(&partition.0);
            let step = match state.scripts.get_mut(&id) {
                None if hangs => Some(Step::Code(7)),
                None => Some(Step::Code(0)),
                Some(script) => script.pop_front(),
            };
            match step {
                Some(Step::Code(0)) => {
                    state.applied.insert(id);
                    results.insert(partition, Ok(before));
                }
                Some(Step::Code(code)) => {
                    if !NOT_APPLIED.contains(&code) {
                        state.may_be_applied.insert(id);
                    }
                    results.insert(partition, Err(failure(code)));
                }
                Some(Step::NoAnswer) => {
                    state.may_be_applied.insert(id);
                }
                None => {
                    results.insert(partition, Err(RDKafkaErrorCode::Noop.into()));
                }
            }
        }
        Ok(results)
    }
}

fn rows(partitions: impl IntoIterator<Item = i32>, offset: i64) -> Vec<RecordsToDelete> {
    let target = DeletionTarget::from_offset(offset).expect("an offset");
    let partitions = partitions.into_iter().filter_map(PartitionId::new);
    partitions
        .map(|partition| RecordsToDelete { partition, target })
        .collect()
}

fn always() -> Intent {
    Arc::new(|_| Box::pin(ready(true)))
}

async fn run(
    lanes: &Arc<Lanes<Fake>>,
    [caller, topic]: [&str; 2],
    rows: &[RecordsToDelete],
    (time, intent): (Duration, Intent),
) -> Result<Vec<DeletedRecords>, BackendError> {
    let deletion = TopicDeletion {
        topic,
        caller,
        rows,
        deadline: (Instant::now() + time).into_std(),
        intent,
    };
    delete(lanes, deletion).await
}

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(30);

/// All sequences of these steps, of up to this length.
fn sequences(length: usize) -> Vec<Vec<Step>> {
    const CODES: [i16; 17] = [0, 1, 3, 5, 6, 7, 8, 9, 13, 29, 44, 56, 72, 74, 75, 78, -1];
    let steps = CODES.map(Step::Code).into_iter().chain([Step::NoAnswer]);
    let steps: Vec<Step> = steps.collect();
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..length {
        let longer = longest.iter().flat_map(|sequence: &Vec<Step>| {
            steps.iter().map(|step| [&**sequence, &[*step]].concat())
        });
        longest = longer.collect();
        all.extend_from_slice(&longest);
    }
    all
}

/// Each sequence is the history of one partition. A row that was not sent is never reported as possibly applied, and one
/// that may have been applied never as not applied.
#[tokio::test(start_paused = true)]
async fn after_every_history_of_codes_the_outcome_is_true() {
    // 4 for an offset, 3 for everything: the high watermark is asked for first.
    for (offset, length) in [(5, 4), (-1, 3)] {
        let scripts = (0..)
            .zip(sequences(length))
            .map(|(id, steps)| (id, steps.into()));
        let scripts: HashMap<i32, VecDeque<Step>> = scripts.collect();
        let partitions = 0..i32::try_from(scripts.len()).expect("few");
        let lanes = Lanes::new(Fake {
            partitions: partitions.end,
            ..Fake::default()
        });
        lanes.brokers.state().scripts = scripts.clone();
        let rows = rows(partitions, offset);
        let deleted = run(&lanes, ["k", "t"], &rows, (SHORT, always())).await;
        let state = lanes.brokers.state();
        for row in deleted.expect("results") {
            let (id, code) = (row.partition.number(), row.error_code());
            let history = &scripts[&id];
            let what = format!("{offset} {history:?}: {code}");
            assert_eq!(code == 0, state.applied.contains(&id), "{what}");
            if code != 0 {
                let not_applied = NOT_APPLIED.contains(&code);
                assert_eq!(not_applied, !state.may_be_applied.contains(&id), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_which_nothing_was_sent_fails_as_a_whole() {
    let lanes = Lanes::new(Fake::default());
    lanes.brokers.state().unreachable = true;
    let deleted = run(&lanes, ["k", "t"], &rows(0..3, 5), (SHORT, always())).await;
    assert!(
        matches!(deleted, Err(BackendError::Unavailable(_))),
        "{deleted:?}"
    );
    // Everything: the high watermark stays unknown.
    let lanes = Lanes::new(Fake::default());
    let scripts = (0..3).map(|id| (id, VecDeque::from([Step::Code(78); 2])));
    lanes.brokers.state().scripts = scripts.collect();
    let deleted = run(&lanes, ["k", "t"], &rows(0..3, -1), (SHORT, always())).await;
    assert!(
        matches!(deleted, Err(BackendError::Unavailable(_))),
        "{deleted:?}"
    );
    assert!(lanes.brokers.state().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_audit_log_that_fails_stops_the_rows_at_once() {
    let lanes = Lanes::new(Fake::default());
    let (started, never) = (Instant::now(), Arc::new(|_| Box::pin(ready(false)) as _));
    let deleted = run(&lanes, ["k", "t"], &rows(0..3, 5), (LONG, never)).await;
    assert_eq!(deleted, Err(BackendError::NotAudited));
    assert!(lanes.brokers.state().requests.is_empty());
    assert!(started.elapsed() < Duration::from_secs(1));
}

/// A new leader does not return its high watermark until it has reached that of the previous one.
#[tokio::test(start_paused = true)]
async fn an_offset_beyond_the_end_is_retried_while_a_new_leader_is_behind() {
    for (offset, history, expected, requests) in [
        (5, &[1, 78, 0][..], 0, 2),
        (5, &[1, 78, 1, 78, 0], 0, 3),
        (5, &[1, 0, 0], 0, 2),
        (END, &[1, 0, 0], 0, 2),
        (END + 1, &[1, 0, 0], 1, 1),
        (5, &[1, 29, 0], 0, 2),
        (-1, &[0, 1, 78, 0], 0, 2),
    ] {
        let lanes = Lanes::new(Fake::default());
        let script = history.iter().copied().map(Step::Code).collect();
        lanes.brokers.state().scripts.insert(0, script);
        let deleted = run(&lanes, ["k", "t"], &rows([0], offset), (LONG, always())).await;
        let code = deleted.expect("a result")[0].error_code();
        let sent = lanes.brokers.state().requests.len();
        assert_eq!((code, sent), (expected, requests), "{offset} {history:?}");
    }
}

/// Intents show what was sent, not what waits for a leader that hangs.
#[tokio::test(start_paused = true)]
async fn the_intent_of_a_row_is_recorded_when_it_is_sent() {
    let lanes = Lanes::new(Fake::default());
    lanes.brokers.state().hanging.insert("slow".into());
    let hanging = (0..LANES).map(|caller| {
        let (lanes, caller) = (lanes.clone(), caller.to_string());
        tokio::spawn(async move {
            let partition = i32::try_from(caller.len()).expect("1") * LEADERS;
            let names = [&*caller, "slow"];
            run(&lanes, names, &rows([partition], 5), (SHORT, always())).await
        })
    });
    let hanging: Vec<_> = hanging.collect();
    sleep(Duration::from_millis(100)).await;
    let intended = Arc::new(AtomicBool::new(false));
    let intent: Intent = {
        let intended = intended.clone();
        Arc::new(move |_| {
            intended.store(true, Ordering::SeqCst);
            Box::pin(ready(true))
        })
    };
    // The same partition is in flight.
    let row = rows([LEADERS], 9);
    let waits = run(
        &lanes,
        ["k", "slow"],
        &row,
        (Duration::from_millis(500), intent),
    );
    assert!(matches!(waits.await, Err(BackendError::Unavailable(_))));
    assert!(!intended.load(Ordering::SeqCst), "it was not sent");
    for hanging in hanging {
        hanging
            .await
            .expect("no panic")
            .map(drop)
            .unwrap_or_default();
    }
}

/// A caller with many rows waits for the same leader.
#[tokio::test(start_paused = true)]
async fn callers_take_turns() {
    let lanes = Lanes::new(Fake {
        partitions: 60_000,
        ..Fake::default()
    });
    let many = rows((0..60_000).filter(|id| id % LEADERS == 0), 5);
    let all = run(&lanes, ["big", "t"], &many, (LONG, always()));
    let one = async {
        sleep(Duration::from_millis(1)).await;
        let started = Instant::now();
        let deleted = run(&lanes, ["small", "u"], &rows([0], 5), (LONG, always())).await;
        assert_eq!(deleted.expect("a result")[0].error_code(), 0);
        started.elapsed()
    };
    let (all, elapsed) = tokio::join!(all, one);
    assert!(
        all.expect("results")
            .iter()
            .all(|row| row.error_code() == 0)
    );
    // One request is in flight in each lane, and takes 5 ms.
    assert!(elapsed < Duration::from_millis(20), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn concurrent_deletions_share_requests() {
    let lanes = Lanes::new(Fake {
        partitions: 256 * LEADERS,
        ..Fake::default()
    });
    let deletions = (0..256).map(|id| {
        let lanes = lanes.clone();
        tokio::spawn(async move {
            run(
                &lanes,
                ["k", "t"],
                &rows([id * LEADERS], 5),
                (LONG, always()),
            )
            .await
        })
    });
    let deletions: Vec<_> = deletions.collect();
    for deletion in deletions {
        let deleted = deletion.await.expect("no panic").expect("a result");
        assert_eq!(deleted[0].error_code(), 0);
    }
    let requests = lanes.brokers.state().requests.len();
    assert!(requests <= 2 * LANES, "{requests} requests");
}

/// A follower that hangs delays its own partitions only.
#[tokio::test(start_paused = true)]
async fn a_slow_partition_does_not_delay_others() {
    let lanes = Lanes::new(Fake::default());
    lanes.brokers.state().hanging.insert("slow".into());
    let slow = (0..16).map(|id| {
        let lanes = lanes.clone();
        tokio::spawn(async move {
            let rows = rows([id * LEADERS], 5);
            for _ in 0..4 {
                let deleted = run(&lanes, ["k", "slow"], &rows, (LONG, always())).await;
                assert_eq!(deleted.expect("results")[0].error_code(), 7);
            }
        })
    });
    let slow: Vec<_> = slow.collect();
    sleep(Duration::from_millis(10)).await;
    let (mut times, started) = (Vec::new(), Instant::now());
    while started.elapsed() < Duration::from_secs(100) {
        let begun = Instant::now();
        let deleted = run(&lanes, ["k", "healthy"], &rows([0], 5), (LONG, always())).await;
        assert_eq!(deleted.expect("a result")[0].error_code(), 0);
        times.push(begun.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    let delayed = times
        .iter()
        .filter(|time| **time > Duration::from_millis(20))
        .count();
    assert!(delayed <= 1, "{delayed} of {} were delayed", times.len());
    for slow in slow {
        slow.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_partition_are_sent_in_their_order() {
    let lanes = Lanes::new(Fake::default());
    let deletions = (1..=50).map(|offset| {
        let lanes = lanes.clone();
        tokio::spawn(async move {
            sleep(Duration::from_micros(offset)).await;
            let rows = rows([0], i64::try_from(offset).expect("small"));
            run(&lanes, ["k", "t"], &rows, (LONG, always())).await
        })
    });
    for deletion in deletions.collect::<Vec<_>>() {
        deletion.await.expect("no panic").expect("a result");
    }
    let state = lanes.brokers.state();
    let sent: Vec<i64> = state
        .requests
        .iter()
        .map(|request| request.rows[0].1)
        .collect();
    assert!(sent.is_sorted() && sent.len() == 50, "{sent:?}");
    assert!(state.requests.iter().all(|request| request.leader == 0));
}

/// After a leader refuses, the metadata of the lane's client is outdated too.
#[tokio::test(start_paused = true)]
async fn a_lane_asks_metadata_again_after_a_leader_changed() {
    let lanes = Lanes::new(Fake::default());
    let script = VecDeque::from([Step::Code(6), Step::Code(0)]);
    lanes.brokers.state().scripts.insert(0, script);
    let deleted = run(&lanes, ["k", "t"], &rows([0], 5), (LONG, always())).await;
    assert_eq!(deleted.expect("a result")[0].error_code(), 0);
    assert_eq!(lanes.brokers.state().asked.len(), 2);
}
