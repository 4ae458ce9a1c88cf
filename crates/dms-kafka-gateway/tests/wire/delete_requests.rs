//! Deletions on the wire: paths, methods, bodies and responses.

use crate::support::{cases, delete, log_start, send, start, url};
use dms_kafka_gateway::Gateway;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

const FOUR_HUNDRED: &str = r#"{"partitions":[{"partition":0,"offset":400}]}"#;

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 3, 1000)).await
}

#[track_caller]
fn assert_untouched(gateway: &Gateway, what: &str) {
    for partition in 0..3 {
        let left = gateway.partition("orders", partition).expect("a partition");
        let left = (left.log_start_offset, left.high_watermark);
        assert_eq!(left, (0, 1000), "{what}: partition {partition}");
    }
}

#[tokio::test]
async fn invalid_bodies_are_refused_and_nothing_is_deleted() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        body: String,
        code: String,
        says: Vec<String>,
    }
    let gateway = gateway().await;
    for case in cases::<Case>("refused_bodies.toml") {
        let response = delete(&gateway, "orders", case.body.as_bytes()).await;
        response.assert_refused(400, &case.code);
        for word in &case.says {
            let name = &case.name;
            let said = response.error_msg().contains(word);
            assert!(said, "{name}: {word:?} is not in {response:?}");
        }
        assert_untouched(&gateway, &case.name);
    }
}

#[tokio::test]
async fn a_refusal_quotes_only_the_beginning_of_a_body() {
    let gateway = gateway().await;
    let body = format!(r#"{{"{}":1}}"#, "x".repeat(100_000));
    let response = delete(&gateway, "orders", body).await;
    response.assert_refused(400, "DMS.00400005");
    let length = response.error_msg().len();
    assert!(length < 1000, "{length} bytes");
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let gateway = gateway().await;
    let body = format!(r#"{{"partitions":{}"#, "[".repeat(1_000_000));
    let response = delete(&gateway, "orders", body).await;
    response.assert_refused(400, "DMS.00400005");
}

#[tokio::test]
async fn a_response_is_json_with_a_request_id() {
    let gateway = gateway().await;
    let first = delete(&gateway, "orders", FOUR_HUNDRED).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), Some("application/json"));
    let second = delete(&gateway, "orders", FOUR_HUNDRED).await;
    let ids = [first.header("x-request-id"), second.header("x-request-id")];
    assert!(ids.iter().all(Option::is_some), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn error_codes_are_integers_if_configured() {
    let gateway = Gateway::memory().topic("orders", 1, 10);
    let gateway = start(gateway.integer_error_codes(true)).await;
    let body = r#"{"partitions":[{"partition":0,"offset":4},{"partition":7,"offset":4}]}"#;
    let response = delete(&gateway, "orders", body).await;
    let expected = json!({"partitions": [
        {"partition": 0, "result": "success", "error_code": 0},
        {"partition": 7, "result": "fail", "error_code": 3},
    ]});
    assert_eq!((response.status, response.body), (200, expected));
}

#[tokio::test]
async fn the_older_path_deletes_too() {
    let gateway = gateway().await;
    let url = url(&gateway, "orders", "messages");
    let response = send(&gateway, Method::DELETE, &url, FOUR_HUNDRED).await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(log_start(&gateway, "orders", 0), 400);
}

#[tokio::test]
async fn a_hundred_thousand_partitions_in_one_request() {
    let gateway = start(Gateway::memory().topic("wide", 100_000, 10)).await;
    let rows: Vec<_> = (0..100_000)
        .map(|p| json!({"partition": p, "offset": p % 11}))
        .collect();
    let response = delete(&gateway, "wide", json!({"partitions": rows}).to_string()).await;
    assert_eq!(response.status, 200);
    let answered = response.body["partitions"].as_array();
    assert_eq!(answered.map(Vec::len), Some(100_000));
    for partition in [0, 1, 54_321, 99_999] {
        let left = log_start(&gateway, "wide", partition);
        assert_eq!(left, i64::from(partition % 11), "partition {partition}");
    }
}

#[tokio::test]
async fn invalid_topic_names_are_unknown_topics() {
    let gateway = gateway().await;
    let long = "x".repeat(250);
    for topic in [
        "",
        "other",
        "a%2Fb",
        "orders%00",
        "orders%0A",
        "orders%20",
        "Orders",
        &long,
    ] {
        let response = delete(&gateway, topic, FOUR_HUNDRED).await;
        response.assert_refused(400, "DMS.00400062");
        assert_untouched(&gateway, topic);
    }
}

#[tokio::test]
async fn an_escaped_topic_is_the_topic() {
    let gateway = gateway().await;
    let response = delete(&gateway, "%6Frders", FOUR_HUNDRED).await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(log_start(&gateway, "orders", 0), 400);
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist() {
    let gateway = gateway().await;
    let at = |path: &str| format!("{}{path}", gateway.endpoint());
    let delete_path = url(&gateway, "orders", "messages/delete");
    let unknown = [
        at("/"),
        at("/v2"),
        at("/index.html"),
        format!("{delete_path}/"),
        format!("{delete_path}d"),
        url(&gateway, "a/b", "messages/delete"),
        delete_path.replace("/v2/", "/v1/"),
    ];
    for path in &unknown {
        let response = send(&gateway, Method::POST, path, FOUR_HUNDRED).await;
        response.assert_refused(404, "APIGW.0101");
    }
    for (method, operation, allowed) in [
        (Method::GET, "messages/delete", "POST"),
        (Method::PUT, "messages/delete", "POST"),
        (Method::DELETE, "messages/delete", "POST"),
        (Method::PATCH, "messages", "DELETE"),
        (Method::POST, "partitions", "GET,HEAD"),
    ] {
        let url = url(&gateway, "orders", operation);
        let response = send(&gateway, method, &url, FOUR_HUNDRED).await;
        response.assert_refused(405, "DMS.00405001");
        assert_eq!(response.header("allow"), Some(allowed), "{operation}");
    }
    assert_untouched(&gateway, "unknown paths and methods");
}
