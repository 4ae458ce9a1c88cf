//! Requests and responses, without the gateway's own types.

use std::{
    error::Error,
    io::{self, ErrorKind},
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use dms_kafka_gateway::{Config, Gateway, MemoryGatewayBuilder, Service};
use huaweicloud_auth::{
    Credentials,
    signing::{Payload, RequestTarget, authorize},
};
use reqwest::{
    Method, Request,
    header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::TcpStream,
    time::timeout,
};

/// A complete response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Response {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a whole response");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            status,
            headers,
            body,
        }
    }

    pub(crate) fn error_code(&self) -> &str {
        self.body["error_code"].as_str().unwrap_or_default()
    }

    pub(crate) fn error_msg(&self) -> &str {
        self.body["error_msg"].as_str().unwrap_or_default()
    }

    /// The response is a refusal of a request of which nothing reached the backend.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, error_code: &str) {
        self.assert_error(status, error_code);
        let outcome = self.header("x-dms-kafka-outcome");
        assert_eq!(outcome, Some("not-applied"), "{self:?}");
    }

    /// The response is an error that does not say whether records were deleted.
    #[track_caller]
    pub(crate) fn assert_outcome_unknown(&self, status: u16, error_code: &str) {
        self.assert_error(status, error_code);
        assert_eq!(self.header("x-dms-kafka-outcome"), None, "{self:?}");
    }

    /// The response is an error with this status and code, and the same request id in body and header.
    #[track_caller]
    fn assert_error(&self, status: u16, error_code: &str) {
        let found = (self.status, self.error_code());
        assert_eq!(found, (status, error_code), "{self:?}");
        assert!(!self.error_msg().is_empty(), "{self:?}");
        let request_id = self.header("x-request-id");
        assert_eq!(self.body["request_id"].as_str(), request_id, "{self:?}");
        assert!(request_id.is_some_and(|id| id.len() == 32), "{self:?}");
        let content_type = self.header("content-type");
        assert_eq!(content_type, Some("application/json"), "{self:?}");
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The path of an operation on a topic.
pub(crate) fn path([project_id, instance_id, topic]: [&str; 3], operation: &str) -> String {
    format!("/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/{operation}")
}

/// The URL of an operation on a topic of a gateway in memory.
pub(crate) fn url(gateway: &Gateway, topic: &str, operation: &str) -> String {
    let ids = [gateway.project_id(), gateway.instance_id(), topic];
    url_at(gateway.endpoint(), ids, operation)
}

/// The URL of an operation on a project, instance and topic.
pub(crate) fn url_at(endpoint: &str, ids: [&str; 3], operation: &str) -> String {
    endpoint.to_owned() + &path(ids, operation)
}

/// A gateway in memory, started.
pub(crate) async fn start(gateway: MemoryGatewayBuilder) -> Gateway {
    gateway.start().await.expect("a gateway")
}

/// The log start offset of a partition of a gateway in memory.
#[track_caller]
pub(crate) fn log_start(gateway: &Gateway, topic: &str, partition: i32) -> i64 {
    let offsets = gateway.partition(topic, partition);
    offsets.expect("the partition exists").log_start_offset
}

/// A request, not signed yet.
pub(crate) fn request(method: Method, url: &str, body: impl Into<Vec<u8>>) -> Request {
    let mut request = Request::new(method, url.parse().expect("a URL"));
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(body.into().into());
    request
}

/// Signs a request as it is, at this time.
pub(crate) fn sign_at(mut request: Request, credentials: &Credentials, now: SystemTime) -> Request {
    let (method, url) = (request.method().clone(), request.url().clone());
    let target = RequestTarget {
        method: &method,
        host: url.authority(),
        path: url.path(),
        query: url.query().unwrap_or_default(),
    };
    let mut headers = request.headers().clone();
    let body = request.body().and_then(|body| body.as_bytes());
    let payload = Payload::Bytes(body.unwrap_or_default());
    authorize(credentials, target, &mut headers, payload, now).expect("a signature");
    headers.insert(HOST, url.authority().parse().expect("a header"));
    *request.headers_mut() = headers;
    request
}

pub(crate) fn sign(request: Request, credentials: &Credentials) -> Request {
    sign_at(request, credentials, SystemTime::now())
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
}

/// Sends a request as it is.
pub(crate) async fn execute(request: Request) -> Response {
    Response::read(http().execute(request).await.expect("a response")).await
}

/// Sends a request signed with the gateway's own key.
pub(crate) async fn send(
    gateway: &Gateway,
    method: Method,
    url: &str,
    body: impl Into<Vec<u8>>,
) -> Response {
    execute(sign(request(method, url, body), &gateway.credentials())).await
}

/// Lists partitions, with this query.
pub(crate) async fn list(gateway: &Gateway, topic: &str, query: &str) -> Response {
    let url = url(gateway, topic, "partitions") + query;
    send(gateway, Method::GET, &url, "").await
}

/// Deletes, with this body.
pub(crate) async fn delete(gateway: &Gateway, topic: &str, body: impl Into<Vec<u8>>) -> Response {
    let url = url(gateway, topic, "messages/delete");
    send(gateway, Method::POST, &url, body).await
}

/// A service with this configuration. `$FOLDER` is replaced by `folder`, and the value of each environment variable is its
/// name in lower case.
pub(crate) async fn serve(toml: &str, folder: &Path) -> Service {
    let toml = toml.replace("$FOLDER", folder.to_str().expect("a path in UTF-8"));
    let config = Config::from_toml(&toml).expect("a configuration");
    let checked = config
        .check(&|name| Some(name.to_lowercase()))
        .expect("a valid configuration");
    checked.start().await.expect("a service")
}

/// A deletion sent to a service of [`serve`], signed.
pub(crate) fn deletion(
    service: &Service,
    ids: [&str; 3],
    body: &str,
    credentials: &Credentials,
) -> Request {
    let url = url_at(service.endpoint(), ids, "messages/delete");
    sign(request(Method::POST, &url, body), credentials)
}

/// Sends a [`deletion`] signed with this key pair.
pub(crate) async fn delete_as(
    service: &Service,
    ids: [&str; 3],
    body: &str,
    access_key: &str,
    secret_key: &str,
) -> Response {
    let credentials = credentials(access_key, secret_key);
    execute(deletion(service, ids, body, &credentials)).await
}

pub(crate) fn credentials(access_key: &str, secret_key: &str) -> Credentials {
    Credentials::new(access_key, secret_key).expect("a key pair")
}

/// Reads a file of cases from the folder of the tests.
pub(crate) fn cases<T: DeserializeOwned>(file: &str) -> Vec<T> {
    #[derive(serde::Deserialize)]
    struct Cases<T> {
        case: Vec<T>,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let text = std::fs::read_to_string(folder.join(file));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    let cases: Cases<T> = toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    cases.case
}

/// The kind of the I/O error behind an error.
pub(crate) fn io_error(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => Some(io.kind()),
        None => error.source().and_then(io_error),
    }
}

/// The head of a request as it goes over the wire, with more header lines, up to the blank line.
pub(crate) fn head(request: &Request, more: &str) -> String {
    let headers = request.headers().iter().map(|(name, value)| {
        let value = value.to_str().expect("a header in ASCII");
        format!("{name}: {value}\r\n")
    });
    let (method, path) = (request.method(), request.url().path());
    format!(
        "{method} {path} HTTP/1.1\r\n{}{more}\r\n\r\n",
        headers.collect::<Vec<_>>().concat()
    )
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Everything that comes until the gateway closes, as text.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut response = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut response)).await;
    read.expect("an end in time").expect("no reset");
    String::from_utf8(response).expect("text")
}
