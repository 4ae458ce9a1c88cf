//! Tests for clusters of any size.

use std::time::{Duration, Instant};

use rdkafka::producer::Producer as _;
use reqwest::Method;
use serde_json::json;

use crate::{
    brokers::Brokers,
    command,
    front::{Front, config, delete, ready, sasl, send, start},
    topics::Topics,
};

/// `status` and `error_code` of the command's rows.
fn rows(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(status, code): &(&str, &str)| ((*status).to_owned(), (*code).to_owned());
    expected.iter().map(owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_records_before_each_offset_are_deleted() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(4, 100, "delete").await;
    let arguments = "--partition 0:40 --partition 1:100 --everything 2";
    let ended = command::delete(front.service.endpoint(), &topic, arguments);
    assert_eq!(ended.exit_code, 0);
    assert_eq!(ended.rows, rows(&[("deleted", "0"); 3]));
    for (partition, left) in [(0, 40..100), (1, 100..100), (2, 100..100), (3, 0..100)] {
        let (read, expected) = (front.topics.read(&topic, partition), left.clone());
        assert!(
            read.iter().copied().eq(expected),
            "partition {partition}: {read:?}"
        );
        println!("partition {partition}: a consumer reads {left:?}");
    }
    front.topics.append(&topic, 2, 5);
    assert_eq!(front.topics.read(&topic, 2), [100, 101, 102, 103, 104]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_includes_records_of_open_transactions() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(1, 10, "delete").await;
    let open = front.topics.append_in_transaction(&topic, 0, 5);
    assert_eq!(front.topics.offsets(&topic, 0), (0, 15));
    let ended = command::delete(front.service.endpoint(), &topic, "--everything 0");
    assert_eq!(ended.exit_code, 0);
    assert_eq!(ended.rows, rows(&[("deleted", "0")]));
    assert_eq!(front.topics.offsets(&topic, 0), (15, 15));
    open.commit_transaction(Duration::from_secs(30))
        .expect("a committed transaction");
    assert!(front.topics.read(&topic, 0).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_reaches_the_client_with_its_code() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    front.topics.commit_something().await;
    let plain = front.topics.create(1, 10, "delete").await;
    let compacted = front.topics.create(1, 10, "compact").await;
    let (failed, fine) = (|code| ("failed", code), ("deleted", "0"));
    let (unknown, internal) = ("--partition 7:1 --partition 0:1", "__consumer_offsets");
    for (what, topic, arguments, expected) in [
        (
            "out of range",
            &*plain,
            "--partition 0:11",
            &[failed("1")][..],
        ),
        ("unknown partition", &plain, unknown, &[fine, failed("3")]),
        (
            "compacted only",
            &compacted,
            "--partition 0:4",
            &[failed("44")],
        ),
        (
            "compacted only, everything",
            &compacted,
            "--everything 0",
            &[failed("44")],
        ),
        (
            "internal topic",
            internal,
            "--partition 0:0",
            &[failed("17")],
        ),
    ] {
        println!("{what}");
        let ended = command::delete(front.service.endpoint(), topic, arguments);
        assert_eq!((ended.exit_code, ended.rows), (1, rows(expected)), "{what}");
    }
    println!("unknown topic");
    let ended = command::delete(front.service.endpoint(), "no-such-topic", "--partition 0:1");
    assert_eq!(ended.exit_code, 3);
    assert_eq!(ended.error["code"], "DMS.00400062");
    assert_eq!(front.topics.offsets(&plain, 0), (1, 10));
    assert_eq!(front.topics.offsets(&compacted, 0), (0, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_listed_as_a_consumer_sees_them() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(3, 10, "delete").await;
    assert_eq!(front.codes(&topic, &[(0, 4), (2, -1)]).await, ["0", "0"]);
    let open = front.topics.append_in_transaction(&topic, 1, 2);
    let response = front.partitions(&topic).await;
    let offsets = |partition, start, end| {
        json!({
            "partition": partition, "start_offset": start, "last_offset": end,
            "message_count": end - start, "last_update_time": 0,
        })
    };
    let expected = json!({"total": 3, "partitions": [offsets(0, 4, 10), offsets(1, 0, 12), offsets(2, 10, 10)]});
    assert_eq!((response.status, &response.body), (200, &expected));
    drop(open);
    let response = front.partitions("no-such-topic").await;
    response.assert_refused(400, "DMS.00400062");
    assert!(
        !front.topics.exists("no-such-topic"),
        "a listing created it"
    );
    let (service, operation) = (&front.service, "partitions");
    let other = send(service, Method::GET, "other", &topic, operation, "").await;
    other.assert_refused(404, "DMS.00404022");
}

/// librdkafka keeps what it knows of a topic for minutes.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_topic_are_seen_at_once() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(1, 10, "delete").await;
    assert_eq!(front.codes(&topic, &[(0, 1), (2, 1)]).await, ["0", "3"]);
    front.topics.grow(&topic, 3).await;
    front.topics.append(&topic, 2, 10);
    assert_eq!(front.codes(&topic, &[(0, 2), (2, 5)]).await, ["0", "0"]);
    assert_eq!(front.codes(&topic, &[(1, -1), (2, -1)]).await, ["0", "0"]);
    assert_eq!(front.partitions(&topic).await.body["total"], 3);
    front.topics.drop(&topic).await;
    // A broker that still removes the topic does not complete a deletion: code 7.
    let mut gone = delete(&front.service, &topic, &[(0, 3)]).await;
    for _ in 0..5 {
        if gone.body["partitions"][0]["error_code"] != "7" {
            break;
        }
        gone = delete(&front.service, &topic, &[(0, 3)]).await;
    }
    gone.assert_refused(400, "DMS.00400062");
    front.topics.create_as(&topic, 2, 10, "delete").await;
    let codes = front.codes(&topic, &[(0, 3), (1, -1), (2, 1)]).await;
    assert_eq!(codes, ["0", "0", "3"]);
    assert_eq!(front.topics.offsets(&topic, 0), (3, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_wants_a_password() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(1, 10, "delete").await;
    for (variable, status) in [("RIGHT", 200), ("WRONG", 503)] {
        let config = config(&brokers.servers("SASL", "127.0.0.1"), 30.0, "") + &sasl(variable);
        let service = start(&config).await;
        let started = Instant::now();
        assert_eq!(ready(&service).await.status, status, "{variable}");
        let response = delete(&service, &topic, &[(0, -1)]).await;
        assert_eq!(response.status, status, "{variable}: {response:?}");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(5), "{variable}: {elapsed:?}");
        println!("the {} password: {status}", variable.to_lowercase());
    }
    assert_eq!(topics.offsets(&topic, 0), (10, 10));
}
