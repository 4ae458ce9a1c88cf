//! What goes over the wire, how often, and what a call leaves behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dms_kafka::auth::{
    Credentials, CredentialsError, ProvideCredentials, ProvideCredentialsFuture,
};
use dms_kafka::{
    Client, DeleteMessages, Deletion, DeletionTarget, Error, ErrorKind, Outcome, RetryPolicy,
};
use serde_json::{Value, json};
use support::{builder, read_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn deleted(partitions: &[i32]) -> ResponseTemplate {
    let items: Vec<Value> = partitions
        .iter()
        .map(|partition| json!({"partition": partition, "result": "success", "error_code": "0"}))
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({ "partitions": items }))
}

/// Answers in turn; the last one again and again.
async fn server(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let at = turn.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        answers[at].clone()
    };
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

#[tokio::test]
async fn offsets_and_partitions_are_exact_on_the_wire() {
    let targets = [
        (0, DeletionTarget::Before(0), "0"),
        (1, DeletionTarget::Before(1 << 31), "2147483648"),
        (2, DeletionTarget::Before((1 << 53) + 1), "9007199254740993"),
        (
            i32::MAX,
            DeletionTarget::Before(i64::MAX),
            "9223372036854775807",
        ),
        (3, DeletionTarget::Everything, "-1"),
    ];
    let partitions: Vec<i32> = targets.iter().map(|target| target.0).collect();
    let server = server(vec![deleted(&partitions)]).await;
    let client = builder(&server.uri()).build().unwrap();
    let mut request = client.delete_messages("instance", "orders");
    for (partition, target, _) in targets {
        request = request.target(partition, target);
    }
    request.send().await.unwrap().into_result().unwrap();
    let sent = requests(&server).await;
    let body = String::from_utf8(sent[0].body.clone()).unwrap();
    for (partition, _, offset) in targets {
        let item = format!(r#"{{"offset":{offset},"partition":{partition}}}"#);
        assert!(body.contains(&item), "{item} in {body}");
    }
}

#[tokio::test]
async fn no_header_tells_more_than_it_must() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri()).build().unwrap();
    let request = client.delete_messages("instance", "orders").before(0, 1);
    request.send().await.unwrap().into_result().unwrap();
    let sent = &requests(&server).await[0];
    let names: HashSet<&str> = sent.headers.keys().map(http::HeaderName::as_str).collect();
    let expected = [
        "accept",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-project-id",
        "x-sdk-date",
    ];
    assert_eq!(names, HashSet::from(expected));
    let product = concat!("dms-kafka/", env!("CARGO_PKG_VERSION"));
    assert_eq!(header(sent, "user-agent"), product);
}

#[tokio::test]
async fn each_attempt_is_signed_anew_and_waits_as_long_as_asked() {
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "1");
    let server = server(vec![busy, deleted(&[0])]).await;
    let client = builder(&server.uri()).build().unwrap();
    let begin = std::time::Instant::now();
    let request = client.delete_messages("instance", "orders").before(0, 1);
    let deletion = request.send().await.unwrap();
    assert_eq!(deletion.attempts(), 2);
    assert!(begin.elapsed() >= Duration::from_secs(1));
    let sent = requests(&server).await;
    assert_ne!(
        header(&sent[0], "x-sdk-date"),
        header(&sent[1], "x-sdk-date")
    );
    assert_ne!(
        header(&sent[0], "authorization"),
        header(&sent[1], "authorization")
    );
}

/// Gives out a token, and another one only when told that it was refused.
#[derive(Debug, Default)]
struct Tokens {
    refusals: AtomicUsize,
    stubborn: bool,
}

impl ProvideCredentials for Tokens {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        let number = self.refusals.load(Ordering::SeqCst);
        Box::pin(async move { Credentials::token(format!("token-{number}")) })
    }

    fn invalidate(&self, refused: &Credentials) {
        assert!(refused.is_token());
        if !self.stubborn {
            self.refusals.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn delete_everything_with(tokens: Tokens, server: &MockServer) -> Result<Deletion, Error> {
    let client = builder(&server.uri()).credentials(tokens).build()?;
    client
        .delete_messages("instance", "orders")
        .everything(0)
        .send()
        .await
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let refused = ResponseTemplate::new(401);
    let server = server(vec![refused.clone(), deleted(&[0])]).await;
    delete_everything_with(Tokens::default(), &server)
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let tokens: Vec<String> = requests(&server)
        .await
        .iter()
        .map(|request| header(request, "x-auth-token").to_owned())
        .collect();
    assert_eq!(tokens, ["token-0", "token-1"]);
}

#[tokio::test]
async fn a_second_refusal_ends_the_call() {
    let server = server(vec![ResponseTemplate::new(401)]).await;
    let error = delete_everything_with(Tokens::default(), &server)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unauthorized, 2)
    );
    assert_eq!(error.outcome(), Outcome::NotApplied);
}

