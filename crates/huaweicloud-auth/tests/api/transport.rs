//! The reqwest transport against a server on this machine.

use std::{
    error::Error as _,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::support::layers;
use http::{Request, StatusCode};
use huaweicloud_auth::{
    ContainerProvider, Credentials, Environment, HttpTransport, ProvideCredentials,
    ProviderContext, ProviderError, ReqwestTransport, TransportErrorKind as Kind,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Responds to one connection with the given bytes and keeps it open. Returns the URL and the request.
async fn serve(response: Vec<u8>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/key", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let request = read_request(&mut connection).await;
        // The client may close the connection before it has read everything.
        let _ = connection.write_all(&response).await;
        let _ = connection.read(&mut [0]).await;
        request
    });
    (url, server)
}

async fn read_request(connection: &mut TcpStream) -> String {
    let mut request = String::new();
    while !is_whole(&request) {
        let mut bytes = [0; 4096];
        let length = connection.read(&mut bytes).await.unwrap();
        assert!(length > 0, "the client closed the connection");
        request.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    request
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn get(url: &str) -> Request<Vec<u8>> {
    Request::get(url).body(Vec::new()).unwrap()
}

async fn kind_of_failure(url: &str, timeout: Duration) -> Kind {
    let error = ReqwestTransport::new()
        .send(get(url), timeout)
        .await
        .unwrap_err();
    assert!(error.source().is_some());
    error.kind()
}

#[tokio::test]
async fn a_response_is_returned_completely() {
    let (url, server) = serve(response("418 I'm a teapot", "X-One: 1\r\n", "body")).await;
    let request = Request::put(&url)
        .header("x-two", "2")
        .body(b"sent".to_vec())
        .unwrap();
    let transport = ReqwestTransport::new();
    let response = transport.send(request, TIMEOUT).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-one"], "1");
    assert_eq!(response.body(), b"body");
    drop(transport);
    let request = server.await.unwrap();
    assert!(request.starts_with("PUT /key HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains("x-two: 2\r\n")
            && request.contains("accept-encoding: identity\r\n")
            && request.ends_with("\r\n\r\nsent"),
        "{request}"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (url, _server) = serve(response(
        "302 Found",
        "Location: http://127.0.0.1:1/\r\n",
        "",
    ))
    .await;
    let response = ReqwestTransport::new()
        .send(get(&url), TIMEOUT)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn a_large_response_is_refused() {
    let (url, _server) = serve(response("200 OK", "", &"x".repeat(1024 * 1024))).await;
    assert_eq!(kind_of_failure(&url, TIMEOUT).await, Kind::Other);
}

/// The URL of a port that nothing listens on.
async fn closed_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test]
async fn failures_have_kinds() {
    let url = closed_url().await;
    assert_eq!(kind_of_failure(&url, TIMEOUT).await, Kind::Unreachable);
    let (url, _server) = serve(Vec::new()).await;
    assert_eq!(
        kind_of_failure(&url, Duration::from_millis(50)).await,
        Kind::TimedOut
    );
    let (url, _server) = serve(b"nonsense\r\n\r\n".to_vec()).await;
    assert_eq!(kind_of_failure(&url, TIMEOUT).await, Kind::Other);
}

/// Fetches credentials from a URL with this transport.
async fn provided_by(url: &str) -> Result<Credentials, ProviderError> {
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "pod-token\n").unwrap();
    let environment = Environment::from_iter([
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", url),
        (
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            token.path().to_str().unwrap(),
        ),
    ]);
    let context =
        ProviderContext::new(Arc::new(ReqwestTransport::new())).with_environment(environment);
    ContainerProvider::new(&context).provide_credentials().await
}

#[test]
fn outside_a_runtime_a_request_fails() {
    let transport = ReqwestTransport::new();
    let mut request = transport.send(get("http://127.0.0.1:1"), TIMEOUT);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = request.as_mut().poll(&mut context) else {
        panic!("no error");
    };
    assert_eq!(error.kind(), Kind::Misconfigured);
}

/// The request may contain a token.
#[tokio::test]
async fn a_redirect_that_the_client_followed_is_an_error() {
    let (target, _server) = serve(response("200 OK", "", "{}")).await;
    let (url, _server) = serve(response(
        "307 Temporary Redirect",
        &format!("Location: {target}\r\n"),
        "",
    ))
    .await;
    // Only services in the cloud use the given client.
    let proxy = reqwest::Proxy::all(url).unwrap();
    let client = reqwest::Client::builder()
        .proxy(proxy.no_proxy(reqwest::NoProxy::from_string("127.0.0.1")));
    let transport = ReqwestTransport::with_client(client.build().unwrap());
    let error = transport
        .send(get("http://iam.example.invalid/"), TIMEOUT)
        .await
        .unwrap_err();
    assert!(
        error.source().unwrap().to_string().contains("redirect"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_provider_uses_the_transport() {
    let key = r#"{"credential":{"access":"KEY","secret":"secret","securitytoken":"token","expires_at":"2099-01-01T00:00:00Z"}}"#;
    let (url, server) = serve(response("200 OK", "", key)).await;
    let credentials = provided_by(&url).await.unwrap();
    assert_eq!(credentials.access_key(), Some("KEY"));
    let request = server.await.unwrap();
    assert!(
        request
            .to_lowercase()
            .contains("authorization: pod-token\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn the_error_of_a_provider_does_not_repeat_its_cause() {
    let url = closed_url().await;
    let error = provided_by(&format!("{url}?canary")).await.unwrap_err();
    assert!(error.is_unavailable());
    assert_eq!(
        error.to_string(),
        format!("container: {url} cannot be reached")
    );
    assert!(layers(&error).len() > 1, "{error:?}");
    let shown = format!("{} {error:?}", layers(&error).join(": "));
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn debug_does_not_show_the_client() {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-key", http::HeaderValue::from_static("canary"));
    let client = reqwest::Client::builder()
        .default_headers(headers)
        .build()
        .unwrap();
    let shown = format!("{:?}", ReqwestTransport::with_client(client));
    assert!(!shown.contains("canary"), "{shown}");
}
