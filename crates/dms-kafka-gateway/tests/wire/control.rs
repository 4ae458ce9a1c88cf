//! The control API: tests in any language change topics and faults with it.

use std::{path::Path, time::Duration};

use dms_kafka_gateway::Gateway;
use reqwest::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::support::{
    cases, connect, delete, execute, list, log_start, read_to_end, request, serve, start,
};

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 2, 1000).control()).await
}

fn control(gateway: &Gateway, method: &Method, path: &str, body: &str) -> Request {
    let endpoint = gateway.control_endpoint().expect("a control API");
    request(method.clone(), &format!("{endpoint}/control{path}"), body)
}

/// Sends a request to the control API, which must succeed with this status.
#[track_caller]
fn call<'a>(
    gateway: &Gateway,
    method: &Method,
    path: &'a str,
    body: &str,
    status: u16,
) -> impl Future<Output = Value> + use<'a> {
    let request = control(gateway, method, path, body);
    async move {
        let response = execute(request).await;
        assert_eq!(response.status, status, "{path}: {response:?}");
        response.body
    }
}

/// Every topic with its start and end offsets.
async fn topics(gateway: &Gateway) -> Value {
    let state = call(gateway, &Method::GET, "/state", "", 200).await;
    let topics = state["instances"][0]["topics"].as_array().cloned();
    let offsets = |topic: Value| {
        let partitions = topic["partitions"].as_array().cloned().unwrap_or_default();
        let offsets = partitions
            .into_iter()
            .map(|partition| json!([partition["start_offset"], partition["end_offset"]]));
        json!([topic["name"], offsets.collect::<Vec<_>>()])
    };
    topics
        .unwrap_or_default()
        .into_iter()
        .map(offsets)
        .collect()
}