#[tokio::test]
async fn the_same_token_is_not_sent_again() {
    let server = server(vec![ResponseTemplate::new(401)]).await;
    let tokens = Tokens {
        stubborn: true,
        ..Tokens::default()
    };
    let error = delete_everything_with(tokens, &server).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unauthorized, 1)
    );
    assert_eq!(requests(&server).await.len(), 1);
}

#[derive(Debug)]
struct Broken;

impl ProvideCredentials for Broken {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(async { Err(CredentialsError::not_found("the vault is sealed")) })
    }
}

#[tokio::test]
async fn bad_input_sends_nothing_and_names_the_rule() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri()).build().unwrap();
    let topic = |topic: &str| client.delete_messages("instance", topic);
    let orders = || topic("orders");
    let many = |request: DeleteMessages| (0..300_000).fold(request, |r, p| r.before(p, i64::MAX));
    let cases = [
        (orders(), "no partition is named"),
        (orders().before(0, -1), "everything(partition)"),
        (orders().before(-1, 0), "partitions count from 0"),
        (orders().before(0, 1).everything(0), "named twice"),
        (topic("..").before(0, 1), "not a Kafka topic name"),
        (topic("a/b").before(0, 1), "not a Kafka topic name"),
        (
            client.delete_messages("", "orders").before(0, 1),
            "instance id",
        ),
        (many(orders()), "name fewer partitions"),
        (
            builder(&server.uri())
                .credentials(Broken)
                .build()
                .unwrap()
                .delete_messages("instance", "orders")
                .before(0, 1),
            "the vault is sealed",
        ),
    ];
    for (request, rule) in cases {
        let error = request.send().await.unwrap_err();
        assert!(error.to_string().contains(rule), "{error}");
        assert_eq!(
            (error.attempts(), error.outcome()),
            (0, Outcome::NotApplied),
            "{error}"
        );
    }
    assert!(requests(&server).await.is_empty());
}

#[test]
fn a_builder_names_what_is_wrong_and_repeats_no_secret() {
    let good = || builder("https://dms.example.com");
    let cases = [
        (Client::builder(), "no endpoint"),
        (
            Client::builder().endpoint("https://dms.example.com"),
            "no project id",
        ),
        (builder("http://dms.example.com"), "allow_plaintext_http"),
        (
            builder("https://user:canary@dms.example.com"),
            "credentials provider",
        ),
        (
            builder("https://user:canary@dms.example.com:99999"),
            "credentials provider",
        ),
        (builder("ftp://dms.example.com"), "scheme"),
        (builder("https://dms.example.com/v2"), "path"),
        (good().project_id("../x"), "project id"),
        (
            good().with_call_timeout(Duration::ZERO),
            "call time-out is zero",
        ),
        (
            good().with_attempt_timeout(Duration::ZERO),
            "attempt time-out is zero",
        ),
        (
            good().with_connect_timeout(Duration::ZERO),
            "connect time-out is zero",
        ),
        (
            good().with_proxy("http://user:canary@["),
            "the proxy is not a URL",
        ),
        #[cfg(feature = "rustls")]
        (good().with_root_certificates("canary"), "root certificates"),
        #[cfg(feature = "rustls")]
        (
            good().with_client_certificate("canary"),
            "client certificate",
        ),
    ];
    for (builder, rule) in cases {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert!(error.to_string().contains(rule), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            !format!("{error} {error:?} {shown}").contains("canary"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_time_out_without_end_is_no_panic() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri())
        .with_connect_timeout(Duration::MAX)
        .with_attempt_timeout(Duration::MAX)
        .with_call_timeout(Duration::MAX)
        .build()
        .unwrap();
    let request = client.delete_messages("instance", "orders").before(0, 1);
    request.send().await.unwrap().into_result().unwrap();
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = builder(&endpoint).build().unwrap();
    let call = tokio::spawn(
        client
            .delete_messages("instance", "orders")
            .before(0, 1)
            .send(),
    );
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await.unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        .await
        .unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let mut rest = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut rest));
    assert!(
        matches!(read.await.unwrap(), Ok(0) | Err(_)),
        "the connection is still open"
    );
}

