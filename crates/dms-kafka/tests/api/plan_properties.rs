//! Plans of random topics agree with a model that looks at every record.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::support::client_of;
use crate::support::client_without_retries;
use crate::support::service::Service;
use dms_kafka::{Client, Plan, PlanDeletion};
use dms_kafka_gateway::{CleanupPolicy, Gateway, TopicSettings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use tokio::runtime::Runtime;

const GROUPS: [&str; 3] = ["audit", "billing", "slow"];

/// A partition: its start, and the time of each record from offset 0 on. `None` is an offset without a record.
#[derive(Clone, Debug)]
struct Log {
    start: usize,
    times: Vec<Option<i64>>,
}

#[derive(Clone, Debug, Default)]
struct Selected {
    partitions: Option<Vec<i32>>,
    time: Option<i64>,
    offset: Option<i64>,
    keep_last: Option<u64>,
    groups: Vec<usize>,
    all_groups: bool,
    to_end: bool,
}

#[derive(Clone, Debug)]
struct Topic {
    logs: Vec<Log>,
    /// By group and partition.
    committed: Vec<Vec<Option<i64>>>,
    selected: Selected,
}

/// In order, late producers, backfills, a fifth late, and equal times; with and without gaps.
fn log() -> impl Strategy<Value = Log> {
    let step = (0..10_i64, 0..100_u8, 0..150_i64, 0..100_u8);
    let steps = prop::collection::vec(step, 0..40);
    (steps, 0..5_u8, any::<bool>(), 0..40_usize).prop_map(|(steps, kind, gaps, start)| {
        let mut now = 1000;
        let count = steps.len();
        let time = |(at, (pause, chance, late, hole)): (usize, (i64, u8, i64, u8))| {
            now += pause;
            let time = match kind {
                1 => now - late / 10,
                2 if at % 16 > 10 => now - 150,
                3 if chance < 20 => now - late,
                4 => 1000,
                _ => now,
            };
            (!gaps || hole >= 25).then_some(time)
        };
        let times: Vec<_> = steps.into_iter().enumerate().map(time).collect();
        Log {
            start: start.min(count),
            times,
        }
    })
}

fn selected() -> impl Strategy<Value = Selected> {
    let option = |range: std::ops::Range<i64>| prop::option::of(range);
    (
        prop::option::of(prop::collection::vec(0..2, 1..3)),
        option(850..1250),
        option(0..50),
        prop::option::of(0..40_u64),
        prop::collection::vec(0..GROUPS.len(), 0..2),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
    )
        .prop_map(
            |(partitions, time, offset, keep_last, groups, all_groups, to_end)| Selected {
                partitions,
                time,
                offset,
                keep_last,
                groups,
                all_groups,
                to_end,
            },
        )
        .prop_filter("a selector", |selected| {
            selected.time.or(selected.offset).is_some()
                || selected.keep_last.is_some()
                || !selected.groups.is_empty()
                || selected.all_groups
                || selected.to_end
        })
}

fn topic() -> impl Strategy<Value = Topic> {
    prop::collection::vec(log(), 2..4).prop_flat_map(|logs| {
        let ends: Vec<_> = logs.iter().map(|log| log.times.len()).collect();
        let commits: Vec<_> = ends
            .iter()
            .map(|end| prop::option::weighted(0.8, 0..=i64::try_from(*end).unwrap()))
            .collect();
        let committed = prop::collection::vec(commits, GROUPS.len());
        (Just(logs), committed, selected()).prop_map(|(logs, committed, selected)| Topic {
            logs,
            committed,
            selected,
        })
    })
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap()
}

/// What is expected of a plan, found by looking at every record.
#[derive(Debug, PartialEq)]
struct Expected {
    /// By partition; `None` is skipped.
    cuts: BTreeMap<i32, Option<i64>>,
    /// Offsets that a group loses, by group and partition.
    lost: BTreeMap<(String, i32), i64>,
}

impl Topic {
    fn expected(&self) -> Option<Expected> {
        let selected = &self.selected;
        let in_topic = |group: &usize| self.committed[*group].iter().any(Option::is_some);
        let consuming: Vec<usize> = if selected.all_groups {
            (0..GROUPS.len()).filter(in_topic).collect()
        } else {
            selected.groups.clone()
        };
        let refused =
            !selected.groups.iter().all(in_topic) || (selected.all_groups && consuming.is_empty());
        if refused {
            return None;
        }
        let mut expected = Expected {
            cuts: BTreeMap::new(),
            lost: BTreeMap::new(),
        };
        for (at, log) in self.logs.iter().enumerate() {
            let partition = i32::try_from(at).unwrap();
            let is_selected = selected
                .partitions
                .as_ref()
                .is_none_or(|only| only.contains(&partition));
            if !is_selected {
                continue;
            }
            let (start, end) = (number(log.start), number(log.times.len()));
            // The longest prefix of which every offset may be deleted.
            let may_delete = |offset: i64| {
                let time = log.times[usize::try_from(offset).unwrap()];
                let is_older = |limit: i64| time.is_none_or(|time| time < limit);
                selected.time.is_none_or(is_older)
                    && selected.offset.is_none_or(|limit| offset < limit)
                    && selected
                        .keep_last
                        .is_none_or(|kept| (end - offset).unsigned_abs() > kept)
                    && consuming
                        .iter()
                        .all(|group| self.committed[*group][at].is_none_or(|limit| offset < limit))
            };
            let before = (start..end)
                .find(|offset| !may_delete(*offset))
                .unwrap_or(end);
            let skipped = consuming
                .iter()
                .any(|group| self.committed[*group][at].is_none());
            expected
                .cuts
                .insert(partition, (!skipped).then_some(before));
            for (name, committed) in GROUPS.iter().zip(&self.committed) {
                if let (Some(committed), false) = (committed[at], skipped) {
                    let lost = (start..before)
                        .filter(|offset| *offset >= committed)
                        .count();
                    expected
                        .lost
                        .insert(((*name).to_owned(), partition), number(lost));
                }
            }
        }
        Some(expected)
    }

    fn select(&self, mut plan: PlanDeletion) -> PlanDeletion {
        let selected = self.selected.clone();
        if let Some(partitions) = selected.partitions {
            plan = plan.partitions(partitions);
        }
        if let Some(time) = selected.time {
            let time = Duration::from_millis(time.unsigned_abs());
            plan = plan.before_time(SystemTime::UNIX_EPOCH + time);
        }
        if let Some(offset) = selected.offset {
            plan = plan.before_offset(offset);
        }
        if let Some(kept) = selected.keep_last {
            plan = plan.keep_last(kept);
        }
        if selected.all_groups {
            plan = plan.consumed_by_all_groups();
        }
        if selected.to_end {
            plan = plan.up_to_end();
        }
        if selected.groups.is_empty() {
            return plan;
        }
        plan.consumed_by(selected.groups.iter().map(|group| GROUPS[*group]))
    }

    /// Creates the topic in a gateway in memory, which finds offsets by time.
    async fn create(&self, gateway: &Gateway, client: &Client) {
        for group in GROUPS {
            gateway.remove_group(group);
        }
        gateway.remove_topic("orders");
        let topic = TopicSettings {
            name: "orders".to_owned(),
            partitions: u32::try_from(self.logs.len()).unwrap(),
            records: 0,
            cleanup_policy: CleanupPolicy::Delete,
        };
        gateway.put_topic(&topic).unwrap();
        let mut starts = client.delete_messages(gateway.instance_id(), "orders");
        for (partition, log) in (0..).zip(&self.logs) {
            for time in &log.times {
                match time {
                    Some(time) => gateway.append_at("orders", partition, 1, (*time, *time)),
                    None => gateway.skip_offsets("orders", partition, 1),
                }
                .unwrap();
            }
            starts = starts.before(partition, number(log.start));
        }
        starts.send().await.unwrap().into_result().unwrap();
        for (group, committed) in GROUPS.iter().zip(&self.committed) {
            for (partition, committed) in (0..).zip(committed) {
                if let Some(committed) = committed {
                    gateway
                        .commit(group, "orders", partition, *committed)
                        .unwrap();
                }
            }
        }
    }

    /// Producers and consumers continue, and retention deletes some of what is planned.
    async fn continue_with(&self, plan: &Plan, gateway: &Gateway, client: &Client) {
        for (group, committed) in GROUPS.iter().zip(&self.committed) {
            for ((partition, log), committed) in (0..).zip(&self.logs).zip(committed) {
                if let Some(committed) = committed {
                    let next = (committed + 3).min(number(log.times.len()));
                    gateway.commit(group, "orders", partition, next).unwrap();
                }
            }
        }
        let mut retention = client.delete_messages(gateway.instance_id(), "orders");
        for planned in plan.partitions() {
            gateway
                .append_at("orders", planned.partition().get(), 2, (900, 1300))
                .unwrap();
            let start = planned.start().get() + planned.records() / 2;
            retention = retention.before(planned.partition(), start);
        }
        if !plan.partitions().is_empty() {
            retention.send().await.unwrap().into_result().unwrap();
        }
    }

    /// The same topic in a service that only lists records.
    fn service(&self) -> Service {
        let bounds = |log: &Log| (number(log.start), number(log.times.len()));
        let partitions: Vec<_> = self.logs.iter().map(bounds).collect();
        let mut service = Service::new(&partitions);
        service.times = self
            .logs
            .iter()
            .map(|log| log.times[log.start..].to_vec())
            .collect();
        for (group, committed) in GROUPS.iter().zip(&self.committed) {
            let committed = (0..).zip(committed);
            let committed: Vec<_> = committed
                .filter_map(|(at, offset)| Some((at, (*offset)?)))
                .collect();
            if !committed.is_empty() {
                service = service.group(group, &committed);
            }
        }
        service
    }
}

fn found(plan: &Plan) -> Expected {
    let planned = plan.partitions().iter();
    let planned = planned.map(|planned| (planned.partition().get(), Some(planned.before().get())));
    let skipped = plan
        .skipped()
        .iter()
        .map(|skipped| (skipped.partition().get(), None));
    let groups = plan.losses().groups().unwrap().iter();
    Expected {
        cuts: planned.chain(skipped).collect(),
        lost: groups
            .flat_map(|loss| {
                let positions = loss.positions().iter();
                positions.map(|at| ((loss.group().to_owned(), at.partition().get()), at.lost()))
            })
            .collect(),
    }
}

fn check(cases: u32, test: impl Fn(Topic) -> TestCaseResult) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    TestRunner::new(config).run(&topic(), test).unwrap();
}

