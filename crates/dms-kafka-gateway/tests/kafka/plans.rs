//! Plans, made and executed by the client through a gateway.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, UNIX_EPOCH},
};

use dms_kafka::{Client, ErrorKind, Plan, PlanDeletion, PlanProblem};
use huaweicloud_auth::Credentials;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _},
    producer::Producer as _,
};

use crate::{
    brokers::Brokers,
    front::{ACCESS_KEY, Front, INSTANCE, PROJECT, SECRET_KEY},
    reads::{a_day_ago, unique},
};

impl Front {
    fn client(&self) -> Client {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).expect("credentials");
        let client = Client::builder().endpoint(self.service.endpoint());
        let client = client.project_id(PROJECT).credentials(credentials).build();
        client.expect("a client")
    }

    pub(crate) fn plan(&self, topic: &str) -> PlanDeletion {
        self.client().plan_deletion(INSTANCE, topic)
    }
}

/// A number of milliseconds after a base that all records of a test have.
fn time(base: i64, after: i64) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_millis((base + after).unsigned_abs())
}

/// Name, selectors for a group and the base of times, and the first offset of each partition that is kept.
type Selected = (
    &'static str,
    fn(PlanDeletion, &str, i64) -> PlanDeletion,
    [i64; 4],
);

/// Partitions of 40 records: in order, a backfill at offset 20, a record from the future at offset 10; and an empty one.
const SELECTED: &[Selected] = &[
    ("to the end", |plan, _, _| plan.up_to_end(), [40, 40, 40, 0]),
    ("before", |plan, _, _| plan.before_offset(7), [7, 7, 7, 0]),
    ("keep", |plan, _, _| plan.keep_last(15), [25, 25, 25, 0]),
    (
        "some partitions",
        |plan, _, _| plan.partitions([2, 3]).up_to_end(),
        [0, 0, 40, 0],
    ),
    (
        "by time",
        |plan, _, base| plan.before_time(time(base, 30)),
        [30, 30, 10, 0],
    ),
    (
        "by a time after all",
        |plan, _, base| plan.before_time(time(base, 101)),
        [40, 40, 40, 0],
    ),
    (
        "consumed",
        |plan, group, _| plan.consumed_by([group]),
        [5, 0, 40, 0],
    ),
    (
        "consumed by all",
        |plan, _, _| plan.consumed_by_all_groups(),
        [5, 0, 40, 0],
    ),
    (
        "the lowest",
        |plan, group, base| plan.consumed_by([group]).before_time(time(base, 30)),
        [5, 0, 10, 0],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_selector_deletes_exactly_what_it_describes() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let base = a_day_ago();
    let in_order: Vec<i64> = (base..base + 40).collect();
    let mut logs = [in_order.clone(), in_order.clone(), in_order, Vec::new()];
    logs[1][20] = base;
    logs[2][10] = base + 100;
    for (name, selectors, expected) in SELECTED {
        let topic = front.topics.create(4, 0, "delete").await;
        front.topics.append_at(&topic, &logs);
        let group = unique("group");
        front
            .topics
            .commit(&group, &topic, &[(0, 5), (2, 40), (3, 0)]);
        let plan = selectors(front.plan(&topic), &group, base).resolve().await;
        let plan = plan.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(plan.is_exact(), "{name}");
        let deletion = plan.delete().await.expect("a deletion");
        deletion.into_result().expect("every partition");
        let left = front.topics.read_all(&topic, 0..4);
        for ((times, left), first) in logs.iter().zip(left).zip(expected) {
            let expected = (0..).zip(times.iter().copied());
            let expected: Vec<_> = expected.filter(|(offset, _)| offset >= first).collect();
            assert_eq!(left, expected, "{name}");
        }
        println!("{name}: a consumer reads from {expected:?} on");
    }
}

/// Records keep their offsets, but offsets need not have records: transactions have markers, compaction removes records.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_from_the_planned_offset_on_is_deleted_from_a_log_with_gaps() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let long = Duration::from_secs(30);
    let base = a_day_ago();
    for (log, policy) in [("transactions", "delete"), ("compacted", "compact,delete")] {
        for name in ["keep", "by time", "to the end"] {
            let topic = front.topics.create_in_segments(policy).await;
            let mut open = None;
            if log == "compacted" {
                let times: Vec<i64> = (0..40).map(|at| base + at * 1000).collect();
                front.topics.append_at(&topic, &[times[..30].to_vec()]);
                front.topics.wait_for_gaps(&topic);
                front.topics.append_at(&topic, &[times[30..].to_vec()]);
            } else {
                let committed = front.topics.append_in_transaction(&topic, 0, 9);
                committed.commit_transaction(long).expect("a commit");
                front.topics.wait_for_end(&topic, 0, 10);
                let aborted = front.topics.append_in_transaction(&topic, 0, 9);
                aborted.abort_transaction(long).expect("an abortion");
                front.topics.wait_for_end(&topic, 0, 20);
                front
                    .topics
                    .append_at(&topic, &[vec![base, base + 30_000, base]]);
                open = Some(front.topics.append_in_transaction(&topic, 0, 9));
            }
            let (_, end) = front.topics.offsets(&topic, 0);
            let before = front.topics.read_all(&topic, 0..1).remove(0);
            let plan = front.plan(&topic);
            let plan = match name {
                "keep" => plan.keep_last(5),
                "by time" => plan.before_time(time(base, 25_000)),
                _ => plan.up_to_end(),
            };
            let plan = plan.resolve().await.expect("a plan");
            let cut = plan.partitions()[0].before().get();
            let deletion = plan.delete().await.expect("a deletion");
            deletion.into_result().expect("every partition");
            assert_eq!(front.topics.offsets(&topic, 0), (cut, end), "{log} {name}");
            let kept = before.iter().copied().filter(|(offset, _)| *offset >= cut);
            let left = front.topics.read_all(&topic, 0..1).remove(0);
            assert_eq!(left, kept.collect::<Vec<_>>(), "{log} {name}");
            if name == "by time" {
                let newer = before.iter().filter(|(_, at)| *at >= base + 25_000);
                assert!(
                    newer.clone().count() > 0 && newer.clone().all(|(offset, _)| *offset >= cut)
                );
            }
            println!(
                "{log}, {name}: {} records, deleted before {cut} of {end}",
                before.len()
            );
            drop(open);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_and_a_consumer_lose_nothing_while_consumed_records_are_deleted() {
    const RECORDS: i64 = 1500;
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(1, 1, "delete").await;
    let group = unique("group");
    front.topics.commit(&group, &topic, &[(0, 0)]);
    let done = AtomicBool::new(false);
    let runtime = tokio::runtime::Handle::current();
    let deleted = tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..RECORDS / 100 {
                    front.topics.append(&topic, 0, 100);
                }
            });
            let consumer = front.topics.consumer(&group);
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&topic, 0, Offset::Beginning)
                .expect("an offset");
            consumer.assign(&list).expect("an assignment");
            let (topic, done) = (&topic, &done);
            scope.spawn(move || {
                for expected in 0..=RECORDS {
                    let record = consumer.poll(Duration::from_secs(30)).expect("a record");
                    let record = record.expect("a record");
                    // A gap is a record that was deleted before it was consumed.
                    assert_eq!(record.offset(), expected);
                    if expected % 50 == 0 {
                        consumer
                            .commit_message(&record, CommitMode::Sync)
                            .expect("a commit");
                    }
                }
                done.store(true, Ordering::Relaxed);
            });
            runtime.block_on(async {
                let mut cuts = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let plan = front
                        .plan(topic)
                        .consumed_by([&group])
                        .with_consumer_groups();
                    let plan = plan.resolve().await.expect("a plan");
                    assert_eq!(plan.losses().records(), Some(0));
                    let deletion = plan.delete().await.expect("a deletion");
                    deletion.into_result().expect("every partition");
                    cuts.push(plan.partitions()[0].before().get());
                }
                cuts
            })
        })
    });
    let (start, end) = front.topics.offsets(&topic, 0);
    assert_eq!((Some(&start), end), (deleted.last(), RECORDS + 1));
    println!(
        "{} plans deleted {start} of {end} records, all of them consumed",
        deleted.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_records_are_the_lag_that_kafkas_tool_shows() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(4, 100, "delete").await;
    let group = unique("group");
    front
        .topics
        .commit(&group, &topic, &[(0, 30), (1, 100), (2, 10)]);
    assert_eq!(front.codes(&topic, &[(2, 10)]).await, ["0"]);
    front.topics.append(&topic, 1, 5);
    let plan = front.plan(&topic).up_to_end().with_consumer_groups();
    let plan = plan.resolve().await.expect("a plan");
    let losses = plan.losses().groups().expect("the groups are known");
    let of_group = losses.iter().find(|loss| loss.group() == group);
    let positions = of_group.expect("the group").positions().iter();
    let unread = positions.map(|at| {
        assert_eq!(at.unread(), at.lost());
        (at.partition().get(), at.unread())
    });
    let unread: BTreeMap<i32, i64> = unread.collect();
    let lag = brokers.lag(&group, &topic);
    println!("unread by group and partition: {unread:?}, LAG: {lag:?}");
    assert_eq!(unread, lag);
    assert_eq!(unread, BTreeMap::from([(0, 70), (1, 5), (2, 90)]));
}

