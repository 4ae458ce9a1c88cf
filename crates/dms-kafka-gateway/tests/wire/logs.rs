//! The log lines of requests, which contain no secrets.

use std::{
    io,
    sync::{Arc, Mutex},
};

use dms_kafka_gateway::Gateway;
use reqwest::Method;
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use crate::support::{credentials, execute, request, sign, start, url};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a log").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The subscriber is global: a subscriber of this thread misses events that another test, without a subscriber, used first
/// and so turned off.
#[tokio::test]
async fn requests_are_logged_without_secrets() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");

    let gateway = Gateway::memory().topic("orders", 1, 1000);
    let gateway = start(gateway.token("the-token")).await;
    let deletion = |body: &str| {
        let url = url(&gateway, "orders", "messages/delete");
        request(Method::POST, &(url + "?query=canary"), body)
    };
    let body = r#"{"partitions":[{"partition":0,"offset":400}],"canary":1}"#;
    let signed = sign(deletion(body), &gateway.credentials());
    let authorization = signed.headers()["authorization"].clone();
    let refused = execute(signed).await;
    let wrong = credentials(gateway.access_key(), "wrong-secret-key");
    assert_eq!(execute(sign(deletion(body), &wrong)).await.status, 401);
    let mut with_token = deletion(body);
    let token = "the-token".parse().expect("a header");
    with_token.headers_mut().insert("x-auth-token", token);
    assert_eq!(execute(with_token).await.status, 400);

    let text = String::from_utf8(log.0.lock().expect("a log").clone()).expect("text");
    let authorization = authorization.to_str().expect("text");
    let signature = authorization.rsplit('=').next().expect("a signature");
    for secret in [gateway.secret_key(), "the-token", signature, "canary"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    let id = refused.header("x-request-id").expect("an id");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let line = lines
        .filter(|line| line["fields"]["message"] == "request")
        .find(|line| line["span"]["request_id"] == id)
        .unwrap_or_else(|| panic!("no line for {id} in\n{text}"));
    let (fields, span) = (&line["fields"], &line["span"]);
    assert_eq!(fields["status"], 400);
    assert_eq!(fields["error_code"], "DMS.00400005");
    assert_eq!(fields["operation"], "delete_messages");
    assert_eq!(span["caller"], gateway.access_key());
    assert_eq!(span["method"], "POST");
}
