//! What keys and tokens are granted, and what no key may delete.

use std::path::Path;

use crate::support::{
    Response, credentials, execute, log_start, request, serve, sign, start, url_at,
};
use dms_kafka_gateway::{Gateway, Service};
use huaweicloud_auth::Credentials;
use reqwest::Method;
use serde_json::json;

const LIST: &[(i32, i64)] = &[];

/// Sends a deletion of these rows, or a listing without rows.
async fn send(
    service: &Service,
    instance: &str,
    topic: &str,
    rows: &[(i32, i64)],
    credentials: &Credentials,
) -> Response {
    let at = |operation| url_at(service.endpoint(), ["p", instance, topic], operation);
    let unsigned = match rows {
        [] => request(Method::GET, &at("partitions"), ""),
        rows => {
            let rows: Vec<_> = rows
                .iter()
                .map(|(partition, offset)| json!({"partition": partition, "offset": offset}))
                .collect();
            let body = json!({"partitions": rows}).to_string();
            request(Method::POST, &at("messages/delete"), body)
        }
    };
    execute(sign(unsigned, credentials)).await
}

async fn start_of(service: &Service, instance: &str, topic: &str) -> i64 {
    let listed = send(service, instance, topic, LIST, &credentials("ALL", "sk")).await;
    let start = listed.body["partitions"][0]["start_offset"].as_i64();
    start.unwrap_or_else(|| panic!("no start offset: {listed:?}"))
}

#[tokio::test]
async fn keys_and_tokens_are_limited_to_topics_and_operations() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        limits.replay_entries = 0
        access_key = [
            { access_key = "ALL", secret_key = { env = "SK" } },
            { access_key = "ORDERS", secret_key = { env = "SK" }, topics = ["orders-*", "customers"] },
            { access_key = "LIST", secret_key = { env = "SK" }, operations = ["list"] },
            { access_key = "DELETE", secret_key = { env = "SK" }, operations = ["delete"] },
            { access_key = "EVERYTHING", secret_key = { env = "SK" }, operations = ["everything"] },
            { access_key = "TRIM", secret_key = { env = "SK" }, topics = ["orders-*"], operations = ["list", "delete"] },
            { access_key = "NONE", secret_key = { env = "SK" }, topics = [] },
        ]
        token = [{ name = "reader", token = { env = "TOKEN" }, topics = ["orders-*"], operations = ["list"] }]
        instance = [{ id = "i", project_id = "p", memory.topics = [
            { name = "orders-eu", partitions = 2, records = 10 },
            { name = "orders", partitions = 2, records = 10 },
            { name = "customers", partitions = 2, records = 10 },
        ] }]
    "#;
    const BEFORE: &[(i32, i64)] = &[(0, 1)];
    const EVERYTHING: &[(i32, i64)] = &[(0, -1)];
    const BOTH: &[(i32, i64)] = &[(0, 1), (1, -1)];
    let service = serve(CONFIG, Path::new("")).await;
    let missing = |operation: &'static str| Some(operation);
    let topic = Some("project, instance or topic");
    for (who, on, rows, refused) in [
        ("ALL", "orders", BOTH, None),
        ("ORDERS", "orders-eu", BOTH, None),
        ("ORDERS", "customers", BOTH, None),
        ("ORDERS", "orders-eu", LIST, None),
        ("ORDERS", "orders", LIST, topic),
        ("ORDERS", "orders", BEFORE, topic),
        ("ORDERS", "orders", EVERYTHING, topic),
        // Whether a topic exists, or has a valid name, is not shown.
        ("ORDERS", "no-such-topic", LIST, topic),
        ("ORDERS", "no-such-topic", BEFORE, topic),
        ("ORDERS", "%2A", LIST, topic),
        ("ORDERS", "orders%20eu", BEFORE, topic),
        ("LIST", "orders", LIST, None),
        ("LIST", "orders", BEFORE, missing("operation delete")),
        ("LIST", "orders", EVERYTHING, missing("operation delete")),
        ("LIST", "no-such-topic", BEFORE, missing("operation delete")),
        ("DELETE", "orders", BEFORE, None),
        ("DELETE", "orders", LIST, missing("operation list")),
        (
            "DELETE",
            "orders",
            EVERYTHING,
            missing("operation everything"),
        ),
        ("DELETE", "orders", BOTH, missing("operation everything")),
        (
            "DELETE",
            "no-such-topic",
            EVERYTHING,
            missing("operation everything"),
        ),
        ("EVERYTHING", "orders", EVERYTHING, None),
        ("EVERYTHING", "orders", BEFORE, missing("operation delete")),
        ("EVERYTHING", "orders", BOTH, missing("operation delete")),
        ("TRIM", "orders-eu", LIST, None),
        ("TRIM", "orders-eu", BEFORE, None),
        (
            "TRIM",
            "orders-eu",
            EVERYTHING,
            missing("operation everything"),
        ),
        ("TRIM", "customers", LIST, topic),
        ("NONE", "orders", LIST, topic),
        ("reader", "orders-eu", LIST, None),
        ("reader", "orders-eu", BEFORE, missing("operation delete")),
        ("reader", "orders", LIST, topic),
    ] {
        let credentials = match who {
            "reader" => Credentials::token("token").expect("a token"),
            access_key => credentials(access_key, "sk"),
        };
        let response = send(&service, "i", on, rows, &credentials).await;
        match refused {
            None => assert_eq!(response.status, 200, "{who} {on} {rows:?}: {response:?}"),
            Some(says) => {
                response.assert_refused(403, "DMS.00403003");
                let said = response.error_msg().contains(says);
                assert!(said, "{who} {on} {rows:?}: {says:?} is not in {response:?}");
            }
        }
    }
}

