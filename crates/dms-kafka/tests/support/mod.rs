//! What several tests need: a client of a server on loopback, and a server whose answer can be changed.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod log;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use dms_kafka::auth::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};
use dms_kafka::{Client, ClientBuilder};
use dms_kafka_gateway::Gateway;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The text of an error and of its causes. No layer repeats a cause.
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

/// A client of a gateway in this process.
pub(crate) fn client_of(gateway: &Gateway) -> Client {
    Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()
        .unwrap()
}

/// A deletion in partition 0, all in one.
pub(crate) async fn delete(client: &Client) -> Result<(), dms_kafka::Error> {
    let request = client.delete_messages("instance", "orders").before(0, 1);
    request.send().await?.into_result().map(drop)
}

/// A provider without credentials.
#[derive(Debug)]
pub(crate) struct Sealed;

impl ProvideCredentials for Sealed {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(async { Err(ProviderError::not_found("the vault is sealed")) })
    }
}

/// Waits for a condition.
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

/// What [`delete`] takes for a success.
pub(crate) const DELETED: &str = r#"{"partitions":[{"partition":0,"result":"success"}]}"#;

/// A 200 as it stands on the wire.
pub(crate) fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The answer that these partitions are deleted.
pub(crate) fn deleted(partitions: &[i32]) -> ResponseTemplate {
    let items: Vec<Value> = partitions
        .iter()
        .map(|partition| json!({"partition": partition, "result": "success", "error_code": "0"}))
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({ "partitions": items }))
}

/// Answers in turn; the last one again and again.
pub(crate) async fn server(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let at = turn.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        answers[at].clone()
    };
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

pub(crate) async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// A server that answers each request with status 200 and the body it was given last.
pub(crate) struct Echo {
    pub(crate) endpoint: String,
    body: Arc<Mutex<Vec<u8>>>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        Self::bind("127.0.0.1:0").await.unwrap()
    }

    pub(crate) async fn bind(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let body = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::clone(&body);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer)));
            }
        });
        Ok(Self { endpoint, body })
    }

    pub(crate) fn answer(&self, body: Vec<u8>) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = body;
    }
}

async fn serve(mut stream: TcpStream, body: Arc<Mutex<Vec<u8>>>) -> Option<()> {
    loop {
        read_request(&mut stream).await?;
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream
            .write_all(&[head.as_bytes(), &body].concat())
            .await
            .ok()?;
    }
}

/// Head and body of the next request; `None` when the client goes away.
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
