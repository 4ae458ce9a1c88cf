//! The read-only operations: topics, consumer groups, and the times of records.

use crate::support::{
    Response, credentials, delete, execute, list, request, send, serve, sign, start,
};
use dms_kafka_gateway::{CleanupPolicy, Gateway, GroupState, TopicSettings};
use reqwest::Method;
use serde_json::{Value, json};

/// A read-only operation of the instance, after `/v2/{project_id}/instances/{instance_id}/`.
async fn read(gateway: &Gateway, operation: &str) -> Response {
    let (project, instance) = (gateway.project_id(), gateway.instance_id());
    let path = format!("/v2/{project}/instances/{instance}/{operation}");
    let url = gateway.endpoint().to_owned() + &path;
    send(gateway, Method::GET, &url, "").await
}

async fn group_offsets(gateway: &Gateway, group: &str, query: &str) -> Response {
    let (project, instance) = (gateway.project_id(), gateway.instance_id());
    let path = format!("/v2/kafka/{project}/instances/{instance}/groups/{group}/message-offset");
    let url = gateway.endpoint().to_owned() + &path + query;
    send(gateway, Method::GET, &url, "").await
}

/// Partition, offset and time of each record.
fn messages(response: &Response) -> Value {
    let messages = response.body["messages"].as_array().expect("a list");
    let fields = ["partition", "message_offset", "timestamp"];
    let values = |message: &Value| fields.map(|field| message[field].clone()).into_iter();
    let message = |message: &Value| values(message).collect::<Value>();
    messages.iter().map(message).collect()
}

/// Records at 1000, 1010, ... 1090 and, after a gap, at 500 in partition 0; one at 1005 in partition 1.
async fn gateway() -> Gateway {
    let gateway = Gateway::memory()
        .topic("orders", 3, 0)
        .topic("audit", 1, 0)
        .group("billing", "orders", [(0, 7), (1, 5)])
        .group("audit-log", "audit", [])
        .group_state("billing", GroupState::Stable);
    let gateway = start(gateway).await;
    gateway.append_at("orders", 0, 10, (1000, 1090));
    gateway.skip_offsets("orders", 0, 5);
    gateway.append_at("orders", 0, 1, (500, 500));
    gateway.append_at("orders", 1, 1, (1005, 1005));
    gateway
}

