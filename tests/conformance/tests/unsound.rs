//! The server suite against faulty services: it must not lock the user's key, and its report must show no secret.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dms_kafka_conformance::cases::Cases;
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::faults;
use dms_kafka_conformance::recorder::{RecordedRequest, Recorder};
use dms_kafka_conformance::report::{Report, Verdict};
use dms_kafka_conformance::script::{Script, ScriptedResponse};
use dms_kafka_conformance::server::{self, Server, Target};

use huaweicloud_auth::Credentials;
use tokio::time::timeout;
use wiremock::matchers::{any, body_string, method};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const ACCESS_KEY: &str = "AccessKey";
const SECRET_KEY: &str = "a-secret-that-is-repeated";
/// The request that checks the key; it deletes nothing.
const HARMLESS: &str = r#"{"partitions":[{"partition":2147483647,"offset":0}]}"#;

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap()
}

fn server_cases() -> Vec<server::ServerCase> {
    Cases::read(None).unwrap().server
}

fn response(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

/// Accepts the request that checks the key, and responds to any other one with `others`.
async fn service(others: ResponseTemplate) -> MockServer {
    let service = MockServer::start().await;
    let taken =
        Mock::given(body_string(HARMLESS)).respond_with(response(200, r#"{"partitions":[]}"#));
    taken.with_priority(1).mount(&service).await;
    let not_there = Mock::given(method("GET")).respond_with(response(404, "{}"));
    not_there.with_priority(2).mount(&service).await;
    Mock::given(any())
        .respond_with(others)
        .mount(&service)
        .await;
    service
}

async fn judge(service: &MockServer) -> Report {
    let mut cases = server_cases();
    // A mock server cannot read malformed HTTP.
    cases.retain(|case| case.quick && !case.is_raw());
    judge_by(service, &cases).await
}

async fn judge_by(service: &MockServer, cases: &[server::ServerCase]) -> Report {
    judge_at(&service.uri(), cases, false).await
}

async fn judge_at(endpoint: &str, cases: &[server::ServerCase], destructive: bool) -> Report {
    judge_waiting(endpoint, cases, destructive, Duration::ZERO).await
}

async fn judge_waiting(
    endpoint: &str,
    cases: &[server::ServerCase],
    destructive: bool,
    wait: Duration,
) -> Report {
    let contract = Contract::read().unwrap();
    let target = Target::new("p", "i", "orders");
    let server = Server::connect(&contract, endpoint, &target, credentials(), destructive);
    let server = server.await.unwrap().with_wait(wait);
    Report::new("a service", server.run_all(cases).await)
}

/// A service that closes each connection without a response to its second request, and responds to nothing for a while
/// after a path with `fatal`. Returns its URL.
fn service_that_closes(fatal: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut connections_until_up = 0;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if connections_until_up > 0 {
                connections_until_up -= 1;
                continue;
            }
            let (head, body) = read_request(&mut stream);
            if head.lines().next().unwrap().contains(fatal) {
                connections_until_up = 3;
                continue;
            }
            let (status, text) = match &*body {
                HARMLESS => (200, r#"{"partitions":[]}"#),
                _ => (404, "{}"),
            };
            let length = text.len();
            let head = format!("HTTP/1.1 {status} \r\nContent-Length: {length}\r\n\r\n{text}");
            stream.write_all(head.as_bytes()).unwrap();
            // A connection is closed at the moment of its next use, or when the client closes it.
            thread::spawn(move || stream.read(&mut [0]));
        }
    });
    url
}

/// Head and body.
fn read_request(stream: &mut impl Read) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        reader.read_line(&mut head).unwrap();
        if let Some(value) = head[start..].strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Judges a recording server, and returns what it was sent.
async fn record(
    responses: &[ScriptedResponse],
    cases: &[server::ServerCase],
) -> (Report, Vec<RecordedRequest>) {
    let contract = Arc::new(Contract::read().unwrap());
    let loopback = "127.0.0.1:0".parse().unwrap();
    let script = Script::new(responses).unwrap();
    let recorder = Recorder::start(loopback, contract, credentials(), script);
    let mut recorder = recorder.await.unwrap();
    let report = judge_at(&format!("http://{}", recorder.address()), cases, true).await;
    let mut all = Vec::new();
    while let Ok(Some(heard)) = timeout(Duration::from_millis(100), recorder.next()).await {
        all.push(heard);
    }
    (report, all)
}

fn names_own_key(headers: &http::HeaderMap) -> bool {
    let authorization = headers.get("authorization");
    authorization.is_some_and(|value| value.to_str().unwrap().contains("Access=AccessKey,"))
}

/// The longest run of requests of the own key that are refused.
fn most_in_a_row(refused: impl Iterator<Item = bool>) -> usize {
    let runs = refused.scan(0, |run, refused| {
        *run = if refused { *run + 1 } else { 0 };
        Some(*run)
    });
    runs.max().unwrap_or_default()
}

/// Whatever the service responds, the suite does not cause a lockout of its own key.
#[tokio::test]
async fn wrong_signatures_of_the_own_key_alternate_with_right_ones() {
    let mut cases = server_cases();
    cases.retain(|case| case.quick || case.rule() == "signature-digits");
    let (_, heard) = record(&[], &cases).await;
    let requests = heard.into_iter().filter_map(|heard| heard.request);
    let wrong: Vec<bool> = requests
        .filter_map(|request| {
            let wrong = request.authenticate(&credentials()).is_err();
            (!wrong || names_own_key(&request.headers)).then_some(wrong)
        })
        .collect();
    let count = wrong.iter().filter(|wrong| **wrong).count();
    assert!(
        count >= 10,
        "only {count} wrong signatures of the own key were sent"
    );
    let most = most_in_a_row(wrong.into_iter());
    assert!(most <= 1, "{most} in a row");
}

/// A service locks a key after more than five refused signatures in a row, and may refuse valid ones.
#[tokio::test]
async fn a_service_that_refuses_most_signatures_does_not_lock_the_key() {
    let service = service(response(401, r#"{"error_code":"APIGW.0301"}"#)).await;
    judge(&service).await;
    let requests = service.received_requests().await.unwrap();
    let own = requests.iter().filter(|one| names_own_key(&one.headers));
    let is_refused =
        |request: &Request| request.method != "GET" && request.body != HARMLESS.as_bytes();
    let most = most_in_a_row(own.map(is_refused));
    assert!(requests.len() > 100, "only {} requests", requests.len());
    // Some requests are sent twice.
    assert!(most <= 2, "{most} in a row");
}

/// In a code, in a row, in a value that breaks its schema, in a header.
#[tokio::test]
async fn a_secret_that_the_service_repeats_is_not_in_the_report() {
    let body = format!(
        r#"{{"error_code":"{SECRET_KEY}","error_msg":7,"partitions":[{{"partition":"{SECRET_KEY}"}}]}}"#
    );
    for status in [200, 401, 429] {
        let response = response(status, &body).insert_header("content-type", SECRET_KEY);
        let report = judge(&service(response).await).await;
        let texts = [
            report.to_string(),
            report.junit().unwrap(),
            serde_json::to_string(&report).unwrap(),
        ];
        for text in texts {
            assert!(text.contains("redacted"), "{text}");
            assert!(
                text.contains("the response contains the secret key"),
                "{text}"
            );
            assert!(!text.contains(SECRET_KEY), "{text}");
        }
    }
}

/// Then the effect of a request is not known.
#[tokio::test]
async fn a_service_that_stops_listing_partitions_does_not_pass() {
    let service = MockServer::start().await;
    let list = r#"{"total":1,"partitions":[{"partition":0,"start_offset":0,"last_offset":1000,"message_count":1000,"last_update_time":0}]}"#;
    let listed = Mock::given(method("GET")).respond_with(response(200, list));
    listed
        .up_to_n_times(2)
        .with_priority(1)
        .mount(&service)
        .await;
    let refusal = r#"{"error_code":"DMS.00400002","error_msg":"no","request_id":"r"}"#;
    Mock::given(any())
        .respond_with(response(400, refusal))
        .mount(&service)
        .await;
    let report = judge(&service).await;
    assert_eq!(report.totals.pass, 0, "{report}");
    assert!(report.to_string().contains("no longer lists"), "{report}");
}

#[tokio::test]
async fn a_case_does_not_pass_when_its_log_start_offset_is_not_listed() {
    let text = r#"
        name = "unseen"
        title = "a partition that is not there"
        proves = ["Table 3, offset"]
        [[step]]
        body = '{"partitions":[{"partition":2147483647,"offset":0}]}'
        [step.expect]
        status = "200"
        log_start = { 7 = "1" }
    "#;
    let cases = [toml::from_str(text).unwrap()];

    let report = judge_by(&service(response(500, "{}")).await, &cases).await;
    assert_eq!(report.totals.not_testable, 1, "{report}");

    let lists = MockServer::start().await;
    let list = r#"{"total":1,"partitions":[{"partition":0,"start_offset":0,"last_offset":9}]}"#;
    let listed = Mock::given(method("GET")).respond_with(response(200, list));
    listed.with_priority(1).mount(&lists).await;
    let deleted = Mock::given(any()).respond_with(response(200, r#"{"partitions":[]}"#));
    deleted.mount(&lists).await;
    let report = judge_by(&lists, &cases).await;
    assert_eq!(report.totals.fail, 1, "{report}");
    assert!(report.to_string().contains("partition 7"), "{report}");
}

/// Further requests with a refused key may lock it, and every malformed body would pass because the instance or topic is
/// refused.
#[tokio::test]
async fn a_refused_key_instance_or_topic_is_reported_at_once() {
    let (gateway, target) = faults::memory_gateway().await.unwrap();
    let Target {
        project_id: project,
        instance_id: instance,
        topic,
    } = &target;
    let right = gateway.credentials();
    let contract = Contract::read().unwrap();
    for (target, credentials, says) in [
        (target.clone(), credentials(), "refuses the key"),
        (
            Target::new(project, "another", topic),
            right.clone(),
            "DMS.00404022",
        ),
        (
            Target::new(project, instance, "../orders"),
            right.clone(),
            "topic",
        ),
        (
            Target::new(project, "..", topic),
            right.clone(),
            "instance id",
        ),
        (
            Target::new(project, instance, "others"),
            right,
            "does not serve this topic",
        ),
    ] {
        let server = Server::connect(&contract, gateway.endpoint(), &target, credentials, true);
        let error = server.await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// A key may be locked while the suite runs.
#[tokio::test]
async fn nothing_more_is_sent_after_the_key_is_refused() {
    let responses =
        [200, 200, 200, 200, 200, 401].map(|status| ScriptedResponse::new(status, "{}"));
    let mut cases = server_cases();
    cases.retain(|case| case.name.starts_with("signature-"));
    let (report, heard) = record(&responses, &cases).await;
    assert!(report.to_string().contains("refuses the key"), "{report}");
    let last = report.cases.last().unwrap();
    assert!(
        matches!(last.verdict, Verdict::NotTestable { .. }),
        "{last:?}"
    );
    assert!(heard.len() < 10, "{} requests", heard.len());
}

#[tokio::test]
async fn a_report_is_short_and_has_no_control_characters_whatever_the_response() {
    let cases = [toml::from_str(ANY_CASE).unwrap()];
    let list = format!("[{}1]", "1,".repeat(100_000));
    let escape = format!("{{\"error_msg\":\"\u{1b}[2J\n{}\"}}", "a".repeat(100_000));
    for body in [list, escape, "<html>\n<body>\n</html>\n".to_owned()] {
        let report = judge_by(&service(response(500, &body)).await, &cases).await;
        assert_eq!(report.totals.fail, 1, "{report}");
        let text = report.to_string();
        assert!(text.len() < 5000, "{} bytes", text.len());
        assert!(!text.contains('\u{1b}'), "{text}");
        let lines = text.lines().skip(2);
        let remarks = lines.filter(|line| line.starts_with("      "));
        assert_eq!(remarks.count() + 3, text.lines().count(), "{text}");
    }
}

#[tokio::test]
async fn reading_stops_at_a_response_that_is_too_long() {
    let cases = [toml::from_str(ANY_CASE).unwrap()];
    let endless = " ".repeat(16 * 1024 * 1024 + 1);
    let report = judge_by(&service(response(200, &endless)).await, &cases).await;
    assert!(report.to_string().contains("is longer than"), "{report}");
}

const ANY_CASE: &str = r#"
    name = "any"
    title = "anything but the request that checks the key"
    proves = ["Table 3, offset"]
    [[step]]
    body = '{"partitions":[{"partition":2147483647,"offset":2147483647}]}'
    signing = { key = "unknown" }
    expect = { status = "200" }
"#;

/// What a rule refuses by the request alone, `--listen` refuses too.
#[tokio::test]
async fn the_listener_refuses_what_the_rules_refuse() {
    let mut cases = server_cases();
    cases.retain(|case| case.is_always_refused() && !case.is_raw());
    let (report, _) = record(&[], &cases).await;
    let failed = report.cases.iter().filter(|one| one.is_failure());
    let failed: Vec<_> = failed
        .map(|one| format!("{}: {}", one.name, one.verdict.remarks().join("; ")))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn a_service_may_close_a_connection_after_each_response() {
    let mut cases = server_cases();
    cases.retain(|case| case.rule() == "topic" && case.quick);
    let report = judge_at(&service_that_closes("no-such-path"), &cases, false).await;
    assert!(!report.to_string().contains("error sending"), "{report}");
}

#[tokio::test]
async fn a_service_that_ends_because_of_a_request_may_be_restarted() {
    let mut cases = server_cases();
    let name = "topic/not-utf-8/deletion";
    let at = cases.iter().position(|case| case.name == name).unwrap();
    cases = cases.split_off(at);
    cases.truncate(3);
    for (wait, not_testable) in [(0, 2), (60, 0)] {
        let endpoint = service_that_closes("%FF/messages/delete");
        let report = judge_waiting(&endpoint, &cases, false, Duration::from_secs(wait)).await;
        assert_eq!(report.totals.not_testable, not_testable, "{report}");
        assert!(report.cases[0].is_failure(), "{report}");
    }
}

#[tokio::test]
async fn a_repeated_request_id_does_not_hide_what_passes() {
    let service = MockServer::start().await;
    let same = response(200, r#"{"partitions":[]}"#).insert_header("x-request-id", "1");
    Mock::given(any()).respond_with(same).mount(&service).await;
    let report = judge(&service).await.to_string();
    assert_eq!(
        report.matches("another response had").count(),
        1,
        "{report}"
    );
}