#[tokio::test]
async fn topics_and_records_are_created_and_reset() {
    let gateway = gateway().await;
    let body = r#"{"partitions":[{"partition":0,"offset":400}]}"#;
    assert_eq!(delete(&gateway, "orders", body).await.status, 200);
    let (put, post) = (Method::PUT, Method::POST);
    let created = call(&gateway, &put, "/topics/audit", r#"{"partitions":1}"#, 201).await;
    let expected = json!({
        "name": "audit", "cleanup_policy": "delete",
        "partitions": [{"partition": 0, "start_offset": 0, "end_offset": 0}],
    });
    assert_eq!(created, expected);
    let records = "/topics/audit/partitions/0/records";
    let appended = call(&gateway, &post, records, r#"{"records":7}"#, 200).await;
    assert_eq!(
        appended,
        json!({"partition": 0, "start_offset": 0, "end_offset": 7})
    );
    let expected = json!([["audit", [[0, 7]]], ["orders", [[400, 1000], [0, 1000]]]]);
    assert_eq!(topics(&gateway).await, expected);

    let compacted = r#"{"partitions":1,"records":5,"cleanup_policy":"compact"}"#;
    call(&gateway, &put, "/topics/audit", compacted, 200).await;
    let body = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
    let refused = delete(&gateway, "audit", body).await;
    assert_eq!(refused.body["partitions"][0]["error_code"], "44");

    call(&gateway, &Method::DELETE, "/topics/orders", "", 204).await;
    assert_eq!(topics(&gateway).await, json!([["audit", [[0, 5]]]]));
    call(&gateway, &post, "/reset", "{}", 204).await;
    let expected = json!([["orders", [[0, 1000], [0, 1000]]]]);
    assert_eq!(topics(&gateway).await, expected);
    // The gateway itself agrees.
    assert_eq!(list(&gateway, "orders", "").await.body["total"], 2);
    assert_eq!(log_start(&gateway, "orders", 0), 0);
}

#[tokio::test]
async fn faults_are_added_cleared_and_reset() {
    let faults = r#"rule = [{ operation = "list", times = 1, fault = { status = 502 } }]"#;
    let faults = dms_kafka_gateway::Faults::from_toml(faults).expect("rules");
    let gateway = Gateway::memory().topic("orders", 1, 10).faults(faults);
    let gateway = start(gateway.control()).await;
    let status = async || list(&gateway, "orders", "").await.status;
    assert_eq!((status().await, status().await), (502, 200));
    let rule = r#"{"operation":"list","topic":"orders","skip":1,"times":1,"fault":{"status":429,"retry_after_seconds":3}}"#;
    let added = call(&gateway, &Method::POST, "/faults", rule, 201).await;
    assert_eq!(added, json!({"fault_rules": 2}));
    assert_eq!(status().await, 200);
    let throttled = list(&gateway, "orders", "").await;
    assert_eq!(
        (throttled.status, throttled.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(status().await, 200);

    let always = r#"{"fault":{"fail":[{"partition":0,"error_code":7}]}}"#;
    call(&gateway, &Method::POST, "/faults", always, 201).await;
    let body = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
    let failed = delete(&gateway, "orders", body).await;
    assert_eq!(failed.body["partitions"][0]["error_code"], "7");
    call(&gateway, &Method::DELETE, "/faults", "", 204).await;
    let state = call(&gateway, &Method::GET, "/state", "", 200).await;
    assert_eq!(state["fault_rules"], 0);
    assert_eq!(
        delete(&gateway, "orders", body).await.body["partitions"][0]["error_code"],
        "0"
    );

    // The rule of the start applies again, once.
    call(&gateway, &Method::POST, "/reset", "", 204).await;
    assert_eq!((status().await, status().await), (502, 200));
}

#[tokio::test]
async fn the_instance_is_the_first_one_or_a_parameter() {
    let service = serve(
        r#"
        listen = "127.0.0.1:0"
        control_listen = "[::1]:0"
        anonymous = true
        instance = [{ id = "one", project_id = "p", memory = {} }, { id = "two", project_id = "q", memory = {} }]
        "#,
        Path::new(""),
    )
    .await;
    let endpoint = service
        .control_endpoint()
        .expect("a control API")
        .to_owned();
    assert!(endpoint.starts_with("http://[::1]:"), "{endpoint}");
    let line = serde_json::to_value(service.ready_line()).expect("JSON");
    assert_eq!(line["control_endpoint"], *endpoint);
    for (topic, status) in [
        ("a", 201),
        ("b?instance=two", 201),
        ("c?instance=three", 404),
    ] {
        let url = format!("{endpoint}/control/topics/{topic}");
        let response = execute(request(Method::PUT, &url, r#"{"partitions":1}"#)).await;
        assert_eq!(response.status, status, "{response:?}");
    }
    let url = format!("{endpoint}/control/state");
    let state = execute(request(Method::GET, &url, "")).await.body;
    let name = |instance: usize| state["instances"][instance]["topics"][0]["name"].clone();
    assert_eq!((name(0), name(1)), (json!("a"), json!("b")), "{state}");
    assert_eq!(state["instances"][1]["project_id"], "q");
}

#[tokio::test]
async fn the_control_api_is_off_by_default_and_apart_from_the_api() {
    let off = start(Gateway::memory().topic("orders", 1, 1)).await;
    assert_eq!(off.control_endpoint(), None);
    let line = serde_json::to_value(off.ready_line()).expect("JSON");
    assert!(line.get("control_endpoint").is_none(), "{line}");
    let gateway = gateway().await;
    let url = format!("{}/control/state", gateway.endpoint());
    let response = execute(request(Method::GET, &url, "")).await;
    response.assert_refused(404, "APIGW.0101");
    let endpoint = gateway.control_endpoint().expect("a control API");
    for path in [
        "/readyz",
        "/metrics",
        "/v2/p/kafka/instances/i/topics/t/partitions",
    ] {
        let response = execute(request(Method::GET, &format!("{endpoint}{path}"), "")).await;
        response.assert_refused(404, "APIGW.0101");
    }
}

/// A page in a browser on the same machine reaches loopback addresses: with a simple request, or under a host name that
/// resolves to 127.0.0.1.
#[tokio::test]
async fn web_pages_cannot_use_the_control_api() {
    let gateway = gateway().await;
    let before = topics(&gateway).await;
    let records = "/topics/orders/partitions/0/records";
    let requests = [
        (Method::GET, "/state", ""),
        (Method::POST, "/reset", "{}"),
        (Method::PUT, "/topics/evil", r#"{"partitions":1}"#),
        (Method::DELETE, "/topics/orders", ""),
        (Method::POST, records, r#"{"records":1}"#),
        (Method::POST, "/faults", r#"{"fault":{"status":503}}"#),
        (Method::DELETE, "/faults", ""),
        (Method::OPTIONS, "/topics/orders", ""),
    ];
    for (method, path, body) in &requests {
        for (name, value) in [
            ("host", "evil.example"),
            ("host", "127.0.0.1.evil.example"),
            ("host", "192.0.2.1"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let mut request = control(&gateway, method, path, body);
            let value = value.parse().expect("a header");
            request.headers_mut().insert(name, value);
            let response = execute(request).await;
            assert_eq!(response.status, 403, "{method} {path} {name}: {response:?}");
            assert!(response.header("access-control-allow-origin").is_none());
        }
        if *method != Method::POST && *method != Method::PUT {
            continue;
        }
        for content_type in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "text/plain;application/json",
        ] {
            let mut request = control(&gateway, method, path, body);
            let value = content_type.parse().expect("a header");
            request.headers_mut().insert("content-type", value);
            execute(request).await.assert_refused(415, "APIGW.0201");
        }
    }
    assert_eq!(topics(&gateway).await, before);
    for host in ["localhost:80", "LOCALHOST", "127.0.0.2", "[::1]:80"] {
        let mut request = control(&gateway, &Method::GET, "/state", "");
        let value = host.parse().expect("a header");
        request.headers_mut().insert("host", value);
        assert_eq!(execute(request).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn invalid_requests_change_nothing_and_say_why() {
    #[derive(Debug, Deserialize)]
    struct Case {
        method: String,
        path: String,
        body: String,
        status: u16,
        says: String,
    }
    let gateway = gateway().await;
    let before = topics(&gateway).await;
    let mut cases = cases::<Case>("refused_control.toml");
    cases.push(Case {
        method: "POST".to_owned(),
        path: "/reset".to_owned(),
        body: " ".repeat(70_000),
        status: 413,
        says: "65536".to_owned(),
    });
    for case in cases {
        let method = case.method.parse().expect("a method");
        let response = execute(control(&gateway, &method, &case.path, &case.body)).await;
        assert_eq!(response.status, case.status, "{case:?}: {response:?}");
        // Errors have the form of the API.
        response.assert_refused(case.status, response.error_code());
        assert!(
            response.error_msg().contains(&case.says),
            "{case:?}: {response:?}"
        );
    }
    assert_eq!(topics(&gateway).await, before);
    let state = call(&gateway, &Method::GET, "/state", "", 200).await;
    assert_eq!(state["fault_rules"], 0);
}

#[tokio::test]
async fn the_control_api_has_the_limits_of_the_other_listeners() {
    let gateway = gateway().await;
    let address = gateway.control_endpoint().expect("a control API");
    let address = address.trim_start_matches("http://").parse();
    let address = address.expect("an address");
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connect(address).await);
    }
    call(&gateway, &Method::GET, "/state", "", 200).await;
    // The first one was closed for a later one.
    let mut byte = [0];
    let read = timeout(Duration::from_secs(20), idle[0].read(&mut byte)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");

    let before = topics(&gateway).await;
    let mut stream = connect(address).await;
    let path = "/control/topics/orders/partitions/0/records";
    let text = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nd\r\n{{\"records\":1}}\r\n0\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).await.expect("a write");
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert_eq!(topics(&gateway).await, before);
}

#[tokio::test]
async fn a_slow_request_to_the_control_api_ends() {
    let config = r#"
        listen = "127.0.0.1:0"
        control_listen = "127.0.0.1:0"
        anonymous = true
        limits.body_seconds = 0.1
        instance = [{ id = "i", project_id = "p", memory = {} }]
    "#;
    let service = serve(config, Path::new("")).await;
    let address = service.control_endpoint().expect("a control API");
    let address = address.trim_start_matches("http://").parse();
    let mut stream = connect(address.expect("an address")).await;
    let head = "POST /control/reset HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("a write");
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
}

#[tokio::test]
async fn consumer_groups_and_times_of_records_are_changed_and_reset() {
    let gateway = gateway().await;
    let (put, post, get) = (Method::PUT, Method::POST, Method::GET);
    let commit = |offset: i64| json!({"topic": "orders", "partition": 0, "offset": offset});
    let group = json!({"state": "STABLE", "commits": [commit(7)]}).to_string();
    let expected = json!({"name": "billing", "state": "STABLE", "commits": [commit(7)]});
    for status in [201, 200] {
        let created = call(&gateway, &put, "/groups/billing", &group, status).await;
        assert_eq!(created, expected);
    }
    let path = "/groups/a%2Fb/commits";
    call(&gateway, &post, path, &commit(1).to_string(), 204).await;
    call(&gateway, &post, path, &commit(9).to_string(), 204).await;
    let state = call(&gateway, &get, "/state", "", 200).await;
    let other = json!({"name": "a/b", "state": "EMPTY", "commits": [commit(9)]});
    assert_eq!(state["instances"][0]["groups"], json!([other, expected]));
    call(&gateway, &Method::DELETE, "/groups/billing", "", 204).await;

    let records = "/topics/orders/partitions/1/records";
    let body = r#"{"records":3,"first_time":1000,"last_time":1020,"skip_offsets":7}"#;
    let appended = call(&gateway, &post, records, body, 200).await;
    let expected = json!({"partition": 1, "start_offset": 0, "end_offset": 1010});
    assert_eq!(appended, expected);
    let query = "?timestamp=9000000000000";
    let response = list(&gateway, "orders", query).await;
    assert_eq!(response.body["partitions"][1]["timestamp_offset"], 1010);

    call(&gateway, &post, "/reset", "", 204).await;
    let state = call(&gateway, &get, "/state", "", 200).await;
    assert_eq!(state["instances"][0]["groups"], json!([]));
}
