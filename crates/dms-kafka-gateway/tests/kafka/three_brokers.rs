//! Tests that need replicas: leaders and followers that are killed or hang.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use dms_kafka::ErrorKind;
use futures_util::{StreamExt as _, stream};

use dms_kafka_gateway::Service;
use reqwest::Method;
use serde_json::Value;

use crate::{
    brokers::Brokers,
    command,
    front::{Front, INSTANCE, PROJECT, config, delete, ready, serve, start},
    load::{Load, PARTITIONS},
    process::Gateway,
    reads::unique,
    support::{execute, request},
    topics::Topics,
};

/// Partitions led by brokers 2, 3 and 1: broker 1 is the controller too, and is left alone.
const REPLICAS: [&[i32]; 3] = [&[2, 3, 1], &[3, 2, 1], &[1, 2, 3]];

/// In each partition, more than the load deletes.
const RECORDS: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: cargo xtask nightly runs it"]
async fn a_gateway_that_is_killed_has_audited_every_deletion() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(PARTITIONS.unsigned_abs(), RECORDS, "delete");
    let topic = topic.await;
    let nudge_topic = topics.create_led_by(&REPLICAS, 0).await;
    let gateway = Gateway::with_config(&nudging(&brokers, &nudge_topic));
    let load = Load {
        endpoint: &gateway.endpoint,
        ids: [PROJECT, INSTANCE, &topic],
    };
    let result = load.run(|| gateway.kill()).await;
    let start = |partition| (partition, topics.offsets(&topic, partition).0);
    let starts = (0..PARTITIONS).map(start).collect();
    result.assert_audited_until_killed(&gateway.audit_file(), &starts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_dies_in_the_middle_of_a_run_of_deletions() {
    delete_while_a_leader_dies(3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: cargo xtask nightly runs it"]
async fn a_leader_that_dies_in_the_middle_of_5000_deletions() {
    delete_while_a_leader_dies(50).await;
}

/// Deletions from each of 100 partitions.
async fn delete_while_a_leader_dies(each: i64) {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let nudge_topic = topics.create_led_by(&REPLICAS, 0).await;
    let service = start(&nudging(&brokers, &nudge_topic)).await;
    let front = Front { service, topics };
    let replicas: Vec<_> = REPLICAS.into_iter().cycle().take(100).collect();
    let topic = front.topics.create_led_by(&replicas, 50).await;
    let leaders = front.topics.leaders(&topic);
    assert_eq!(leaders[..4], [2, 3, 1, 2]);
    let (begun, slowest) = (AtomicUsize::new(0), std::sync::Mutex::new(Duration::ZERO));
    let total = usize::try_from(each * 100).expect("a small number");
    let rows = (1..=each).flat_map(|offset| (0..100).map(move |partition| (partition, offset)));
    let deletions = rows.map(async |(partition, offset)| {
        if begun.fetch_add(1, Ordering::Relaxed) == total / 5 {
            // The signal is sent while other deletions are on their way.
            tokio::task::block_in_place(|| brokers.kill(2));
        }
        let started = Instant::now();
        let asked = if offset == each { -1 } else { offset };
        let codes = front.codes(&topic, &[(partition, asked)]).await;
        let mut slowest = slowest.lock().expect("no panic");
        *slowest = started.elapsed().max(*slowest);
        assert_eq!(codes, ["0"], "partition {partition}, offset {offset}");
    });
    let started = Instant::now();
    let answered = stream::iter(deletions).buffered(256).count().await;
    let elapsed = started.elapsed();
    assert_eq!(answered, total);
    let left = front.topics.read_all(&topic, 0..100);
    assert!(left.iter().all(Vec::is_empty), "{left:?}");
    let leaders = front.topics.leaders(&topic);
    assert!(!leaders.contains(&2), "no other broker became the leader");
    let slowest = slowest.into_inner().expect("no panic");
    assert!(slowest < Duration::from_secs(30), "{slowest:?}");
    println!(
        "{answered} deletions answered in {elapsed:?}, each with code 0, though the leader of a third died after a fifth of them; slowest: {slowest:?}"
    );
    brokers.restore();
}

/// Only writes need the replicas. Until the cluster notices that a broker is dead, a deletion waits for it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: cargo xtask nightly runs it"]
async fn deletions_with_fewer_replicas_in_sync_than_writes_need() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let (patient, hasty) = (
        Front::of(&brokers).await,
        Front::with_timeout(&brokers, 3.0).await,
    );
    let (strict, topics) = (unique("topic"), &patient.topics);
    let replicas: [&[i32]; 2] = [&[1, 2, 3], &[2, 1, 3]];
    topics.create_on(&strict, &replicas, 20, "3").await;
    let other = topics.create_led_by(&[&[1]], 20).await;
    let mut starts = [0, 0];
    for (killed, front, offset) in [
        (None, &patient, 1),
        (Some(3), &hasty, 2),
        (None, &patient, 3),
        (Some(2), &hasty, 4),
        (None, &patient, 5),
        (None, &patient, -1),
    ] {
        if let Some(killed) = killed {
            brokers.kill(killed);
        }
        let rows = [(0, offset), (1, offset)];
        let of_other = async {
            let started = Instant::now();
            assert_eq!(front.codes(&other, &[(0, offset)]).await, ["0"]);
            started.elapsed()
        };
        let (codes, of_other) = tokio::join!(front.codes(&strict, &rows), of_other);
        assert!(of_other < Duration::from_secs(3), "{of_other:?}");
        let before = starts;
        starts = [0, 1].map(|partition| topics.offsets(&strict, partition).0);
        println!("before {offset}: {codes:?}, starts: {starts:?}; another topic: {of_other:?}");
        let deleted = if offset == -1 { 20 } else { offset };
        for ((code, start), before) in codes.iter().zip(starts).zip(before) {
            match &**code {
                "0" => assert_eq!(start, deleted),
                "5" => assert_eq!(start, before, "{code} is not applied"),
                "6" | "7" | "13" => assert!([before, deleted].contains(&start), "{start}"),
                _ => panic!("{code}"),
            }
            assert!(code == "0" || front.service.endpoint() == hasty.service.endpoint());
        }
    }
    brokers.restore();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_hangs_is_replaced_within_the_deadline() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create_led_by(&REPLICAS, 10).await;
    let codes = front.codes(&topic, &[(0, 1), (1, 1), (2, 1)]).await;
    assert_eq!(codes, ["0", "0", "0"]);
    assert_eq!(ready(&front.service).await.status, 200);
    brokers.pause(3);
    let paused = Instant::now();
    // The previous answer is used again for a second.
    while ready(&front.service).await.status == 200 {
        assert!(paused.elapsed() < Duration::from_secs(5), "ready");
    }
    println!("/readyz while a leader hangs: 503");
    let codes = front.codes(&topic, &[(0, 4), (1, 5), (2, -1)]).await;
    println!("codes while the leader of partition 1 hangs: {codes:?}");
    assert_eq!(codes, ["0", "0", "0"]);
    assert_eq!(front.codes(&topic, &[(1, -1)]).await, ["0"]);
    assert_eq!(front.topics.offsets(&topic, 1), (10, 10));
    // Other brokers are the leaders now.
    assert_eq!(ready(&front.service).await.status, 200);
    brokers.restore();
}

/// The configuration of a gateway with a nudge topic.
fn nudging(brokers: &Brokers, nudge_topic: &str) -> String {
    let config = config(&brokers.bootstrap_servers, 30.0, "");
    let setting = format!("nudge_topic = '{nudge_topic}'\n[instance.kafka]");
    config.replace("[instance.kafka]", &setting)
}

/// The median time of deletions from a partition, one after the other.
async fn median(service: &Service, topic: &str, offsets: Range<i64>) -> Duration {
    let mut times = Vec::new();
    for offset in offsets {
        let started = Instant::now();
        let response = delete(service, topic, &[(0, offset)]).await;
        assert_eq!(response.body["partitions"][0]["error_code"], "0");
        times.push(started.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nudge_topic_wakes_followers() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create_led_by(&REPLICAS[..1], 100).await;
    let nudge_topic = topics.create_led_by(&REPLICAS, 0).await;
    let plain = serve(&brokers.bootstrap_servers, 30.0).await;
    let nudging = start(&nudging(&brokers, &nudge_topic)).await;
    let without = median(&plain, &topic, 0..9).await;
    let with = median(&nudging, &topic, 9..30).await;
    println!("one deletion at a time: {without:?}; with nudges: {with:?}");
    assert!(with * 3 < without, "{with:?} against {without:?}");
    let metrics = format!("{}/metrics", nudging.endpoint());
    let metrics = execute(request(Method::GET, &metrics, "")).await;
    let nudges = "dms_kafka_gateway_kafka_nudges_total ";
    let metrics = metrics.body.as_str().expect("text");
    let nudges = metrics.split(nudges).nth(1).expect("a metric");
    assert!(!nudges.starts_with('0'), "{nudges}");
    // Deletions go on without it.
    topics.drop(&nudge_topic).await;
    median(&nudging, &topic, 30..35).await;
    assert!(!topics.exists(&nudge_topic), "a nudge created it");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_go_on_while_the_nudge_topic_is_gone_or_has_no_leader() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create_led_by(&[&[2, 1]], 100).await;
    let nudge_topic = topics.create_led_by(&REPLICAS, 0).await;
    let gateway = Gateway::with_config(&nudging(&brokers, &nudge_topic));
    let warnings = || {
        let log = gateway.log();
        let lines = log.iter().filter(|line| line["level"] == "WARN");
        let lines = lines.filter(|line| line.to_string().contains(&nudge_topic));
        lines.map(Value::to_string).collect::<Vec<_>>()
    };
    let mut offset = 0;
    let mut median = |count| {
        let mut times = Vec::new();
        for _ in 0..count {
            offset += 1;
            let started = Instant::now();
            let rows = format!("--partition 0:{offset}");
            let ended = command::delete(&gateway.endpoint, &topic, &rows);
            assert_eq!(ended.exit_code, 0);
            times.push(started.elapsed());
        }
        times.sort();
        times[times.len() / 2]
    };
    let with = median(9);
    topics.drop(&nudge_topic).await;
    let without = median(15);
    println!("with nudges: {with:?}; the topic was deleted: {without:?}");
    assert!(with * 2 < without, "{with:?} against {without:?}");
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    assert!(!topics.exists(&nudge_topic), "a nudge created it");
    topics.create_on(&nudge_topic, &REPLICAS, 0, "1").await;
    let created = Instant::now();
    while median(5) * 2 > without {
        assert!(created.elapsed() < Duration::from_secs(30), "no nudges");
    }
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    topics.drop(&nudge_topic).await;
    topics.create_on(&nudge_topic, &[&[3]], 0, "1").await;
    brokers.kill(3);
    let without = median(15);
    println!("the topic was created again, and has no leader: {without:?}");
    assert!(with * 2 < without, "{with:?} against {without:?}");
    assert_eq!(warnings().len(), 2, "{:?}", warnings());
    brokers.restore();
}

/// Concurrent deletions of partitions that the follower has do not delay those of others with the same leader.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: cargo xtask nightly runs it"]
async fn a_follower_that_hangs_does_not_delay_other_topics() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let affected = front
        .topics
        .create_led_by(&[&[2, 3] as &[i32]; 16], 10)
        .await;
    let healthy = front
        .topics
        .create_led_by(&[&[2, 1] as &[i32]; 16], 50)
        .await;
    let times = async |offsets: Range<i64>| {
        let rows = offsets.flat_map(|offset| (0..16).map(move |partition| (partition, offset)));
        let times = stream::iter(rows).map(async |row| {
            let started = Instant::now();
            assert_eq!(front.codes(&healthy, &[row]).await, ["0"]);
            started.elapsed()
        });
        times.buffered(16).collect::<Vec<_>>().await
    };
    let all: Vec<_> = (0..16).map(|partition| (partition, 1)).collect();
    front.codes(&affected, &all).await;
    let p99 = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort();
        times[(times.len() - 1) * 99 / 100]
    };
    let normal = p99(&times(1..14).await);
    brokers.pause(3);
    let hanging = stream::iter(0..16).for_each_concurrent(None, async |partition| {
        delete(&front.service, &affected, &[(partition, 2)]).await;
    });
    let hanging = async { tokio::time::timeout(Duration::from_secs(12), hanging).await };
    let (_, during) = tokio::join!(hanging, times(14..39));
    // The first deletions share a request with those that hang, before these are known to be slow.
    let (first, rest) = during.split_at(3 * 16);
    let (first, rest) = (p99(first), p99(rest));
    println!(
        "p99 of a healthy topic: {normal:?}; while a follower of another topic hangs: {rest:?}, at first {first:?}"
    );
    assert!(first < Duration::from_secs(3), "{first:?}");
    assert!(
        rest <= 2 * normal.max(Duration::from_millis(500)),
        "{rest:?}"
    );
    brokers.restore();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_hangs_makes_the_outcome_unknown() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 3.0).await;
    let topic = front.topics.create_led_by(&REPLICAS[..1], 10).await;
    assert_eq!(front.codes(&topic, &[(0, 1)]).await, ["0"]);
    brokers.pause(3);
    let started = Instant::now();
    let codes = front.codes(&topic, &[(0, 4)]).await;
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    println!("code while a follower hangs, and Kafka is given 3 s: {codes:?}");
    assert_eq!(codes, ["7"]);
    // The leader has deleted the records, so the outcome is not "nothing was deleted".
    assert_eq!(front.topics.offsets(&topic, 0), (4, 10));
    brokers.restore();
    assert_eq!(front.codes(&topic, &[(0, 5)]).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_does_not_affect_others() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 8.0).await;
    let topic = front.topics.create_led_by(&[&[2], &[3]], 10).await;
    // Offset 0: the only replica is killed, and might forget a log start offset that it has not written to disk.
    assert_eq!(front.codes(&topic, &[(0, 0), (1, 1)]).await, ["0", "0"]);
    brokers.kill(2);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let started = Instant::now();
        let codes = front.codes(&topic, &[(0, -1), (1, 4)]).await;
        assert_eq!(codes[1], "0", "{codes:?}");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(12), "{elapsed:?}");
        // Until the cluster notices that the broker is dead, the outcome is unknown.
        if codes[0] == "5" {
            println!("codes without a leader of partition 0: {codes:?}");
            break;
        }
        assert_ne!(codes[0], "0", "no broker could have deleted");
        assert!(Instant::now() < deadline, "{codes:?}");
    }
    brokers.restore();
    let front = Front::of(&brokers).await;
    assert_eq!(front.topics.offsets(&topic, 0), (0, 10));
    assert_eq!(front.topics.offsets(&topic, 1), (4, 10));
    assert_eq!(front.codes(&topic, &[(0, -1)]).await, ["0"]);
}