#[tokio::test]
async fn a_deletion_prints_as_a_table() {
    let body = json!({"partitions": [
        {"partition": 0, "result": "success", "error_code": 0},
        {"partition": 1, "result": "fail", "error_code": "1"},
        {"partition": 7, "result": "success"},
    ]});
    let server = server(vec![ResponseTemplate::new(200).set_body_json(body)]).await;
    let client = builder(&server.uri()).build().unwrap();
    let request = client.delete_messages("instance", "orders");
    let deletion = request
        .before(0, 400)
        .before(1, 500)
        .everything(2)
        .send()
        .await
        .unwrap();
    let expected = "\
partition                   asked for  status        result    error code
        0                  before 400  deleted       success   0
        1                  before 500  failed        fail      1
        2                  everything  not_reported  -         -
        7                     nothing  unexpected    success   -
";
    assert_eq!(deletion.to_string(), expected);
}

#[tokio::test]
async fn a_call_that_only_reads_never_speaks_of_unknown_deletions() {
    let server = server(vec![ResponseTemplate::new(500)]).await;
    let client = builder(&server.uri())
        .with_retry(RetryPolicy::never())
        .build()
        .unwrap();
    let error = client
        .list_partitions("instance", "orders")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Server, Outcome::NotApplied)
    );
}

fn row(partition: i32) -> Value {
    json!({"partition": partition, "start_offset": 1, "last_offset": 9})
}

#[tokio::test]
async fn a_list_that_contradicts_itself_is_refused() {
    let page = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let cases = [
        (
            vec![
                json!({"total": 3, "partitions": [row(0)]}),
                json!({"total": 3, "partitions": []}),
            ],
            "shorter than it says",
        ),
        (vec![json!({"total": 3, "partitions": [row(0)]})], "twice"),
        (vec![json!({"partitions": [row(0)]})], "twice"),
        (
            vec![json!({"total": 1, "partitions": [{"partition": 0}]})],
            "lacks a number",
        ),
        (
            vec![
                json!({"total": 1, "partitions": [{"partition": 0, "start_offset": 9, "last_offset": 1}]}),
            ],
            "negative",
        ),
        (
            vec![
                json!({"total": 1, "partitions": [{"partition": -1, "start_offset": 0, "last_offset": 1}]}),
            ],
            "negative",
        ),
    ];
    for (pages, rule) in cases {
        let server = server(pages.into_iter().map(page).collect()).await;
        let client = builder(&server.uri()).build().unwrap();
        let error = client
            .list_partitions("instance", "orders")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
        assert!(error.to_string().contains(rule), "{error}");
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_sorted() {
    let page = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let pages = [
        json!({"total": 3, "partitions": [row(2), row(0)]}),
        json!({"total": 3, "partitions": [row(1)]}),
    ];
    let server = server(pages.map(page).to_vec()).await;
    let client = builder(&server.uri()).build().unwrap();
    let list = client.list_partitions("instance", "orders").await.unwrap();
    let partitions: Vec<i32> = list
        .iter()
        .map(dms_kafka::PartitionInfo::partition)
        .collect();
    assert_eq!(partitions, [0, 1, 2]);
    let sent = requests(&server).await;
    assert!(sent[1].url.query().unwrap().contains("offset=2"));
}

#[test]
fn clients_and_calls_go_anywhere() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>(_: T) {}

    shared::<Client>();
    shared::<Deletion>();
    error::<Error>();
    let client = builder("http://127.0.0.1:1").build().unwrap();
    sent(
        client
            .delete_messages("instance", "orders")
            .before(0, 1)
            .send(),
    );
    sent(async move { client.list_partitions("instance", "orders").await });
}

#[tokio::test]
async fn a_request_on_a_connection_that_dies_is_not_sent_again_behind_the_callers_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = builder(&endpoint)
        .with_retry(RetryPolicy::never())
        .build()
        .unwrap();
    let delete = || {
        client
            .delete_messages("instance", "orders")
            .before(0, 1)
            .send()
    };
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        let body = r#"{"partitions":[{"partition":0,"result":"success"}]}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        read_request(&mut stream).await.unwrap();
        drop(stream);
        // Whoever sends the request again needs a new connection.
        let again = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await;
        assert!(again.is_err(), "a connection was made for a second try");
    };
    let calls = async {
        delete().await.unwrap().into_result().unwrap();
        delete().await.unwrap_err()
    };
    let (error, ()) = tokio::join!(calls, server);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Connection, Outcome::Unknown)
    );
}
