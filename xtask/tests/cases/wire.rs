//! Calls of the client that was generated from the test's documents. The test adds them below.
#![allow(unused, clippy::all)]

use dms_kafka_client::{Attempt, Client, Error, types};
use huaweicloud_auth::Credentials;
use serde::Serialize;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A service that gives one answer to every request.
async fn service(status: u16, answer: &str) -> (MockServer, Client) {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(status).set_body_raw(answer.to_owned(), "application/json");
    Mock::given(any()).respond_with(response).mount(&server).await;
    let attempt = Attempt::new(Credentials::new("access-key", "secret-key").unwrap());
    let client = Client::new_with_client(server.uri().parse().unwrap(), reqwest::Client::new(), attempt);
    (server, client)
}

async fn sent(case: &str, server: &MockServer, sends: &str, body: &str, headers: &[(&str, &str)]) {
    let requests = server.received_requests().await.unwrap();
    let [request] = requests.as_slice() else {
        panic!("{case}: {} requests", requests.len());
    };
    let query = request.url.query().map(|query| format!("?{query}"));
    let target = format!("{} {}{}", request.method, request.url.path(), query.unwrap_or_default());
    assert_eq!(target, sends, "{case}");
    assert_eq!(String::from_utf8_lossy(&request.body), body, "{case}");
    for (name, value) in headers {
        assert_eq!(request.headers[*name], *value, "{case}");
    }
}

fn decoded(case: &str, value: impl Serialize, expected: &str) {
    let expected: Value = serde_json::from_str(expected).unwrap_or(Value::Null);
    assert_eq!(serde_json::to_value(value).unwrap(), expected, "{case}");
}

