//! A captured request that deletes everything is executed once.

use std::time::{Duration, SystemTime};

use crate::support::{
    credentials, deletion, execute, http, log_start, request, serve, sign_at, start, url, url_at,
};
use dms_kafka_gateway::{Gateway, Service};
use reqwest::{Method, Request, header::AUTHORIZATION};

const EVERYTHING: &str = r#"{"partitions":[{"partition":0,"offset":-1}]}"#;
const BEFORE: &str = r#"{"partitions":[{"partition":0,"offset":400}]}"#;
const IDS: [&str; 3] = ["p", "i", "t"];

async fn gateway() -> Gateway {
    let gateway = Gateway::memory().topic("orders", 2, 1000);
    start(gateway.token("a-token")).await
}

async fn service(more: &str) -> Service {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        access_key = [{ access_key = "AK", secret_key = { env = "SK" } }, { access_key = "AK2", secret_key = { env = "SK2" } },
            { access_key = "AK3", secret_key = { env = "SK" } }]
        instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1, records = 10 }] }]
    "#;
    serve(&format!("{CONFIG}\n{more}"), std::path::Path::new("")).await
}

fn unsigned(gateway: &Gateway, body: &str) -> Request {
    request(
        Method::POST,
        &url(gateway, "orders", "messages/delete"),
        body,
    )
}

fn signed(gateway: &Gateway, body: &str, at: SystemTime) -> Request {
    sign_at(unsigned(gateway, body), &gateway.credentials(), at)
}

fn copy(request: &Request) -> Request {
    request.try_clone().expect("a body in memory")
}

#[tokio::test]
async fn a_captured_deletion_of_everything_deletes_no_later_records() {
    let gateway = gateway().await;
    let mixed = r#"{"partitions":[{"partition":1,"offset":1},{"partition":0,"offset":-1}]}"#;
    for body in [EVERYTHING, mixed] {
        let captured = signed(&gateway, body, SystemTime::now());
        assert_eq!(execute(copy(&captured)).await.status, 200);
        let end = gateway.append("orders", 0, 5).expect("the partition");
        for _ in 0..3 {
            let replayed = execute(copy(&captured)).await;
            replayed.assert_outcome_unknown(409, "DMS.00409900");
            assert_eq!(log_start(&gateway, "orders", 0), end - 5);
        }
        // Headers that are not signed make no other request of it.
        let mut changed = copy(&captured);
        let agent = "another".parse().expect("a header");
        changed.headers_mut().insert("user-agent", agent);
        execute(changed)
            .await
            .assert_outcome_unknown(409, "DMS.00409900");
    }
    // Another signature is another request.
    let ahead = signed(
        &gateway,
        EVERYTHING,
        SystemTime::now() + Duration::from_secs(5),
    );
    assert_eq!(execute(ahead).await.status, 200);
    assert_eq!(log_start(&gateway, "orders", 0), 1010);
}

#[tokio::test]
async fn one_of_many_copies_that_arrive_together_is_executed() {
    let gateway = gateway().await;
    let captured = signed(&gateway, EVERYTHING, SystemTime::now());
    let http = http();
    let copies = (0..20).map(|_| http.execute(copy(&captured)));
    let responses = futures_util::future::join_all(copies).await;
    let statuses = responses
        .into_iter()
        .map(|it| it.expect("a response").status().as_u16());
    let mut statuses: Vec<u16> = statuses.collect();
    statuses.sort_unstable();
    let mut expected = [409; 20];
    expected[0] = 200;
    assert_eq!(statuses, expected);
}

