//! What clients that do not behave get, byte by byte.

use std::time::Duration;

use dms_kafka_gateway::Gateway;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{self, read_to_end, start};

const MIB: usize = 1024 * 1024;
const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 1, 1000).anonymous()).await
}

async fn connect(gateway: &Gateway) -> TcpStream {
    let address = gateway.endpoint().trim_start_matches("http://");
    support::connect(address.parse().expect("an address")).await
}

/// Sends these bytes and reads what comes at once.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("a write");
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).await.expect("an answer");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

/// Sends `head` and the blank line after it, and reads until the gateway closes.
async fn send_head(gateway: &Gateway, head: &str) -> String {
    let mut stream = connect(gateway).await;
    let request = format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a write");
    read_to_end(&mut stream).await
}

#[track_caller]
fn assert_refused(answer: &str, status: u16, error_code: &str) {
    let start = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&start), "{answer}");
    let error_code = format!("\"error_code\":\"{error_code}\"");
    assert!(answer.contains(&error_code), "{answer}");
    assert!(answer.contains("\r\nx-request-id: "), "{answer}");
}

fn delete_path(gateway: &Gateway, topic: &str) -> String {
    support::url(gateway, topic, "messages/delete").replace(gateway.endpoint(), "")
}

#[tokio::test]
async fn heads_larger_than_the_vendor_allows() {
    let gateway = gateway().await;
    let one = format!("POST / HTTP/1.1\r\nx-filler: {}", "x".repeat(33 * 1024));
    let lines =
        ["a", "b", "c", "d", "e"].map(|name| format!("\r\n{name}: {}", "x".repeat(30 * 1024)));
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
        let answer = send_head(&gateway, head).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_waited_for() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    let path = delete_path(&gateway, "orders");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        13 * MIB
    );
    stream.write_all(head.as_bytes()).await.expect("a write");
    let answer = read_to_end(&mut stream).await;
    assert_refused(&answer, 413, "APIGW.0201");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

/// The answer is there for a client that writes its whole body before it looks.
#[tokio::test]
async fn a_client_that_goes_on_writing_gets_its_answer() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    let body = "x".repeat(MIB / 2);
    let head = format!(
        "POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("a write");
    stream.write_all(body.as_bytes()).await.expect("a write");
    assert_refused(&read_to_end(&mut stream).await, 404, "APIGW.0101");
}

/// Early refusals wait for the rest of a request, but not for ever: neither one that trickles nor one without end.
#[tokio::test]
async fn a_client_that_does_not_stop_writing_is_cut_off() {
    let gateway = gateway().await;
    for (piece, pause) in [(1, Duration::from_millis(20)), (64 * 1024, Duration::ZERO)] {
        let mut stream = connect(&gateway).await;
        let head = "POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n";
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

/// Clients that are slow to come back on a connection are still met with an answer while others do.
#[tokio::test]
async fn idle_connections_stay_open_as_long_as_requests_come() {
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
        let answer = read_to_end(&mut stream).await;
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer:?}");
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
async fn a_request_that_comes_while_the_gateway_stops_is_refused_with_an_answer() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway).await;
    let path = delete_path(&gateway, "orders");
    let shutdown = tokio::spawn(gateway.shutdown());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    // The first request may still be served; the connection stays for one more.
    let mut answers = String::new();
    while !answers.contains("HTTP/1.1 503 ") {
        assert!(tokio::time::Instant::now() < deadline, "{answers}");
        answers += &exchange(&mut stream, &request).await;
    }
    for part in [
        "DMS.111501025",
        "\r\nretry-after: 1\r\n",
        "\r\nconnection: close\r\n",
    ] {
        assert!(answers.contains(part), "{part:?} is not in {answers}");
    }
    shutdown.await.expect("a shutdown");
}
