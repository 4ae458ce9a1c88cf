//! Limits: rate limit, lockout, timeouts and sizes.

use std::time::{Duration, Instant};

use crate::support::{
    self, Response, credentials, delete_as, deletion, execute, head, read_to_end, serve,
};
use dms_kafka_gateway::Service;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    access_key = [{ access_key = "AK", secret_key = { env = "SK" } }, { access_key = "AK2", secret_key = { env = "SK" } }]
    instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1, records = 10 }] }]
"#;

const IDS: [&str; 3] = ["p", "i", "t"];
const ONE: &str = r#"{"partitions":[{"partition":0,"offset":1}]}"#;

async fn service(more: &str) -> Service {
    serve(&format!("{CONFIG}\n{more}"), std::path::Path::new("")).await
}

async fn delete(service: &Service, access_key: &str, secret_key: &str, body: &str) -> Response {
    delete_as(service, IDS, body, access_key, secret_key).await
}

async fn connect(service: &Service) -> TcpStream {
    support::connect(service.address()).await
}

#[tokio::test]
async fn only_the_key_that_sends_too_many_requests_is_throttled() {
    let service = service("rate_limit = { requests_per_second = 1, burst = 2 }").await;
    for _ in 0..5 {
        let response = delete(&service, "AK", "wrong", ONE).await;
        response.assert_refused(401, "APIGW.0301");
    }
    // Wrong signatures do not count.
    let mut response = delete(&service, "AK", "sk", ONE).await;
    assert_eq!(response.status, 200);
    while response.status == 200 {
        response = delete(&service, "AK", "sk", ONE).await;
    }
    let refused = response;
    refused.assert_refused(429, "APIGW.0308");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(delete(&service, "AK2", "sk", ONE).await.status, 200);
}

#[tokio::test]
async fn a_key_is_locked_for_a_while_after_wrong_signatures() {
    let service = service("lock_out = { failures = 2, seconds = 1 }").await;
    for _ in 0..3 {
        let response = delete(&service, "AK", "wrong", ONE).await;
        response.assert_refused(401, "APIGW.0301");
        let wrong = response.error_msg().contains("verify aksk signature fail");
        assert!(wrong, "{response:?}");
    }
    let started = Instant::now();
    let response = delete(&service, "AK", "sk", ONE).await;
    response.assert_refused(401, "APIGW.0301");
    let locked = "AK access failed to reach the limit,forbidden";
    assert!(response.error_msg().contains(locked), "{response:?}");
    assert_eq!(delete(&service, "AK2", "sk", ONE).await.status, 200);
    while delete(&service, "AK", "sk", ONE).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(10), "still locked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn no_key_is_locked_without_a_lockout() {
    let service = service("").await;
    for _ in 0..20 {
        let response = delete(&service, "AK", "wrong", ONE).await;
        response.assert_refused(401, "APIGW.0301");
    }
    assert_eq!(delete(&service, "AK", "sk", ONE).await.status, 200);
}

#[tokio::test]
async fn a_head_that_does_not_arrive() {
    let service = service("limits.header_seconds = 0.2").await;
    for begun in ["", "POST / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = connect(&service).await;
        stream.write_all(begun.as_bytes()).await.expect("a write");
        let started = Instant::now();
        read_to_end(&mut stream).await;
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    }
}

/// Single bytes do not extend the timeout.
#[tokio::test]
async fn a_head_that_arrives_byte_by_byte() {
    let service = service("limits.header_seconds = 0.5").await;
    let mut stream = connect(&service).await;
    let trickle = async {
        let mut written = stream.write_all(b"POST / HTTP/1.1\r\nx-slow: ").await;
        while written.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            written = stream.write_all(b"x").await;
        }
    };
    let cut_off = tokio::time::timeout(Duration::from_secs(10), trickle).await;
    cut_off.expect("it is cut off");
}

#[tokio::test]
async fn a_body_that_does_not_arrive() {
    let service = service("limits.body_seconds = 0.2").await;
    let request = deletion(&service, IDS, ONE, &credentials("AK", "sk"));
    let head = head(&request, "content-length: 1000");
    let mut stream = connect(&service).await;
    let begun = format!("{head}{ONE}");
    stream.write_all(begun.as_bytes()).await.expect("a write");
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(response.contains("\"APIGW.0201\""), "{response}");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
}

#[tokio::test]
async fn bodies_larger_than_allowed() {
    let service = service("limits.body_bytes = 1000\nlimits.buffered_bytes = 1000").await;
    let large = format!("{ONE}{}", " ".repeat(1000 - ONE.len()));
    assert_eq!(delete(&service, "AK", "sk", &large).await.status, 200);
    let larger = large + " ";
    let response = delete(&service, "AK", "sk", &larger).await;
    response.assert_refused(413, "APIGW.0201");

    // Without a length in its head, a body is counted while it comes.
    let mut request = deletion(&service, IDS, &larger, &credentials("AK", "sk"));
    let chunks = vec![Ok::<_, std::io::Error>(ONE), Ok(&*" ".repeat(1000).leak())];
    let chunks = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    *request.body_mut() = Some(chunks);
    execute(request).await.assert_refused(413, "APIGW.0201");
}