/// An absolute offset deletes nothing more the second time; a token is no signature.
#[tokio::test]
async fn other_requests_may_be_repeated() {
    let gateway = gateway().await;
    let before = signed(&gateway, BEFORE, SystemTime::now());
    let mut by_token = unsigned(&gateway, EVERYTHING);
    let token = "a-token".parse().expect("a header");
    by_token.headers_mut().insert("x-auth-token", token);
    for request in [before, by_token] {
        for _ in 0..2 {
            let response = execute(copy(&request)).await;
            assert_eq!(response.status, 200, "{response:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_deletion_of_everything_may_be_repeated() {
    let gateway = gateway().await;
    let unknown = url(&gateway, "no-such-topic", "messages/delete");
    let unknown = request(Method::POST, &unknown, EVERYTHING);
    let unknown = sign_at(unknown, &gateway.credentials(), SystemTime::now());
    for _ in 0..2 {
        execute(copy(&unknown))
            .await
            .assert_refused(400, "DMS.00400062");
    }
}

/// The signature is remembered before the audit log is written.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_deletion_of_everything_that_could_not_be_audited_may_be_repeated() {
    let service = service("audit.file = '/dev/full'").await;
    let request = deletion(&service, IDS, EVERYTHING, &credentials("AK", "sk"));
    for _ in 0..2 {
        let response = execute(copy(&request)).await;
        response.assert_refused(503, "DMS.111501025");
    }
}

/// A test may delete everything, reset the gateway and do the same again, within a second.
#[tokio::test]
async fn a_reset_permits_signatures_again() {
    let gateway = start(Gateway::memory().topic("orders", 2, 1000).control()).await;
    let captured = signed(&gateway, EVERYTHING, SystemTime::now());
    let reset = format!(
        "{}/control/reset",
        gateway.control_endpoint().expect("a URL")
    );
    for _ in 0..2 {
        assert_eq!(execute(copy(&captured)).await.status, 200);
        assert_eq!(log_start(&gateway, "orders", 0), 1000);
        assert_eq!(
            execute(request(Method::POST, &reset, "{}")).await.status,
            204
        );
    }
}

#[tokio::test]
async fn the_date_of_a_deletion_of_everything_must_be_recent() {
    let gateway = gateway().await;
    let now = SystemTime::now();
    let second = Duration::from_secs(1);
    for (date, is_executed) in [
        (now, true),
        (now - 10 * second, false),
        (now - 600 * second, false),
        (now + 50 * second, true),
        (now + 75 * second, false),
        (now + 600 * second, false),
    ] {
        // Every date is valid for other deletions.
        let before = execute(signed(&gateway, BEFORE, date)).await;
        assert_eq!(before.status, 200, "{before:?}");
        let everything = execute(signed(&gateway, EVERYTHING, date)).await;
        if is_executed {
            assert_eq!(everything.status, 200, "{everything:?}");
        } else {
            everything.assert_refused(401, "APIGW.0301");
            assert!(
                everything.error_msg().contains("X-Sdk-Date"),
                "{everything:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_replay_is_no_failed_authentication() {
    let service = service("lock_out = { failures = 0, seconds = 60 }").await;
    let captured = deletion(&service, IDS, EVERYTHING, &credentials("AK", "sk"));
    assert_eq!(execute(copy(&captured)).await.status, 200);
    for _ in 0..3 {
        let replayed = execute(copy(&captured)).await;
        replayed.assert_outcome_unknown(409, "DMS.00409900");
    }
    let before = deletion(
        &service,
        IDS,
        r#"{"partitions":[{"partition":0,"offset":1}]}"#,
        &credentials("AK", "sk"),
    );
    assert_eq!(execute(before).await.status, 200);
    let url = format!("{}/metrics", service.endpoint());
    let metrics = execute(request(Method::GET, &url, "")).await;
    let failures = "dms_kafka_gateway_authentication_failures_total 0";
    assert!(
        metrics
            .body
            .as_str()
            .is_some_and(|text| text.contains(failures)),
        "{metrics:?}"
    );
}

#[tokio::test]
async fn no_signature_is_forgotten_early() {
    let service = service("limits.replay_entries = 1").await;
    let at = |key, body: &str, seconds| {
        let url = url_at(service.endpoint(), IDS, "messages/delete");
        let at = SystemTime::now() + Duration::from_secs(seconds);
        sign_at(
            request(Method::POST, &url, body),
            &credentials(key, &key.replace("AK", "sk")),
            at,
        )
    };
    let first = at("AK", EVERYTHING, 0);
    assert_eq!(execute(copy(&first)).await.status, 200);
    let full = execute(at("AK", EVERYTHING, 5)).await;
    full.assert_refused(503, "DMS.111501025");
    execute(first)
        .await
        .assert_outcome_unknown(409, "DMS.00409900");
    let before = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
    assert_eq!(execute(at("AK", before, 5)).await.status, 200);
    // Each key has its own entries.
    assert_eq!(execute(at("AK2", EVERYTHING, 0)).await.status, 200);
}

#[tokio::test]
async fn another_key_with_the_same_secret_key_does_not_repeat_a_deletion_of_everything() {
    let service = service("").await;
    let captured = deletion(&service, IDS, EVERYTHING, &credentials("AK", "sk"));
    let mut renamed = copy(&captured);
    let authorization = renamed.headers()[AUTHORIZATION].to_str().expect("text");
    let authorization = authorization.replace("Access=AK,", "Access=AK3,");
    let authorization = authorization.parse().expect("a header");
    renamed.headers_mut().insert(AUTHORIZATION, authorization);
    assert_eq!(execute(captured).await.status, 200);
    let replayed = execute(renamed).await;
    replayed.assert_outcome_unknown(409, "DMS.00409900");
}

#[tokio::test]
async fn signatures_are_not_remembered_if_configured() {
    let service = service("limits.replay_entries = 0").await;
    let request = deletion(&service, IDS, EVERYTHING, &credentials("AK", "sk"));
    for _ in 0..2 {
        assert_eq!(execute(copy(&request)).await.status, 200);
    }
}
