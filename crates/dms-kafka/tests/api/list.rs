//! Listing the partitions of a topic.

use std::time::Duration;

use crate::support::{builder, chain, client_of, client_without_retries, requests, server};
use dms_kafka::{ErrorKind, Outcome};
use dms_kafka_gateway::Gateway;
use serde_json::{Value, json};
use tokio::time::timeout;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

#[tokio::test]
async fn the_outcome_of_a_failed_list_is_not_applied() {
    let server = server(vec![ResponseTemplate::new(500)]).await;
    let client = client_without_retries(&server.uri());
    let error = client
        .list_partitions("instance", "orders")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Server, Outcome::NotApplied)
    );
}

#[tokio::test]
async fn the_error_of_a_read_says_nothing_of_deletions() {
    let refusal = |status: u16, code: &str| {
        ResponseTemplate::new(status).set_body_json(json!({"error_code": code, "error_msg": "no"}))
    };
    for response in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(307).insert_header("Location", "http://127.0.0.1:1/"),
        refusal(403, "DMS.00403003"),
        refusal(403, "DMS.10240310"),
        refusal(403, "APIGW.0302"),
        refusal(401, "APIGW.0301"),
        refusal(404, "DMS.00404022"),
        refusal(200, "DMS.00400026"),
        ResponseTemplate::new(200).set_body_json(json!({"partitions": [{"partition": -1}]})),
        ResponseTemplate::new(200).set_body_string("<html>"),
    ] {
        let server = server(vec![response]).await;
        let client = client_without_retries(&server.uri());
        let error = client
            .list_partitions("instance", "orders")
            .await
            .unwrap_err();
        let shown = format!("{} {:?}", chain(&error), error.hint());
        assert!(!shown.contains("delet"), "{shown}");
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }
}

/// It was an empty list.
#[tokio::test]
async fn an_error_inside_a_success_is_an_error_of_the_list() {
    for body in [
        json!({"error_code": "DMS.00400026", "error_msg": "wait"}),
        json!({"total": 0, "partitions": [], "error": {"code": "DMS.00400026", "message": "wait"}}),
        json!({"total": 1, "partitions": [row(0)], "error_code": "DMS.00400026", "error_msg": "wait"}),
    ] {
        let server = server(vec![ResponseTemplate::new(200).set_body_json(body)]).await;
        let client = client_without_retries(&server.uri());
        let error = client
            .list_partitions("instance", "orders")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
        assert_eq!(error.code(), Some("DMS.00400026"));
        assert!(error.to_string().contains("wait"), "{error}");
    }
}

fn row(partition: i32) -> Value {
    json!({"partition": partition, "start_offset": 1, "last_offset": 9})
}

#[tokio::test]
async fn an_inconsistent_list_is_an_error() {
    let page = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let cases = [
        (
            vec![
                json!({"total": 3, "partitions": [row(0)]}),
                json!({"total": 3, "partitions": []}),
            ],
            "shorter than its total",
        ),
        (
            vec![json!({"total": 3, "partitions": [row(0)]})],
            "repeated",
        ),
        (
            vec![
                json!({"total": 3, "partitions": [row(0)]}),
                json!({"total": 2, "partitions": [row(1)]}),
            ],
            "changed",
        ),
        (vec![json!({"partitions": [row(0)]})], "repeated"),
        (
            vec![json!({"total": 1, "partitions": [row(0), row(1)]})],
            "longer than its total",
        ),
        (
            vec![
                json!({"total": 50, "partitions": (0..50).map(row).collect::<Vec<_>>()}),
                json!({"total": 50, "partitions": [row(50)]}),
            ],
            "longer than its total",
        ),
        (
            vec![json!({"total": 1, "partitions": [{"partition": 0}]})],
            "has no partition or offset",
        ),
        (
            vec![
                json!({"total": 1, "partitions": [{"partition": 0, "start_offset": 9, "last_offset": 1}]}),
            ],
            "before the start offset",
        ),
        (
            vec![
                json!({"total": 1, "partitions": [{"partition": -1, "start_offset": 0, "last_offset": 1}]}),
            ],
            "negative",
        ),
    ];
    for (pages, rule) in cases {
        let server = server(pages.into_iter().map(page).collect()).await;
        let client = builder(&server.uri()).build().unwrap();
        let error = client
            .list_partitions("instance", "orders")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
        assert_eq!(error.attempts(), 1, "one page was requested");
        assert!(error.to_string().contains(rule), "{error}");
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_sorted() {
    let page = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let pages = [
        json!({"total": 3, "partitions": [row(2), row(0)]}),
        json!({"total": 3, "partitions": [row(1)]}),
    ];
    let server = server(pages.map(page).to_vec()).await;
    let client = builder(&server.uri()).build().unwrap();
    let list = client.list_partitions("instance", "orders").await.unwrap();
    let partitions: Vec<_> = list
        .iter()
        .map(dms_kafka::PartitionInfo::partition)
        .collect();
    assert_eq!(partitions, [0, 1, 2]);
    let sent = requests(&server).await;
    assert!(sent[1].url.query().unwrap().contains("offset=2"));
}

#[tokio::test]
async fn an_endless_list_stops_at_the_deadline() {
    let one_more = |request: &Request| {
        let pairs = request.url.query_pairs();
        let mut offsets = pairs.filter(|(name, _)| name == "offset");
        let partition: i32 = offsets.next().unwrap().1.parse().unwrap();
        ResponseTemplate::new(200)
            .set_body_json(json!({"total": i32::MAX, "partitions": [row(partition)]}))
            .set_delay(Duration::from_millis(20))
    };
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(one_more)
        .mount(&server)
        .await;
    let client = builder(&server.uri())
        .with_call_timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let list = client.list_partitions("instance", "orders");
    let ended = timeout(Duration::from_secs(20), list).await;
    assert_eq!(ended.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn topics_are_listed_by_name() {
    let gateway = Gateway::memory().topic("orders", 1, 0);
    let gateway = (0..60).fold(gateway, |gateway, at| {
        gateway.topic(format!("bills-{at:02}"), 1, 0)
    });
    let gateway = gateway.start().await.unwrap();
    let topics = client_of(&gateway)
        .list_topics(gateway.instance_id())
        .await
        .unwrap();
    assert_eq!(topics.len(), 61);
    assert!(topics.is_sorted());
    assert_eq!(topics[60].as_str(), "orders");
}