#[tokio::test]
async fn topics_of_an_instance() {
    let gateway = gateway().await;
    let mut response = read(&gateway, "topics").await;
    let mut created = Vec::new();
    for topic in response.body["topics"].as_array_mut().expect("a list") {
        created.push(topic["created_at"].take().as_i64().expect("a time"));
    }
    assert_ne!(created[0], created[1], "no two are created at one time");
    let expected = json!({"total": 2, "size": 2, "topics": [
        {"name": "audit", "partition": 1, "replication": 1, "topic_type": 0, "created_at": null},
        {"name": "orders", "partition": 3, "replication": 1, "topic_type": 0, "created_at": null},
    ]});
    assert_eq!((response.status, response.body), (200, expected));
    let page = read(&gateway, "topics?offset=1&limit=1").await.body;
    assert_eq!(page["topics"][0]["name"], "orders");
    assert_eq!((&page["total"], &page["size"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn consumer_groups_of_an_instance() {
    let gateway = gateway().await;
    let billing = json!({"group_id": "billing", "state": "STABLE", "lag": 9});
    let audit = json!({"group_id": "audit-log", "state": "EMPTY", "lag": 0});
    for (query, total, expected) in [
        ("", 2, json!([audit, billing])),
        ("?group=ill", 1, json!([billing])),
        ("?group=Billing", 0, json!([])),
        ("?offset=1&limit=1", 2, json!([billing])),
        ("?offset=2", 2, json!([])),
    ] {
        let response = read(&gateway, &format!("groups{query}")).await;
        let expected = json!({"total": total, "groups": expected});
        assert_eq!((response.status, response.body), (200, expected), "{query}");
    }
}

#[tokio::test]
async fn committed_offsets_of_a_group() {
    let gateway = gateway().await;
    let row = |partition, current, end, lag| {
        json!({"topic": "orders", "partition": partition, "message_current_offset": current,
            "message_log_start_offset": 0, "message_log_end_offset": end, "lag": lag})
    };
    // A commit beyond the end is shown as it is.
    let (first, second) = (row(0, 7, 16, 9), row(1, 5, 1, 0));
    for (group, query, total, expected) in [
        ("billing", "orders", 2, json!([first, second])),
        ("billing", "orders&partition=1", 1, json!([second])),
        ("billing", "orders&limit=1&offset=1", 2, json!([second])),
        ("billing", "audit", 0, json!([])),
        ("audit-log", "audit", 0, json!([])),
    ] {
        let response = group_offsets(&gateway, group, &format!("?topic={query}")).await;
        let expected = json!({"total": total, "group_message_offsets": expected});
        assert_eq!(
            (response.status, response.body),
            (200, expected),
            "{group} {query}"
        );
    }
    let commit = gateway.commit("a b/é", "audit", 0, 0);
    commit.expect("a commit");
    let offsets = group_offsets(&gateway, "a%20b%2F%C3%A9", "?topic=audit").await;
    assert_eq!(offsets.body["total"], 1);
}

#[tokio::test]
async fn a_topic_that_is_created_again_has_no_commits() {
    let gateway = gateway().await;
    gateway.remove_topic("orders");
    let gone = group_offsets(&gateway, "billing", "?topic=orders").await;
    gone.assert_refused(400, "DMS.00400062");
    let topic = TopicSettings {
        name: "orders".to_owned(),
        partitions: 3,
        records: 10,
        cleanup_policy: CleanupPolicy::Delete,
    };
    assert!(!gateway.put_topic(&topic).expect("a topic"));
    let offsets = group_offsets(&gateway, "billing", "?topic=orders").await;
    assert_eq!(offsets.body["total"], 0);
    let replaced = gateway.put_topic(&topic);
    assert!(replaced.expect("a topic"));
}

#[tokio::test]
async fn the_offset_of_a_time() {
    let gateway = gateway().await;
    for (time, expected) in [
        ("0", json!([0, 0, 0])),
        ("1000", json!([0, 0, 0])),
        ("1001", json!([1, 0, 0])),
        ("1006", json!([1, 1, 0])),
        ("1090", json!([9, 1, 0])),
        ("1091", json!([16, 1, 0])),
        ("-9223372036854775808", json!([0, 0, 0])),
    ] {
        let response = list(&gateway, "orders", &format!("?timestamp={time}")).await;
        let partitions = response.body["partitions"].as_array().expect("a list");
        let offsets = partitions.iter().map(|row| row["timestamp_offset"].clone());
        assert_eq!(offsets.collect::<Value>(), expected, "{time}");
    }
    let body = r#"{"partitions":[{"partition":0,"offset":4}]}"#;
    delete(&gateway, "orders", body).await;
    let response = list(&gateway, "orders", "?timestamp=0").await;
    assert_eq!(response.body["partitions"][0]["timestamp_offset"], 4);
    let response = list(&gateway, "orders", "").await;
    let offset = response.body["partitions"][0].get("timestamp_offset");
    assert_eq!(offset, None, "only for a request with a time");
}

#[tokio::test]
async fn records_by_time_and_by_offset() {
    let gateway = gateway().await;
    let last = json!([[0, 15, 500], [1, 0, 1005]]);
    for (query, total, expected) in [
        ("partition=0&message_offset=7", 1, json!([[0, 7, 1070]])),
        ("partition=0&message_offset=10", 1, json!([[0, 15, 500]])),
        ("partition=0&message_offset=-1", 1, json!([[0, 0, 1000]])),
        ("partition=0&message_offset=16", 0, json!([])),
        ("partition=2&message_offset=0", 0, json!([])),
        ("start_time=1090&end_time=2000", 1, json!([[0, 9, 1090]])),
        (
            "end_time=1009",
            3,
            json!([[0, 0, 1000], [0, 15, 500], [1, 0, 1005]]),
        ),
        (
            "end_time=1009&asc=False",
            3,
            json!([[1, 0, 1005], [0, 15, 500], [0, 0, 1000]]),
        ),
        ("start_time=0&limit=5&offset=2", 12, last),
        ("start_time=0&limit=5&offset=3&asc=true", 12, json!([])),
        ("start_time=1091", 0, json!([])),
        ("start_time=5&end_time=4", 0, json!([])),
        // With times, partition and offset are ignored.
        (
            "start_time=1005&end_time=1005&partition=0&message_offset=3",
            1,
            json!([[1, 0, 1005]]),
        ),
    ] {
        let response = read(&gateway, &format!("messages?topic=orders&{query}")).await;
        assert_eq!(messages(&response), expected, "{query}");
        assert_eq!(response.body["total"], total, "{query}");
        let size = expected.as_array().map(Vec::len);
        assert_eq!(response.body["size"], json!(size), "{query}");
    }
}

#[tokio::test]
async fn oldest_and_newest_record() {
    let gateway = gateway().await;
    let body = r#"{"partitions":[{"partition":0,"offset":3}]}"#;
    delete(&gateway, "orders", body).await;
    let record = |offset, timestamp| json!({"topic": "orders", "partition": 0, "offset": offset, "timestamp": timestamp});
    let none = json!({"topic": "orders", "partition": 2});
    for (edge, expected) in [
        ("0/beginning", record(3, 1030)),
        ("0/end", record(15, 500)),
        ("2/beginning", none.clone()),
        ("2/end", none),
    ] {
        let path = format!("management/topics/orders/partitions/{edge}-message");
        let response = read(&gateway, &path).await;
        assert_eq!((response.status, response.body), (200, expected), "{path}");
    }
}

#[tokio::test]
async fn records_of_a_new_topic_are_spread_over_the_last_day() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1000)).await;
    let edge = async |which: &str| {
        let path = format!("management/topics/orders/partitions/0/{which}-message");
        let response = read(&gateway, &path).await;
        response.body["timestamp"].as_i64().expect("a time")
    };
    let (first, last) = (edge("beginning").await, edge("end").await);
    assert_eq!(last - first, 24 * 60 * 60 * 1000);
    let noon = i64::midpoint(first, last);
    let response = list(&gateway, "orders", &format!("?timestamp={noon}")).await;
    assert_eq!(response.body["partitions"][0]["timestamp_offset"], 500);
}

#[tokio::test]
async fn invalid_reads() {
    let gateway = gateway().await;
    for operation in [
        "topics?limit=0",
        "topics?limit=51",
        "topics?offset=-1",
        "groups?limit=ten",
        "groups?offset=10001",
        "messages?partition=0&message_offset=0",
        "messages?topic=&partition=0&message_offset=0",
        "messages?topic=unknown&partition=0&message_offset=0",
        "messages?topic=orders&topic=audit&partition=0&message_offset=0",
        "messages?topic=orders",
        "messages?topic=orders&partition=0",
        "messages?topic=orders&partition=3&message_offset=0",
        "messages?topic=orders&partition=-1&message_offset=0",
        "messages?topic=orders&partition=0&message_offset=x",
        "messages?topic=orders&start_time=1.5",
        "messages?topic=orders&start_time=0&asc=maybe",
        "messages?topic=orders&start_time=0&limit=51",
        "management/topics/orders/partitions/3/beginning-message",
        "management/topics/orders/partitions/-1/end-message",
        "management/topics/orders/partitions/x/end-message",
        "management/topics/unknown/partitions/0/end-message",
    ] {
        let response = read(&gateway, operation).await;
        response.assert_refused(400, "DMS.00400062");
    }
    for (group, query) in [
        ("billing", ""),
        ("billing", "?topic=unknown"),
        ("unknown", "?topic=orders"),
        ("billing", "?topic=orders&partition=x"),
        ("%FF", "?topic=orders"),
    ] {
        let response = group_offsets(&gateway, group, query).await;
        response.assert_refused(400, "DMS.00400062");
    }
    let response = list(&gateway, "orders", "?timestamp=now").await;
    response.assert_refused(400, "DMS.00400062");
}

#[tokio::test]
async fn reads_need_a_signature_and_a_grant() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = r#"
        listen = "127.0.0.1:0"
        [[instance]]
        id = "i"
        project_id = "p"
        [instance.memory]
        topics = [{ name = "orders", partitions = 1, records = 5 }, { name = "audit", partitions = 1 }]
        groups = [{ name = "billing", state = "DEAD", commits = [{ topic = "orders", partition = 0, offset = 3 }] }]
        [[access_key]]
        access_key = "LIST"
        secret_key = { env = "SECRET" }
        topics = ["or*"]
        operations = ["list"]
        [[access_key]]
        access_key = "GROUPS"
        secret_key = { env = "SECRET" }
        topics = ["or*"]
        operations = ["groups"]
    "#;
    let service = serve(config, folder.path()).await;
    let offsets = "/v2/kafka/p/instances/i/groups/billing/message-offset";
    let orders = "/v2/p/instances/i/management/topics/orders/partitions/0/end-message";
    for (path, by_list, by_groups) in [
        ("/v2/p/instances/i/topics", 200, 403),
        ("/v2/p/instances/i/groups", 403, 200),
        (&*format!("{offsets}?topic=orders"), 403, 200),
        (&format!("{offsets}?topic=audit"), 403, 403),
        (
            "/v2/p/instances/i/messages?topic=orders&start_time=0",
            200,
            403,
        ),
        (
            "/v2/p/instances/i/messages?topic=audit&start_time=0",
            403,
            403,
        ),
        (orders, 200, 403),
        (&orders.replace("orders", "audit"), 403, 403),
        ("/v2/p/instances/other/topics", 404, 403),
    ] {
        let url = service.endpoint().to_owned() + path;
        let unsigned = execute(request(Method::GET, &url, "")).await;
        unsigned.assert_refused(401, "APIGW.0301");
        for (key, expected) in [("LIST", by_list), ("GROUPS", by_groups)] {
            let request = request(Method::GET, &url, "");
            let response = execute(sign(request, &credentials(key, "secret"))).await;
            assert_eq!(response.status, expected, "{key} {path}: {response:?}");
            if path.ends_with("i/topics") && expected == 200 {
                assert_eq!(response.body["total"], 1, "others are not shown");
            }
        }
    }
}

#[tokio::test]
async fn a_group_that_breaks_a_rule_is_an_invalid_setting() {
    let group = |commits: &[(i32, i64)]| {
        let commits = commits.iter().copied();
        Gateway::memory()
            .topic("orders", 1, 1)
            .group("billing", "orders", commits)
    };
    let nowhere = Gateway::memory().group("billing", "orders", [(0, 1)]);
    for (gateway, rule) in [
        (nowhere, "no such topic"),
        (group(&[(1, 1)]), "no such topic"),
        (group(&[(-1, 1)]), "no such topic"),
        (group(&[(0, -1)]), "0 or greater"),
        (group(&[(0, 1), (0, 2)]), "two commits"),
        (group(&[]).group_state("", GroupState::Dead), "1 to 255"),
    ] {
        let error = gateway.start().await.map(drop).expect_err(rule);
        assert!(error.to_string().contains(rule), "{error}");
    }
}