/// A body that arrives slowly keeps its share of the memory until the request ends.
#[tokio::test]
async fn more_bytes_of_bodies_than_the_buffers_allow() {
    let service = service("limits.body_bytes = 200000\nlimits.buffered_bytes = 200000").await;
    let large = format!("{ONE}{}", " ".repeat(200_000 - ONE.len()));
    let request = deletion(&service, IDS, &large, &credentials("AK", "sk"));
    let head = head(&request, "connection: close\r\ncontent-length: 200000");
    let mut half = connect(&service).await;
    let (begun, rest) = large.split_at(150_000);
    let begun = format!("{head}{begun}");
    half.write_all(begun.as_bytes()).await.expect("a write");
    let deadline = Instant::now() + Duration::from_secs(10);
    let busy = loop {
        let response = delete(&service, "AK", "sk", &large).await;
        if response.status != 200 {
            break response;
        }
        assert!(Instant::now() < deadline, "never busy");
    };
    busy.assert_refused(503, "DMS.111501025");
    let small = delete(&service, "AK", "sk", &large[..60_000]).await;
    assert_eq!(small.status, 200);
    half.write_all(rest.as_bytes()).await.expect("a write");
    let response = read_to_end(&mut half).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert_eq!(delete(&service, "AK", "sk", &large).await.status, 200);
}

/// A fault delays the only request that may be served.
#[tokio::test]
async fn more_requests_than_the_concurrency_limit() {
    let service = service(
        "limits.concurrent_requests = 1
        faults.rule = [{ times = 1, fault = { delay_seconds = 0.5 } }]",
    )
    .await;
    let delayed = async {
        assert_eq!(delete(&service, "AK", "sk", ONE).await.status, 200);
    };
    let others = async {
        let deadline = Instant::now() + Duration::from_secs(10);
        let busy = loop {
            let response = delete(&service, "AK", "wrong", ONE).await;
            if response.status != 401 {
                break response;
            }
            assert!(Instant::now() < deadline, "never busy");
        };
        busy.assert_refused(503, "DMS.111501025");
        assert_eq!(busy.header("retry-after"), Some("1"));
    };
    tokio::join!(delayed, others);
    // The next request is served again.
    assert_eq!(delete(&service, "AK", "sk", ONE).await.status, 200);
}

#[tokio::test]
async fn slow_bodies_do_not_count_as_concurrent_requests() {
    let service = service("limits.concurrent_requests = 1").await;
    let request = deletion(&service, IDS, ONE, &credentials("AK", "sk"));
    let more = format!("connection: close\r\ncontent-length: {}", ONE.len());
    let mut slow = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(&service).await;
        let head = head(&request, &more);
        stream.write_all(head.as_bytes()).await.expect("a write");
        slow.push(stream);
    }
    assert_eq!(delete(&service, "AK", "sk", ONE).await.status, 200);
    for mut stream in slow {
        stream.write_all(ONE.as_bytes()).await.expect("a write");
        let response = read_to_end(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }
}

#[tokio::test]
async fn connections_above_the_limit_wait() {
    let service = service("limits.connections = 1\nlimits.header_seconds = 0.3").await;
    let mut first = connect(&service).await;
    let begun = b"GET /healthz HTTP/1.1\r\n";
    first.write_all(begun).await.expect("a write");
    let mut second = connect(&service).await;
    let whole = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    second.write_all(whole).await.expect("a write");
    let response = read_to_end(&mut second).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

/// The response is larger than the buffers of the two sockets.
#[tokio::test]
async fn a_client_that_does_not_read_its_response() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        anonymous = true
        limits.write_seconds = 0.3
        instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1 }] }]
    "#;
    let service = serve(CONFIG, std::path::Path::new("")).await;
    let rows: Vec<_> = (0..250_000)
        .map(|p| format!(r#"{{"partition":{p},"offset":0}}"#))
        .collect();
    let body = format!(r#"{{"partitions":[{}]}}"#, rows.join(","));
    let mut stalled = connect(&service).await;
    let path = support::path(IDS, "messages/delete");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = head + &body;
    stalled
        .write_all(request.as_bytes())
        .await
        .expect("a write");

    let deadline = Instant::now() + Duration::from_secs(30);
    let open = |metrics: &str| metrics.contains("\ndms_kafka_gateway_connections 1\n");
    let answered = r#"requests_total{operation="delete_messages",status="200"} 1"#;
    loop {
        let url = format!("{}/metrics", service.endpoint());
        let metrics = execute(support::request(reqwest::Method::GET, &url, "")).await;
        let text = metrics.body.as_str().expect("text");
        if text.contains(answered) && open(text) {
            break;
        }
        assert!(Instant::now() < deadline, "still open\n{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(stalled);
}
