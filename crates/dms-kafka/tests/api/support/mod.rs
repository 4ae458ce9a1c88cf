//! Clients and servers for the tests.

pub(crate) mod log;
pub(crate) mod service;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dms_kafka::auth::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};
use dms_kafka::{Client, ClientBuilder, RetryPolicy};
use dms_kafka_gateway::Gateway;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The texts of an error and its causes. Checks that no text repeats a cause.
pub(crate) fn chain(error: &dms_kafka::Error) -> String {
    let error: &(dyn Error + 'static) = error;
    let layers = std::iter::successors(Some(error), |&layer| layer.source());
    let texts: Vec<String> = layers.map(ToString::to_string).collect();
    for (at, text) in texts.iter().enumerate() {
        let repeated = texts[at + 1..].iter().find(|cause| text.contains(*cause));
        assert_eq!(repeated, None, "{texts:?}");
    }
    texts.join(": ")
}

pub(crate) fn builder(endpoint: &str) -> ClientBuilder {
    Client::builder()
        .endpoint(endpoint)
        .project_id("project")
        .credentials(Credentials::new("access-key", "secret-key").unwrap())
}

pub(crate) fn client_without_retries(endpoint: &str) -> Client {
    let builder = builder(endpoint).with_retry(RetryPolicy::never());
    builder.build().unwrap()
}

/// A client of an in-memory gateway.
pub(crate) fn client_of(gateway: &Gateway) -> Client {
    Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()
        .unwrap()
}

/// Deletes from partition 0.
pub(crate) async fn delete(client: &Client) -> Result<(), dms_kafka::Error> {
    let request = client.delete_messages("instance", "orders").before(0, 1);
    request.send().await?.into_result().map(drop)
}

/// A provider without credentials.
#[derive(Debug)]
pub(crate) struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(async { Err(ProviderError::not_found("the provider has no credentials")) })
    }
}

/// Waits until the condition is true.
pub(crate) async fn until(what: impl Fn() -> bool) {
    let polled = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polled)
        .await
        .unwrap();
}

pub(crate) fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// The response body of a successful [`delete`].
pub(crate) const DELETED: &str = r#"{"partitions":[{"partition":0,"result":"success"}]}"#;

/// The bytes of a response with status 200.
pub(crate) fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// An error that repeats all headers of the request, as a debugging proxy might.
pub(crate) fn repeat_headers(request: &Request, status: u16) -> ResponseTemplate {
    let headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}:{}", value.to_str().unwrap()))
        .collect();
    ResponseTemplate::new(status)
        .insert_header("X-Request-Id", "request-7")
        .set_body_json(json!({"error_code": "APIGW.0301", "error_msg": headers.join("|")}))
}

/// Every secret of the tests contains `canary`.
pub(crate) fn assert_no_secret(shown: &str) {
    assert!(!shown.contains("canary"), "{shown}");
    let mut signatures = shown.split("Signature=").skip(1);
    let is_redacted = |behind: &str| behind.starts_with("<redacted>");
    assert!(signatures.all(is_redacted), "{shown}");
}

/// A key, a key with a security token, and a token. Every secret contains `canary`.
pub(crate) fn canary_credentials() -> [Credentials; 3] {
    let key = || Credentials::new("access-key", "canary-secret-key").unwrap();
    [
        key(),
        key().with_security_token("canary-security-token").unwrap(),
        Credentials::token("canary-auth-token").unwrap(),
    ]
}

/// The response of a successful deletion from these partitions.
pub(crate) fn deleted(partitions: &[i32]) -> ResponseTemplate {
    let items: Vec<Value> = partitions
        .iter()
        .map(|partition| json!({"partition": partition, "result": "success", "error_code": "0"}))
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({ "partitions": items }))
}

/// A server that sends the responses in order, and repeats the last one.
pub(crate) async fn server(responses: Vec<ResponseTemplate>) -> MockServer {
    server_on(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        responses,
    )
    .await
}

pub(crate) async fn server_on(
    listener: std::net::TcpListener,
    responses: Vec<ResponseTemplate>,
) -> MockServer {
    let server = MockServer::builder().listener(listener).start().await;
    let turn = AtomicUsize::new(0);
    let response = move |_: &Request| {
        let at = turn.fetch_add(1, Ordering::SeqCst).min(responses.len() - 1);
        responses[at].clone()
    };
    Mock::given(any())
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

pub(crate) async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// Starts a server that passes each connection to `serve`.
pub(crate) async fn listen<S>(serve: impl Fn(TcpStream) -> S + Send + 'static) -> SocketAddr
where
    S: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads the next request. Returns `None` if the client disconnects.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        received.extend_from_slice(buffer.get(..count).filter(|read| !read.is_empty())?);
        let text = String::from_utf8_lossy(&received);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(Ok(0), |(_, value)| value.parse());
        if body.len() >= length.ok()? {
            return Some(text.into_owned());
        }
    }
}
