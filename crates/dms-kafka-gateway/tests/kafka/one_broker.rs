//! Tests for a cluster of one broker: an unavailable cluster, a load, a large request.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

#[cfg(feature = "kafka-tls")]
mod tls;

use reqwest::Method;

use crate::{
    brokers::Brokers,
    command,
    front::{Front, INSTANCE, PROJECT, config, delete, ready, sasl, serve},
    load::{Load, PARTITIONS},
    process::Gateway,
    support::{execute, request},
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

/// The brokers respond, but name an address for themselves that cannot be reached from here.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_reach_the_advertised_listener_is_not_ready() {
    let Some(brokers) = Brokers::take(&[1]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(1, 10, "delete").await;
    let servers = brokers.servers("UNREACHABLE", "127.0.0.1");
    let config = config(&servers, 6.0, "");
    let (code, text) = check(&config, &topic);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("connecting to every leader"), "{text}");
    let gateway = Gateway::with_config(&config);
    let url = format!("{}/readyz", gateway.endpoint);
    let ready = execute(request(Method::GET, &url, "")).await;
    ready.assert_refused(503, "DMS.111501025");
    let ended = command::delete(&gateway.endpoint, &topic, "--partition 0:4");
    assert_eq!(ended.error["outcome"], "not_applied", "{:?}", ended.error);
    assert_eq!(topics.offsets(&topic, 0), (0, 10));
}

/// The user of the gateway may do what the ACLs of a topic allow, if it has any.
#[tokio::test(flavor = "multi_thread")]
async fn an_acl_that_is_missing_is_named() {
    let Some(brokers) = Brokers::take(&[1]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let servers = brokers.servers("SASL", "127.0.0.1");
    let config = config(&servers, 30.0, "") + &sasl("RIGHT");
    let gateway = Gateway::with_config(&config);
    let (user, other) = ("User:gateway", "User:other");
    for (acls, expected, checked) in [
        (
            &[(other, "Read")][..],
            "DMS.00400062",
            "describing the topic failed",
        ),
        (
            &[(user, "Describe")],
            "failed 29",
            "the user lacks the ACL operation Delete",
        ),
        (&[(user, "Describe"), (user, "Delete")], "deleted 0", ""),
    ] {
        let topic = topics.create(1, 10, "delete").await;
        for (principal, operation) in acls {
            brokers.allow(principal, operation, &topic);
        }
        let ended = command::delete(&gateway.endpoint, &topic, "--partition 0:4");
        let result = match &ended.rows[..] {
            [(status, code)] => format!("{status} {code}"),
            _ => ended.error["code"].as_str().unwrap_or_default().to_owned(),
        };
        assert_eq!(result, expected, "{acls:?}");
        let start = if ended.exit_code == 0 { 4 } else { 0 };
        assert_eq!(topics.offsets(&topic, 0), (start, 10), "{acls:?}");
        let named = |line: &serde_json::Value| {
            let fields = line["fields"].to_string();
            fields.contains(&topic) && fields.contains("lacks the ACL operation Describe")
        };
        let is_named = gateway.log().iter().any(named);
        assert_eq!(is_named, ended.rows.is_empty(), "{acls:?}");
        let (code, text) = check(&config, &topic);
        assert_eq!(code == 0, checked.is_empty(), "{acls:?}: {text}");
        assert!(text.contains(checked), "{acls:?}: {text}");
    }
}

/// Runs `dms-kafka serve --check-config --connect`, and returns its exit code and output.
fn check(config: &str, topic: &str) -> (i32, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), config).expect("a file");
    let mut command = command::program();
    command.args(["serve", "--check-config", "--connect", topic, "--config"]);
    let output = command.arg(file.path()).output().expect("dms-kafka runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code().expect("an exit code"), text)
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
