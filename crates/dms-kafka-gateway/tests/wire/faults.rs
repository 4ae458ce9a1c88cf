//! Faults on request.

use std::time::{Duration, Instant};

use crate::support::{
    Response, delete, execute, http, io_error, list, log_start, request, sign, start, url,
};
use dms_kafka_gateway::{ErrorKind, FaultRule, Faults, Gateway};
use reqwest::{Method, Request};
use serde_json::json;

const BODY: &str = r#"{"partitions":[{"partition":1,"offset":5},{"partition":0,"offset":4}]}"#;

async fn gateway(faults: &str) -> Gateway {
    let faults = Faults::from_toml(faults).expect("rules");
    let gateway = Gateway::memory().topic("orders", 2, 10);
    start(gateway.topic("other", 2, 10).faults(faults)).await
}

fn deletion(gateway: &Gateway) -> Request {
    let url = url(gateway, "orders", "messages/delete");
    request(Method::POST, &url, BODY)
}

fn log_starts(gateway: &Gateway) -> [i64; 2] {
    [0, 1].map(|partition| log_start(gateway, "orders", partition))
}

#[tokio::test]
async fn a_status_instead_of_a_limited_number_of_deletions() {
    let gateway = gateway(
        r#"rule = [{ operation = "delete", topic = "orders", skip = 1, times = 2, fault = { status = 429, retry_after_seconds = 7 } }]"#,
    )
    .await;
    let skipped = delete(&gateway, "orders", "{}").await;
    assert_eq!(skipped.status, 400);
    for _ in 0..2 {
        let response = delete(&gateway, "orders", BODY).await;
        response.assert_outcome_unknown(429, "APIGW.0308");
        assert_eq!(response.header("retry-after"), Some("7"));
        let another_topic = delete(&gateway, "other", BODY).await;
        assert_eq!(another_topic.status, 200);
        assert_eq!(list(&gateway, "orders", "").await.status, 200);
        assert_eq!(log_starts(&gateway), [0, 0]);
    }
    assert_eq!(delete(&gateway, "orders", BODY).await.status, 200);
    assert_eq!(log_starts(&gateway), [4, 5]);
}

#[tokio::test]
async fn a_status_after_the_deletion() {
    let gateway =
        gateway("rule = [{ times = 1, fault = { status = 503, after_deleting = true } }]").await;
    // A read, such as the preview of a deletion, does not use the rule up.
    assert_eq!(list(&gateway, "orders", "").await.status, 200);
    let response = delete(&gateway, "orders", BODY).await;
    response.assert_outcome_unknown(503, "DMS.111501025");
    assert_eq!(log_starts(&gateway), [4, 5]);
}

#[tokio::test]
async fn a_reset_before_and_after_the_deletion() {
    for (after_deleting, expected) in [(false, [0, 0]), (true, [4, 5])] {
        let rule =
            format!("rule = [{{ fault = {{ reset = true, after_deleting = {after_deleting} }} }}]");
        let gateway = gateway(&rule).await;
        let signed = sign(deletion(&gateway), &gateway.credentials());
        let error = http().execute(signed).await.expect_err("no response");
        let reset = Some(std::io::ErrorKind::ConnectionReset);
        assert_eq!(io_error(&error), reset, "{error:?}");
        assert_eq!(log_starts(&gateway), expected);
    }
}

