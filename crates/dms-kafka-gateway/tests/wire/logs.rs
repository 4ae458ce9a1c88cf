//! The log lines of requests, which contain no secrets.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime},
};

use dms_kafka_gateway::Gateway;
use reqwest::{
    Method,
    header::{AUTHORIZATION, HeaderValue},
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tracing::level_filters::LevelFilter;

use crate::support::{
    Response, connect, credentials, execute, read_to_end, request, serve, sign, sign_at, start,
    url, url_at,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().expect("a log"), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The log of all tests.
    ///
    /// The subscriber is global: a subscriber of this thread misses events that another test, without a subscriber, used
    /// first and so turned off.
    fn of_all_tests() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .with_max_level(LevelFilter::TRACE)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
            log
        })
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("a log").clone()).expect("text")
    }

    /// The lines with this message about the request of a response.
    fn lines(&self, message: &str, response: &Response) -> Vec<Value> {
        let id = response.header("x-request-id").expect("an id");
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(id));
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines
            .filter(|line| line["fields"]["message"] == message)
            .collect()
    }
}

#[tokio::test]
async fn requests_are_logged_without_secrets() {
    let log = Log::of_all_tests();
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

    let text = log.text();
    let authorization = authorization.to_str().expect("text");
    let signature = authorization.rsplit('=').next().expect("a signature");
    for secret in [gateway.secret_key(), "the-token", signature, "canary"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    let lines = log.lines("request", &refused);
    let [line] = &*lines else {
        panic!("not one line for {refused:?} in\n{text}");
    };
    let (fields, span) = (&line["fields"], &line["span"]);
    assert_eq!(fields["status"], 400);
    assert_eq!(fields["error_code"], "DMS.00400005");
    assert_eq!(fields["operation"], "delete_messages");
    assert_eq!(span["caller"], gateway.access_key());
    assert_eq!(span["method"], "POST");
    assert!(
        span["peer"]
            .as_str()
            .is_some_and(|peer| peer.starts_with("127.0.0.1:"))
    );
}

#[tokio::test]
async fn failed_authentication_is_logged_with_peer_claimed_key_and_kind() {
    let log = Log::of_all_tests();
    let gateway = start(Gateway::memory().topic("orders", 1, 1).token("right-token")).await;
    let listing = || request(Method::GET, &url(&gateway, "orders", "partitions"), "");
    let key = gateway.access_key();
    let old = SystemTime::now() - Duration::from_secs(3600);
    // Before the gateway started.
    let before = SystemTime::now() - Duration::from_secs(60);
    let body = r#"{"partitions":[{"partition":0,"offset":-1}]}"#;
    let everything = url(&gateway, "orders", "messages/delete");
    let everything = request(Method::POST, &everything, body);
    let with = |name: &'static str, value: &str| {
        let mut request = listing();
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
        request.headers_mut().insert(name, value);
        request
    };
    let authorization = |value: &str| with(AUTHORIZATION.as_str(), value);
    for (request, claimed, kind) in [
        (
            sign(listing(), &credentials(key, "wrong")),
            Some(key),
            "WRONG_SIGNATURE",
        ),
        (
            sign(listing(), &credentials("NOBODY", "wrong")),
            Some("NOBODY"),
            "UNKNOWN_ACCESS_KEY",
        ),
        (
            sign_at(listing(), &gateway.credentials(), old),
            Some(key),
            "NOT_AUTHENTICATED",
        ),
        (listing(), None, "NOT_AUTHENTICATED"),
        (
            authorization("SDK-HMAC-SHA256 Access=A\u{9b}31m\u{202e}B, Signature=hidden"),
            Some(r"A\u{9b}31m\u{202e}B"),
            "NOT_AUTHENTICATED",
        ),
        (
            authorization("Basic aGlkZGVuOmhpZGRlbg=="),
            None,
            "NOT_AUTHENTICATED",
        ),
        (with("x-auth-token", "wrong-token"), None, "UNKNOWN_TOKEN"),
        (
            sign(with("x-project-id", "other"), &gateway.credentials()),
            Some(key),
            "PROJECT_MISMATCH",
        ),
        (
            sign_at(everything, &gateway.credentials(), before),
            Some(key),
            "NOT_ONCE",
        ),
    ] {
        let response = execute(request).await;
        assert_eq!(response.status, 401, "{response:?}");
        response.assert_refused(401, response.error_code());
        let lines = log.lines("authentication failed", &response);
        let [line] = &*lines else {
            panic!("not one line for {kind} {claimed:?}: {lines:?}");
        };
        let fields = &line["fields"];
        assert_eq!(line["level"], "WARN");
        assert_eq!(fields["kind"], kind, "{line}");
        assert_eq!(fields["access_key"].as_str(), claimed, "{line}");
        let peer = fields["peer"].as_str().unwrap_or_default();
        assert!(peer.starts_with("127.0.0.1:"), "{line}");
    }
    let skewed = execute(sign_at(listing(), &gateway.credentials(), old)).await;
    let lines = log.lines("authentication failed", &skewed);
    let reason = lines[0]["fields"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("X-Sdk-Date differs"), "{reason}");
    let text = log.text();
    for absent in ["wrong-token", "hidden", "aGlkZGVu", "\u{9b}", "\u{202e}"] {
        assert!(!text.contains(absent), "{absent:?} is in\n{text}");
    }
}

