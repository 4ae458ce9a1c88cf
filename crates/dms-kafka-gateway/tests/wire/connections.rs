//! Clients that misbehave, on plain TCP connections.

use std::time::Duration;

use dms_kafka_gateway::Gateway;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{self, read_to_end, start};

const MIB: usize = 1024 * 1024;
const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 1, 1000).anonymous()).await
}

async fn connect(gateway: &Gateway) -> TcpStream {
    let address = gateway.endpoint().trim_start_matches("http://");
    support::connect(address.parse().expect("an address")).await
}

/// Sends these bytes and reads the first part of the response.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("a write");
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).await.expect("a response");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

/// Sends `head` and the blank line after it, and reads until the gateway closes.
async fn send_head(gateway: &Gateway, head: &str) -> String {
    let mut stream = connect(gateway).await;
    let request = format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a write");
    read_to_end(&mut stream).await
}

#[track_caller]
fn assert_refused(response: &str, status: u16, error_code: &str) {
    let start = format!("HTTP/1.1 {status} ");
    assert!(response.starts_with(&start), "{response}");
    let error_code = format!("\"error_code\":\"{error_code}\"");
    assert!(response.contains(&error_code), "{response}");
    assert!(response.contains("\r\nx-request-id: "), "{response}");
}

fn delete_path(gateway: &Gateway, topic: &str) -> String {
    support::url(gateway, topic, "messages/delete").replace(gateway.endpoint(), "")
}

#[tokio::test]
async fn heads_larger_than_allowed() {
    let gateway = gateway().await;
    let one = format!("POST / HTTP/1.1\r\nx-filler: {}", "x".repeat(33 * 1024));
    let lines =
        ["a", "b", "c", "d", "e"].map(|name| format!("\r\n{name}: {}", "x".repeat(10 * 1024)));
    let many = "POST / HTTP/1.1".to_owned() + &lines.concat();
    let target = format!("POST /{} HTTP/1.1", "x".repeat(33 * 1024));
    for (head, status) in [(one, 494), (many, 494), (target, 414)] {
        assert_refused(&send_head(&gateway, &head).await, status, "APIGW.0201");
    }
}

#[tokio::test]
async fn heads_that_cannot_be_read() {
    let gateway = gateway().await;
    let endless = format!("POST / HTTP/1.1\r\nx-filler: {}", "x".repeat(MIB));
    for (head, status) in [(&*endless, "431"), ("\u{16}\u{3}\u{1}", "400")] {
        let response = send_head(&gateway, head).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&start), "{response}");
    }
}

#[tokio::test]
async fn a_body_with_a_content_length_above_the_limit_is_not_read() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    let path = delete_path(&gateway, "orders");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        13 * MIB
    );
    stream.write_all(head.as_bytes()).await.expect("a write");
    let response = read_to_end(&mut stream).await;
    assert_refused(&response, 413, "APIGW.0201");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
}

/// The body may never come. A client that is not told would send its next request to a connection that is being closed.
#[tokio::test]
async fn a_refusal_before_the_body_announces_the_end_of_the_connection() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1000)).await;
    let path = delete_path(&gateway, "orders");
    for target in [&*path, "/nowhere"] {
        let mut stream = connect(&gateway).await;
        let head =
            format!("POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a write");
        let response = read_to_end(&mut stream).await;
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
}

#[tokio::test]
async fn a_client_that_is_still_writing_gets_the_response() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    let body = "x".repeat(MIB / 2);
    let head = format!(
        "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("a write");
    stream.write_all(body.as_bytes()).await.expect("a write");
    assert_refused(&read_to_end(&mut stream).await, 404, "APIGW.0101");
}

/// After an early refusal the gateway reads the rest of a request only within limits of time and size.
#[tokio::test]
async fn a_client_that_does_not_stop_writing_is_cut_off() {
    let gateway = gateway().await;
    for (piece, pause) in [(1, Duration::from_millis(20)), (64 * 1024, Duration::ZERO)] {
        let mut stream = connect(&gateway).await;
        let head =
            "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n";
        assert_refused(&exchange(&mut stream, head).await, 404, "APIGW.0101");
        let (rest, mut sent) = (vec![b'x'; piece], 0);
        let writing = async {
            while stream.write_all(&rest).await.is_ok() {
                sent += piece;
                tokio::time::sleep(pause).await;
            }
        };
        let ended = timeout(Duration::from_secs(10), writing).await;
        ended.expect("it is cut off");
        // The buffers of two sockets come on top of what is read.
        assert!(sent < 16 * MIB, "{sent} bytes of pieces of {piece}");
    }
}

#[tokio::test]
async fn topics_of_dots_reach_no_other_path() {
    let gateway = gateway().await;
    for topic in ["..", ".", "%2e%2e", "%2E", "..%2f..", "%ff", "%00"] {
        let path = delete_path(&gateway, topic);
        let head = format!("POST {path} HTTP/1.1\r\ncontent-length: 0");
        assert_refused(&send_head(&gateway, &head).await, 400, "DMS.00400062");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_by_a_shutdown() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    assert_refused(&exchange(&mut stream, GET).await, 404, "APIGW.0101");
    let ((), rest) = tokio::join!(gateway.shutdown(), read_to_end(&mut stream));
    assert_eq!(rest, "");
}

#[tokio::test]
async fn idle_connections_stay_open_during_a_shutdown_while_requests_come() {
    let gateway = gateway().await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(&gateway).await;
        assert_ne!(exchange(&mut stream, GET).await, "");
        idle.push(stream);
    }
    let shutdown = tokio::spawn(gateway.shutdown());
    for mut stream in idle {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(GET.as_bytes()).await.expect("a write");
        let response = read_to_end(&mut stream).await;
        assert!(
            response.contains("\r\nconnection: close\r\n"),
            "{response:?}"
        );
    }
    shutdown.await.expect("a shutdown");
}

#[tokio::test]
async fn a_dropped_gateway_stops() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    drop(gateway);
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_request_during_a_shutdown_gets_a_refusal() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    let path = delete_path(&gateway, "orders");
    let shutdown = tokio::spawn(gateway.shutdown());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    // The first request may still be served; the connection stays open for another one.
    let mut responses = String::new();
    while !responses.contains("HTTP/1.1 503 ") {
        assert!(tokio::time::Instant::now() < deadline, "{responses}");
        responses += &exchange(&mut stream, &request).await;
    }
    for part in [
        "DMS.111501025",
        "\r\nretry-after: 1\r\n",
        "\r\nconnection: close\r\n",
    ] {
        assert!(responses.contains(part), "{part:?} is not in {responses}");
    }
    shutdown.await.expect("a shutdown");
}