#[tokio::test]
async fn a_delay() {
    let gateway =
        gateway(r#"rule = [{ operation = "list", times = 1, fault = { delay_seconds = 0.3 } }]"#)
            .await;
    let started = Instant::now();
    assert_eq!(delete(&gateway, "orders", BODY).await.status, 200);
    assert_eq!(list(&gateway, "orders", "").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn partitions_that_fail() {
    let gateway =
        gateway("rule = [{ fault = { fail = [{ partition = 1, error_code = 7 }], integer_error_codes = true } }]").await;
    let response = delete(&gateway, "orders", BODY).await;
    let expected = json!({"partitions": [
        {"partition": 1, "result": "fail", "error_code": 7},
        {"partition": 0, "result": "success", "error_code": 0},
    ]});
    assert_eq!((response.status, response.body), (200, expected));
    assert_eq!(log_starts(&gateway), [4, 0]);
}

async fn with_header(gateway: &Gateway, value: &str) -> Response {
    let mut request = deletion(gateway);
    let value = value.parse().expect("a header");
    request.headers_mut().insert("x-dms-kafka-fault", value);
    execute(sign(request, &gateway.credentials())).await
}

/// A client that gives up meanwhile does not know that the records are deleted.
#[tokio::test]
async fn a_delay_after_the_deletion() {
    let rules = "rule = [{ fault = { after_deleting = true, delay_seconds = 600 } }]";
    let gateway = gateway(rules).await;
    let mut response = std::pin::pin!(delete(&gateway, "orders", BODY));
    while log_starts(&gateway) != [4, 5] {
        tokio::select! {
            response = &mut response => panic!("{}", response.status),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
}

#[tokio::test]
async fn a_header_asks_for_a_fault_if_the_rules_accept_it() {
    let allowed = gateway("accept_header = true").await;
    let response = with_header(&allowed, "{ status = 503 }").await;
    response.assert_outcome_unknown(503, "DMS.111501025");
    for wrong in [
        "503",
        "{ status = 99 }",
        "{ status = 503, body = 1 }",
        "{ status = 503 ",
        "{ fail = 1 }",
        "{ after_deleting = true }",
    ] {
        let response = with_header(&allowed, wrong).await;
        response.assert_refused(400, "DMS.00400062");
    }
    assert_eq!(log_starts(&allowed), [0, 0]);
    let forbidden = gateway("").await;
    let response = with_header(&forbidden, "{ status = 503 }").await;
    assert_eq!(response.status, 200);
}

#[test]
fn invalid_rules() {
    for (rules, says) in [
        ("rule = [{ fault = { status = 199 } }]", "from 200 to 599"),
        ("rule = [{ fault = { status = 600 } }]", "from 200 to 599"),
        (
            "rule = [{ fault = { body = { content_type = 'a', text = '' } } }]",
            "body requires status",
        ),
        (
            "rule = [{ fault = { status = 503, body = { content_type = \"a\\n\", text = '' } } }]",
            "content_type must be",
        ),
        (
            "rule = [{ fault = { status = 503, body = ['a', 'b'] } }]",
            "object",
        ),
        ("rule = [{ fault = { delay = 1 } }]", "field `delay`"),
        ("\n\nrule = [{ operation = 'read', fault = {} }]", "line 3"),
        ("rule = [{ topic = 'orders' }]", "missing field `fault`"),
        ("rule = [{ fault = { delay_seconds = -1 } }]", "negative"),
        // Settings without an effect.
        (
            "rule = [{ fault = { retry_after_seconds = 1 } }]",
            "requires status",
        ),
        (
            "rule = [{ fault = { after_deleting = true, fail = [{ partition = 0, error_code = 1 }] } }]",
            "requires status, reset or delay_seconds",
        ),
        (
            "rule = [{ fault = { reset = true, status = 503 } }]",
            "exclude each other",
        ),
    ] {
        let error = Faults::from_toml(rules).expect_err(rules);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let error = error.to_string();
        assert!(error.contains(says), "{says:?} is not in {error}");
    }
}

#[tokio::test]
async fn any_status_and_any_body() {
    for (status, content_type, body) in [
        (200, "application/json", r#"{"partitions":["#),
        (200, "text/html; charset=utf-8", "<html>log in</html>"),
        (200, "application/json", ""),
        (302, "text/plain", "moved"),
        (401, "application/json", "[]"),
        (418, "application/json", "\u{7f} ☕"),
        (599, "", "x"),
    ] {
        let rule = FaultRule::status(status).with_body(content_type, body);
        let gateway = Gateway::memory().topic("orders", 2, 10);
        let gateway = start(gateway.faults(rule.on_deletions())).await;
        let signed = sign(deletion(&gateway), &gateway.credentials());
        let response = http().execute(signed).await.expect("a response");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], content_type);
        assert!(response.headers().contains_key("x-request-id"));
        assert!(!response.headers().contains_key("x-dms-kafka-outcome"));
        assert_eq!(response.text().await.expect("a body"), body);
        assert_eq!(list(&gateway, "orders", "").await.status, 200);
        assert_eq!(log_starts(&gateway), [0, 0]);
    }
}

#[tokio::test]
async fn rules_in_rust_apply_in_their_order() {
    let faults = Faults::default()
        .rule(
            FaultRule::status(429)
                .with_retry_after(7)
                .on_topic("orders")
                .skip(1)
                .times(1),
        )
        .rule(
            FaultRule::failing(1, 7)
                .with_failing(0, 6)
                .with_integer_error_codes()
                .times(2),
        )
        .rule(
            FaultRule::status(503)
                .after_deleting()
                .with_delay(Duration::from_millis(1)),
        );
    let gateway = Gateway::memory().topic("orders", 2, 10).faults(faults);
    let gateway = start(gateway).await;
    let failed = delete(&gateway, "orders", BODY).await;
    assert_eq!(
        failed.body["partitions"][1]["error_code"], 6,
        "{}",
        failed.body
    );
    let throttled = delete(&gateway, "orders", BODY).await;
    assert_eq!(
        (throttled.status, throttled.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(
        delete(&gateway, "orders", BODY).await.body["partitions"][0]["error_code"],
        7
    );
    assert_eq!(log_starts(&gateway), [0, 0]);
    assert_eq!(delete(&gateway, "orders", BODY).await.status, 503);
    assert_eq!(log_starts(&gateway), [4, 5]);
}

#[tokio::test]
async fn an_invalid_rule_in_rust_stops_the_start() {
    for (rule, says) in [
        (FaultRule::status(600), "from 200 to 599"),
        (FaultRule::status(0), "from 200 to 599"),
        (FaultRule::reset().with_retry_after(1), "requires status"),
        (
            FaultRule::reset().with_body("text/html", ""),
            "requires status",
        ),
        (
            FaultRule::status(500).with_body("text/\nhtml", ""),
            "content_type",
        ),
        (
            FaultRule::delay(Duration::ZERO).after_deleting(),
            "requires status, reset or delay_seconds",
        ),
    ] {
        let started = Gateway::memory()
            .topic("orders", 1, 1)
            .faults(rule)
            .start()
            .await;
        let error = started.map(|_| ()).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
}