/// A broker lists only the groups that it coordinates.
#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_completely_or_not_at_all_while_a_broker_dies() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 3.0).await;
    let topic = front.topics.create(1, 10, "delete").await;
    let prefix = unique("group");
    let names = (0..24).map(|number| format!("{prefix}-{number:02}"));
    let names: Vec<String> = names.collect();
    for name in &names {
        front.topics.commit(name, &topic, &[(0, 5)]);
    }
    let listed = async || {
        let groups = front.groups(&prefix).await.ok()?;
        Some(groups.into_iter().map(|(name, _)| name).collect())
    };
    assert_eq!(listed().await.as_ref(), Some(&names));
    brokers.kill(2);
    let (deadline, mut refused) = (Instant::now() + Duration::from_secs(60), 0);
    // Until another broker coordinates the groups of the dead one.
    let mut complete = 0;
    while complete < 20 {
        assert!(Instant::now() < deadline, "refused {refused} times");
        match listed().await {
            Some(found) => {
                complete += 1;
                assert_eq!(found, names, "after {refused} refusals");
            }
            None => refused += 1,
        }
    }
    assert!(refused > 0, "the broker was not needed");
    println!("{refused} lists were refused, then they were complete");
    brokers.restore();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_refused_in_time_while_a_broker_hangs() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 4.0).await;
    let topic = front.topics.create_led_by(&[&[2, 3, 1]], 10).await;
    let group = unique("group");
    front.topics.commit(&group, &topic, &[(0, 5)]);
    let instance = format!("instances/{INSTANCE}");
    let paths = [
        format!("kafka/{instance}/topics/{topic}/partitions?timestamp=1"),
        format!("{instance}/topics?limit=1"),
        format!("{instance}/groups?group={group}"),
        format!("{instance}/messages?topic={topic}&start_time=1"),
        format!("{instance}/management/topics/{topic}/partitions/0/end-message"),
    ];
    let mut paths = paths.map(|path| format!("/v2/{PROJECT}/{path}")).to_vec();
    let group = format!("groups/{group}/message-offset?topic={topic}");
    paths.push(format!("/v2/kafka/{PROJECT}/{instance}/{group}"));
    for state in ["runs", "hangs", "runs again"] {
        match state {
            "hangs" => brokers.pause(2),
            _ => brokers.restore(),
        }
        for path in &paths {
            let started = Instant::now();
            let mut status = front.get(path).await.status;
            assert!(status == 200 || status == 503, "{status}: {path}");
            let elapsed = started.elapsed();
            assert!(elapsed < Duration::from_secs(8), "{elapsed:?}: {path}");
            let deadline = started + Duration::from_secs(60);
            while state != "hangs" && status != 200 {
                assert!(Instant::now() < deadline, "{status}: {path}");
                status = front.get(path).await.status;
            }
            println!("a broker {state}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_a_partition_without_a_leader_is_refused() {
    let Some(brokers) = Brokers::take(&[3]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 4.0).await;
    let topic = front.topics.create_led_by(&[&[2], &[3]], 10).await;
    brokers.kill(2);
    for timestamp in ["", "&timestamp=1"] {
        let started = Instant::now();
        let path = format!("topics/{topic}/partitions?limit=50{timestamp}");
        let path = format!("/v2/{PROJECT}/kafka/instances/{INSTANCE}/{path}");
        front.get(&path).await.assert_refused(503, "DMS.111501025");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
    }
    let plan = front.plan(&topic).up_to_end().resolve().await;
    let error = plan.expect_err("no leader");
    assert_eq!(error.kind(), ErrorKind::Server, "{error:?}");
    println!("a plan without a leader of partition 0: {error}");
    // Reads of one partition do not need the others.
    let path = format!("management/topics/{topic}/partitions/1/end-message");
    let path = format!("/v2/{PROJECT}/instances/{INSTANCE}/{path}");
    assert_eq!(front.get(&path).await.body["offset"], 9);
    brokers.restore();
}