/// Plans and executes the topics in a gateway.
fn with_offsets_by_time(cases: u32) {
    let runtime = Runtime::new().unwrap();
    let gateway = runtime.block_on(Gateway::memory().start()).unwrap();
    let client = client_of(&gateway);
    check(cases, |topic| {
        runtime.block_on(async {
            topic.create(&gateway, &client).await;
            let plan = topic.select(client.plan_deletion(gateway.instance_id(), "orders"));
            let plan = plan.with_consumer_groups().resolve().await;
            prop_assert_eq!(plan.as_ref().ok().map(found), topic.expected());
            let Ok(plan) = plan else { return Ok(()) };
            let stored = client.stored_plan(gateway.instance_id(), &plan.to_json());
            topic.continue_with(&plan, &gateway, &client).await;
            let deletion = stored.unwrap().delete().await.unwrap();
            deletion.into_result().unwrap();
            let cuts = found(&plan).cuts;
            for (partition, log) in (0..).zip(&topic.logs) {
                let start = gateway
                    .partition("orders", partition)
                    .unwrap()
                    .log_start_offset;
                let before = cuts.get(&partition).copied().flatten();
                prop_assert_eq!(start, before.unwrap_or(number(log.start)));
                let deleted = &log.times[log.start..usize::try_from(start).unwrap()];
                let limit = topic.selected.time.unwrap_or(i64::MAX);
                prop_assert!(deleted.iter().flatten().all(|time| *time < limit));
            }
            Ok(())
        })
    });
}

/// Plans the topics in a service that does not find offsets by time.
fn without_offsets_by_time(cases: u32) {
    let runtime = Runtime::new().unwrap();
    check(cases, |topic| {
        runtime.block_on(async {
            let server = topic.service().start().await;
            let client = client_without_retries(&server.uri());
            let plan = topic.select(client.plan_deletion("instance", "orders"));
            let plan = plan.with_consumer_groups().resolve().await;
            prop_assert!(plan.as_ref().ok().is_none_or(Plan::is_exact));
            prop_assert_eq!(plan.as_ref().ok().map(found), topic.expected());
            Ok(())
        })
    });
}

#[test]
fn plans_agree_with_a_model_of_all_records() {
    with_offsets_by_time(60);
    without_offsets_by_time(60);
}

#[test]
#[ignore = "takes 11 s; cargo xtask nightly runs it"]
fn a_thousand_plans_agree_with_a_model_of_all_records() {
    with_offsets_by_time(1000);
    without_offsets_by_time(1000);
}