/// The library does not tell the id of a topic, so a topic that was created again is known by its offsets.
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_plan_is_refused_if_the_topic_or_its_groups_changed() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(2, 100, "delete").await;
    let group = unique("group");
    front.topics.commit(&group, &topic, &[(0, 60)]);
    let stored = async || {
        let plan = front.plan(&topic).before_offset(50).with_consumer_groups();
        let plan = plan.resolve().await.expect("a plan");
        assert!(plan.losses().groups().is_some(), "{:?}", plan.losses());
        plan.to_json()
    };
    let execute = async |plan: &str| {
        let plan: Result<Plan, _> = front.client().stored_plan(INSTANCE, plan);
        let deleted = plan.expect("a stored plan").delete().await;
        deleted.expect_err("a changed topic").plan_problem()
    };
    let plan = stored().await;
    front.topics.commit(&group, &topic, &[(0, 40)]);
    assert_eq!(execute(&plan).await, Some(PlanProblem::LossesGrew));
    let plan = stored().await;
    let later = unique("group");
    front.topics.commit(&later, &topic, &[(1, 0)]);
    assert_eq!(execute(&plan).await, Some(PlanProblem::LossesGrew));
    let plan = stored().await;
    assert_eq!(front.codes(&topic, &[(0, 51)]).await, ["0"]);
    assert_eq!(execute(&plan).await, Some(PlanProblem::StartOffsetPassed));
    let plan = stored().await;
    front.topics.drop(&topic).await;
    front.topics.create_as(&topic, 2, 99, "delete").await;
    assert_eq!(execute(&plan).await, Some(PlanProblem::OtherTopic));
    assert_eq!(front.topics.offsets(&topic, 0), (0, 99));
    let error = front.plan("no-such-topic").up_to_end().resolve().await;
    let error = error.expect_err("no such topic");
    assert_eq!(error.plan_problem(), Some(PlanProblem::UnknownTopic));
    let close = &group[..group.len() - 1];
    let error = front.plan(&topic).consumed_by([close]).resolve().await;
    let error = error.expect_err("no such group");
    assert_eq!(
        (error.kind(), error.plan_problem()),
        (ErrorKind::Plan, Some(PlanProblem::UnknownGroup))
    );
    assert!(error.to_string().contains(&group), "{error}");
}
