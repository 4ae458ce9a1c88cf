//! Tests for a cluster of one broker: an unavailable cluster, a load, a large request.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

#[cfg(feature = "kafka-tls")]
mod tls;

use crate::{
    brokers::Brokers,
    front::{Front, INSTANCE, PROJECT, delete, ready, serve},
    load::{Load, PARTITIONS},
    process::Gateway,
    topics::Topics,
};

/// Records in each partition, more than the load deletes.
const RECORDS: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_starts_before_its_cluster_and_reports_that_it_is_not_ready() {
    let Some(brokers) = Brokers::take(&[1]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 6.0).await;
    let topic = front.topics.create(1, 10, "delete").await;
    brokers.kill(1);
    let late = serve(&brokers.bootstrap_servers, 6.0).await;
    for service in [&front.service, &late] {
        let started = Instant::now();
        let ready = ready(service).await;
        ready.assert_refused(503, "DMS.111501025");
        assert!(!ready.error_msg().contains(INSTANCE), "{ready:?}");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
        println!("/readyz without the broker: 503, {}", ready.error_msg());
    }
    for (service, offset) in [(&late, 4), (&late, -1), (&front.service, -1)] {
        let started = Instant::now();
        let response = delete(service, &topic, &[(0, offset)]).await;
        response.assert_refused(503, "DMS.111501025");
        let (elapsed, message) = (started.elapsed(), response.error_msg());
        assert!(elapsed < Duration::from_secs(9), "{elapsed:?}");
        println!("offset {offset} without the broker: 503, {message}");
    }
    brokers.restore();
    for service in [&front.service, &late] {
        assert_eq!(ready(service).await.status, 200);
        let response = delete(service, &topic, &[(0, 4)]).await;
        let error_code = &response.body["partitions"][0]["error_code"];
        assert_eq!(error_code, "0", "{response:?}");
    }
    assert_eq!(front.topics.offsets(&topic, 0), (4, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_process_stops_without_losing_a_response() {
    let Some(brokers) = Brokers::take(&[1]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(PARTITIONS.unsigned_abs(), RECORDS, "delete");
    let topic = topic.await;
    let gateway = Gateway::serve(&brokers);
    let load = Load {
        endpoint: &gateway.endpoint,
        ids: [PROJECT, INSTANCE, &topic],
    };
    let result = load.run(|| gateway.ask_to_stop()).await;
    let starts = result.assert_audited(&gateway.audit_file());
    let log = gateway.wait();
    let logged = log
        .iter()
        .filter(|line| line["fields"]["message"] == "request");
    let ids: HashSet<&str> = logged
        .map(|line| line["span"]["request_id"].as_str().expect("an id"))
        .collect();
    let complete = result.deleted_ids().all(|id| ids.contains(id));
    assert!(complete, "a deletion is missing from the log");
    let requests = ids.len();
    println!("the log has a line of JSON for each of {requests} requests");
    for (partition, start) in &starts {
        let (left, end) = (topics.offsets(&topic, *partition), RECORDS.cast_signed());
        assert_eq!(left, (*start, end), "partition {partition}");
    }
    assert_eq!(i32::try_from(starts.len()), Ok(PARTITIONS));
    println!("the audit log and the log starts of {PARTITIONS} partitions agree");
}

/// librdkafka asks for leaders again after exactly three seconds, if it was asked before it was connected.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_deletion_after_a_start_does_not_wait_for_a_timer() {
    let Some(brokers) = Brokers::take(&[1]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(1, 100, "delete").await;
    let mut times = Vec::new();
    for offset in 1..=100 {
        let service = serve(&brokers.bootstrap_servers, 30.0).await;
        let started = Instant::now();
        let response = delete(&service, &topic, &[(0, offset)]).await;
        times.push(started.elapsed());
        let error_code = &response.body["partitions"][0]["error_code"];
        assert_eq!(error_code, "0", "{response:?}");
    }
    times.sort();
    let (median, slowest) = (times[49], times[99]);
    println!("first deletion after 100 starts: median {median:?}, slowest {slowest:?}");
    assert!(slowest < Duration::from_millis(2900), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_partitions_in_one_request() {
    let Some(brokers) = Brokers::take(&[1]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(1000, 0, "delete").await;
    front.topics.append(&topic, 777, 5);
    let everything: Vec<(i32, i64)> = (0..1000).map(|partition| (partition, -1)).collect();
    let codes = front.codes(&topic, &everything).await;
    assert_eq!(codes.len(), 1000);
    assert_eq!(codes.iter().find(|code| *code != "0"), None);
    assert_eq!(front.topics.offsets(&topic, 777), (5, 5));
    assert_eq!(front.partitions(&topic).await.body["total"], 1000);
}