/// Each row: topic, rows of the request, and the hold that refuses it. Every partition has 100 records from offset 0 on.
#[tokio::test]
async fn no_key_deletes_what_is_held() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        limits.replay_entries = 0
        holds = { protected = ["audit-*"], keep_at_least = 10 }
        access_key = [{ access_key = "ALL", secret_key = { env = "SK" } }]
        [[instance]]
        id = "i"
        project_id = "p"
        holds = { protected = ["ledger"], keep_at_least = 5, max_records_per_request = 95 }
        memory.topics = [
            { name = "orders", partitions = 3, records = 100 },
            { name = "empty", partitions = 1 },
            { name = "audit-eu", partitions = 1, records = 100 },
            { name = "ledger", partitions = 1, records = 100 },
        ]
        [[instance]]
        id = "other"
        project_id = "p"
        memory.topics = [
            { name = "ledger", partitions = 1, records = 100 },
            { name = "audit", partitions = 1, records = 100 },
        ]
    "#;
    let key = credentials("ALL", "sk");
    let (protected, keep, most) = (
        Some("holds.protected"),
        Some("holds.keep_at_least"),
        Some("holds.max_records_per_request"),
    );
    for (instance, topic, rows, refused) in [
        ("i", "audit-eu", &[(0, 1)][..], protected),
        ("i", "audit-eu", &[(0, -1)], protected),
        ("i", "audit-none", &[(0, 1)], protected),
        ("i", "ledger", &[(0, 1)], protected),
        ("other", "audit-eu", &[(0, 1)], protected),
        ("other", "ledger", &[(0, 90)], None),
        ("other", "audit", &[(0, 90)], None),
        ("other", "audit", &[(0, 91)], keep),
        // The stricter of two holds applies.
        ("i", "orders", &[(0, 90)], None),
        ("i", "orders", &[(0, 91)], keep),
        ("i", "orders", &[(0, 100)], keep),
        ("i", "orders", &[(0, 101)], keep),
        ("i", "orders", &[(0, i64::MAX)], keep),
        ("i", "orders", &[(0, -1)], keep),
        ("i", "orders", &[(1, 1), (0, -1)], keep),
        ("i", "orders", &[(0, 50), (1, 45)], None),
        ("i", "orders", &[(0, 50), (1, 46)], most),
        ("i", "orders", &[(0, 90), (1, 90), (2, 90)], most),
        // What deletes nothing is not held, and a partition that does not exist has its own code.
        ("i", "orders", &[(0, 0)], None),
        ("i", "orders", &[(7, -1)], None),
        ("i", "empty", &[(0, -1)], None),
    ] {
        let service = serve(CONFIG, Path::new("")).await;
        let response = send(&service, instance, topic, rows, &key).await;
        let Some(says) = refused else {
            assert_eq!(
                response.status, 200,
                "{instance} {topic} {rows:?}: {response:?}"
            );
            continue;
        };
        response.assert_refused(403, "DMS.00403900");
        let said = response.error_msg().contains(says);
        assert!(
            said,
            "{instance} {topic} {rows:?}: {says:?} is not in {response:?}"
        );
        if topic != "audit-none" && instance == "i" {
            assert_eq!(
                start_of(&service, instance, topic).await,
                0,
                "{topic} {rows:?}"
            );
        }
    }
    let service = serve(CONFIG, Path::new("")).await;
    let unknown = send(&service, "i", "no-such-topic", &[(0, 1)], &key).await;
    unknown.assert_refused(400, "DMS.00400062");
}