/// Whoever holds a key and tries what it may not do.
#[tokio::test]
async fn a_request_beyond_the_grant_is_a_warning() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        access_key = [{ access_key = "ORDERS", secret_key = { env = "SK" }, topics = ["orders"] }]
        instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "audit", partitions = 1, records = 1 }] }]
    "#;
    let log = Log::of_all_tests();
    let service = serve(CONFIG, Path::new("")).await;
    let url = url_at(service.endpoint(), ["p", "i", "audit"], "partitions");
    let response = execute(sign(
        request(Method::GET, &url, ""),
        &credentials("ORDERS", "sk"),
    ))
    .await;
    response.assert_refused(403, "DMS.00403003");
    let lines = log.lines("not permitted", &response);
    let fields = &lines[0]["fields"];
    assert_eq!(
        (&fields["access_key"], &fields["kind"]),
        (&json!("ORDERS"), &json!("NOT_PERMITTED"))
    );
    assert!(
        fields["path"]
            .as_str()
            .unwrap()
            .ends_with("/audit/partitions"),
        "{fields}"
    );
}

#[tokio::test]
async fn a_flood_of_unauthenticated_requests_does_not_flood_the_log() {
    const REQUESTS: usize = 60;
    let log = Log::of_all_tests();
    let gateway = start(Gateway::memory().topic("orders", 1, 1)).await;
    let url = url(&gateway, "orders", "partitions");
    let mut lines = 0;
    for _ in 0..REQUESTS {
        let response = execute(request(Method::GET, &url, "")).await;
        lines += log.lines("authentication failed", &response).len();
    }
    assert!((20..REQUESTS).contains(&lines), "{lines}");
}

/// A terminal obeys U+009B like ESC [, and U+202E reverses the text after it.
#[tokio::test]
async fn control_characters_of_a_path_are_escaped() {
    let log = Log::of_all_tests();
    let gateway = start(Gateway::memory().topic("orders", 1, 1)).await;
    let address = gateway.endpoint().trim_start_matches("http://");
    let mut stream = connect(address.parse().expect("an address")).await;
    let request =
        "GET /ops-\u{9b}31m\u{202e}\u{2066} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
    let text = log.text();
    let line = text.lines().find(|line| line.contains("/ops-"));
    let line = line.unwrap_or_else(|| panic!("no line in\n{text}"));
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["span"]["path"], r"/ops-\u{9b}31m\u{202e}\u{2066}");
}
