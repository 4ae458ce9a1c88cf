//! Listings of partitions, page by page.

use crate::support::{Response, delete, list, start};
use dms_kafka_gateway::Gateway;
use serde_json::{Value, json};

/// Partition numbers of a page, and the total.
fn page(response: &Response) -> (Vec<i64>, i64) {
    let number = |value: &Value| value.as_i64().expect("a number");
    let rows = response.body["partitions"].as_array().expect("a list");
    let partitions = rows.iter().map(|row| number(&row["partition"])).collect();
    (partitions, number(&response.body["total"]))
}

#[tokio::test]
async fn offsets_before_and_after_a_deletion() {
    let gateway = start(Gateway::memory().topic("orders", 2, 1000)).await;
    let body = r#"{"partitions":[{"partition":1,"offset":400}]}"#;
    delete(&gateway, "orders", body).await;
    let mut response = list(&gateway, "orders", "").await;
    for row in response.body["partitions"].as_array_mut().expect("a list") {
        let updated = row["last_update_time"].take().as_i64();
        assert!(updated > Some(1_700_000_000_000), "{updated:?}");
    }
    let expected = json!({"total": 2, "partitions": [
        {"partition": 0, "start_offset": 0, "last_offset": 1000, "message_count": 1000, "last_update_time": null},
        {"partition": 1, "start_offset": 400, "last_offset": 1000, "message_count": 600, "last_update_time": null},
    ]});
    assert_eq!((response.status, response.body), (200, expected));
}

#[tokio::test]
async fn pages() {
    let gateway = start(Gateway::memory().topic("wide", 60, 1)).await;
    for (query, expected) in [
        ("", 0..10),
        ("?limit=50", 0..50),
        ("?offset=10&limit=3", 10..13),
        ("?limit=3&offset=58", 58..60),
        ("?offset=60", 0..0),
        ("?offset=10000", 0..0),
        ("?start=1&limit=2", 0..2),
    ] {
        let response = list(&gateway, "wide", query).await;
        assert_eq!(page(&response), (expected.collect(), 60), "{query}");
    }
}

#[tokio::test]
async fn invalid_queries() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1)).await;
    for query in [
        "?limit=0",
        "?limit=51",
        "?limit=-1",
        "?limit=ten",
        "?limit=",
        "?limit=1.0",
        "?limit=1&limit=2",
        "?offset=-1",
        "?offset=10001",
        "?offset=99999999999999999999",
    ] {
        let response = list(&gateway, "orders", query).await;
        response.assert_refused(400, "DMS.00400062");
    }
    let unknown = list(&gateway, "other", "").await;
    unknown.assert_refused(400, "DMS.00400062");
}