/// Deletions in parts do not add up to more than is held.
#[tokio::test]
async fn records_to_keep_are_kept_under_concurrency() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        limits.replay_entries = 0
        holds = { keep_at_least = 10 }
        access_key = [{ access_key = "ALL", secret_key = { env = "SK" } }]
        instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "orders", partitions = 1, records = 100 }] }]
    "#;
    let service = serve(CONFIG, Path::new("")).await;
    let key = credentials("ALL", "sk");
    let offsets: Vec<i64> = (1..=100).rev().chain([-1]).collect();
    let deletions = offsets.into_iter().map(async |offset| {
        let response = send(&service, "i", "orders", &[(0, offset)], &key).await;
        let expected = if (1..=90).contains(&offset) { 200 } else { 403 };
        assert_eq!(response.status, expected, "{offset}: {response:?}");
    });
    futures_util::future::join_all(deletions).await;
    assert_eq!(start_of(&service, "i", "orders").await, 90);
}

#[tokio::test]
async fn a_temporary_key_needs_its_own_signed_security_token() {
    let gateway = Gateway::memory().topic("orders", 1, 1000);
    let gateway = start(gateway.access_key("AK", "SK").security_token("its-token")).await;
    let send = |token: &str, more: Option<&'static str>, hides: bool| {
        let credentials = match token {
            "" => credentials("AK", "SK"),
            token => credentials("AK", "SK")
                .with_security_token(token)
                .expect("a token"),
        };
        let ids = [gateway.project_id(), gateway.instance_id(), "orders"];
        let url = url_at(gateway.endpoint(), ids, "messages/delete");
        let body = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
        let mut signed = sign(request(Method::POST, &url, body), &credentials);
        let headers = signed.headers_mut();
        if let Some(more) = more {
            headers.append("x-security-token", more.parse().expect("a header"));
        }
        if hides {
            headers.remove("x-security-token");
        }
        execute(signed)
    };
    for (token, more, hides) in [
        ("", None, false),
        ("another-token", None, false),
        ("its-toke", None, false),
        ("its-token1", None, false),
        // Added after signing.
        ("", Some("its-token"), false),
        ("its-token", Some("its-token"), false),
        ("another-token", Some("its-token"), false),
        ("its-token", None, true),
    ] {
        let response = send(token, more, hides).await;
        response.assert_refused(401, "APIGW.0301");
        assert_eq!(log_start(&gateway, "orders", 0), 0, "{token:?} {more:?}");
        assert!(
            !format!("{response:?}").contains("its-token"),
            "{response:?}"
        );
    }
    assert_eq!(send("its-token", None, false).await.status, 200);
    let own = gateway.credentials();
    assert_eq!(own.security_token(), Some("its-token"));
    assert!(!format!("{gateway:?}").contains("its-token"));
}

#[tokio::test]
async fn a_permanent_key_has_no_security_token() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1000)).await;
    let ids = [gateway.project_id(), gateway.instance_id(), "orders"];
    let url = url_at(gateway.endpoint(), ids, "messages/delete");
    let body = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
    let with_token = gateway
        .credentials()
        .with_security_token("any")
        .expect("a token");
    let signed = sign(request(Method::POST, &url, body), &with_token);
    let mut unsigned = sign(request(Method::POST, &url, body), &gateway.credentials());
    let any = "any".parse().expect("a header");
    unsigned.headers_mut().insert("x-security-token", any);
    for request in [signed, unsigned] {
        execute(request).await.assert_refused(401, "APIGW.0301");
        assert_eq!(log_start(&gateway, "orders", 0), 0);
    }
}
