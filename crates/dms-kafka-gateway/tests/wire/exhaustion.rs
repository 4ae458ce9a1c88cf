//! Clients that make the gateway hold bodies, responses, heads or connections: others are served meanwhile.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::{Duration, Instant},
};

use crate::support::{
    Response, connect, credentials, delete_as, deletion, execute, head, http, read_to_end, request,
    serve, sign, url_at,
};
use dms_kafka_gateway::Service;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    access_key = [
        { access_key = "AK", secret_key = { env = "SK" } },
        { access_key = "AK2", secret_key = { env = "SK" } },
    ]
    instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1, records = 10 }] }]
"#;

const IDS: [&str; 3] = ["p", "i", "t"];
const ONE: &str = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
const PROBE: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const LONG: Duration = Duration::from_secs(10);

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Another peer on the same machine. Linux accepts every address of 127.0.0.0/8.
#[cfg(target_os = "linux")]
const OTHER_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

async fn service(more: &str) -> Service {
    serve(&format!("{CONFIG}\n{more}"), Path::new("")).await
}

async fn delete(service: &Service, access_key: &str, body: &str) -> Response {
    delete_as(service, IDS, body, access_key, "sk").await
}

/// A connection from this address, with a small receive buffer.
async fn connect_from(service: &Service, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.bind((from, 0).into()).expect("an address");
    let connected = socket.connect(service.address()).await;
    connected.expect("a connection")
}

/// Sends the head of a deletion with a made-up signature, and the first bytes of its body.
async fn park(
    service: &Service,
    from: IpAddr,
    access_key: &str,
    framing: &str,
    body: &str,
) -> TcpStream {
    let request = deletion(service, IDS, ONE, &credentials(access_key, "guess"));
    let mut stream = connect_from(service, from).await;
    let begun = head(&request, framing) + body;
    // The gateway may refuse the request, and close the connection, before it has read everything.
    let _ = stream.write_all(begun.as_bytes()).await;
    stream
}

/// A body of about 31 bytes per row.
fn body_of(rows: u32) -> String {
    let mut body = r#"{"partitions":["#.to_owned();
    for row in 0..rows {
        let comma = if row == 0 { "" } else { "," };
        write!(body, r#"{comma}{{"partition":{row},"offset":0}}"#).expect("memory");
    }
    body + "]}"
}

/// A deletion of one partition in a body of this size.
fn padded(size: usize) -> String {
    format!("{ONE}{}", " ".repeat(size - ONE.len()))
}

async fn probe(mut stream: TcpStream) -> String {
    stream.write_all(PROBE.as_bytes()).await.expect("a write");
    let response = timeout(LONG, read_to_end(&mut stream)).await;
    response.expect("an answer in time")
}

#[tokio::test]
async fn small_deletions_are_served_while_large_bodies_are_parked() {
    let service = service("limits.body_bytes = 250000\nlimits.buffered_bytes = 1000000").await;
    let (length, chunked) = ("content-length: 250000", "transfer-encoding: chunked");
    let part = " ".repeat(249_999);
    let chunk = format!("{:x}\r\n{part}\r\n", part.len());
    let mut parked = Vec::new();
    for (framing, body) in [(length, &part), (chunked, &chunk)].repeat(31) {
        parked.push(park(&service, LOCALHOST, "AK", framing, body).await);
    }
    for nth in 0..27 {
        let response = delete(&service, "AK", &padded(60_000)).await;
        assert_eq!(response.status, 200, "{nth}: {response:?}");
    }
    drop(parked);
}

/// Bodies of one key and of one peer take only a share of the memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn parked_bodies_leave_memory_for_other_keys_and_peers() {
    for (key, from, limit) in [
        ("AK2", LOCALHOST, "buffered_bytes_per_key"),
        ("AK", OTHER_PEER, "buffered_bytes_per_peer"),
    ] {
        let service = service(
            &format!(
                "limits.body_bytes = 250000\nlimits.buffered_bytes = 1000000
            limits.buffered_bytes_per_peer = 1000000\nlimits.buffered_bytes_per_key = 1000000
            limits.{limit} = 250000"
            )
            .replacen(&format!("limits.{limit} = 1000000"), "", 1),
        )
        .await;
        let mut parked = Vec::new();
        for _ in 0..8 {
            let body = " ".repeat(249_999);
            parked.push(park(&service, from, key, "content-length: 250000", &body).await);
        }
        // The last one is answered: nothing of the share is left for it.
        let refused = timeout(LONG, read_to_end(parked.last_mut().expect("one"))).await;
        let refused = refused.expect("a refusal");
        assert!(refused.starts_with("HTTP/1.1 503 "), "{limit}: {refused}");
        let response = delete(&service, "AK", &padded(240_000)).await;
        assert_eq!(response.status, 200, "{limit}: {response:?}");
    }
}

/// No body follows the head, so a refusal shows that the gateway did not wait for it.
#[tokio::test]
async fn requests_that_the_head_alone_condemns_are_refused_before_the_body() {
    let service = service("rate_limit = { requests_per_second = 1, burst = 1 }").await;
    let url = url_at(service.endpoint(), IDS, "messages/delete");
    let guessed = |key: &str| sign(request(Method::POST, &url, ONE), &credentials(key, "guess"));
    let mut no_signature = guessed("AK");
    no_signature.headers_mut().remove("authorization");
    let mut not_listed = guessed("AK");
    let headers = not_listed.headers_mut();
    let authorization = headers["authorization"].to_str().expect("ASCII");
    let authorization = authorization.replace("SignedHeaders=", "SignedHeaders=a-missing-one;");
    headers.insert("authorization", authorization.parse().expect("a header"));
    while delete(&service, "AK2", ONE).await.status != 429 {}
    for (why, request, status) in [
        ("the key is throttled", guessed("AK2"), 429),
        ("no signature", no_signature, 401),
        ("a listed header is missing", not_listed, 401),
    ] {
        let mut stream = connect(service.address()).await;
        let head = head(&request, "connection: close\r\ncontent-length: 1000");
        stream.write_all(head.as_bytes()).await.expect("a write");
        let response = timeout(LONG, read_to_end(&mut stream)).await;
        let response = response.unwrap_or_else(|_| panic!("{why}: the gateway waits for the body"));
        let start = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&start), "{why}: {response}");
    }
}

#[tokio::test]
async fn the_memory_of_a_response_is_held_until_it_is_read() {
    let service = service("limits.body_bytes = 4000000\nlimits.buffered_bytes = 4000000").await;
    let body = body_of(100_000);
    let mut readers = Vec::new();
    for _ in 0..2 {
        let request = deletion(&service, IDS, &body, &credentials("AK", "sk"));
        let head = head(&request, &format!("content-length: {}", body.len()));
        let mut reader = connect_from(&service, LOCALHOST).await;
        let request = head + &body;
        reader.write_all(request.as_bytes()).await.expect("a write");
        let mut start = [0; 15];
        reader.read_exact(&mut start).await.expect("a response");
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        readers.push(reader);
    }
    let response = delete(&service, "AK", &body).await;
    response.assert_refused(503, "DMS.111501025");
    drop(readers);
    let started = Instant::now();
    while delete(&service, "AK", &body).await.status != 200 {
        assert!(started.elapsed() < LONG, "the memory is still held");
    }
}

/// The gateway and this test share one thread, so work on a body that runs on it stops the ticks.
#[tokio::test]
async fn work_on_a_large_body_does_not_stop_the_runtime() {
    let service = service("").await;
    let rows = body_of(100_000);
    let invalid_at_the_end = rows.replace("]}", r#",{"partition":-1,"offset":0}]}"#);
    for (what, body, status) in [
        ("hashing", padded(4_000_000), 200),
        ("parsing", invalid_at_the_end, 400),
    ] {
        let request = deletion(&service, IDS, &body, &credentials("AK", "sk"));
        let (started, http) = (Instant::now(), http());
        let answered = async {
            let response = http.execute(request).await.expect("a response");
            assert_eq!(response.status(), status);
        };
        let mut longest = Duration::ZERO;
        let ticks = async {
            loop {
                let before = Instant::now();
                sleep(Duration::from_millis(1)).await;
                longest = longest.max(before.elapsed());
            }
        };
        tokio::select! {
            () = answered => {}
            () = ticks => {}
        }
        let elapsed = started.elapsed();
        println!("{what}: stopped for {longest:?} of {elapsed:?}");
        assert!(longest < elapsed / 2, "{what}: {longest:?} of {elapsed:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_of_the_peer_is_closed_for_a_new_one() {
    for (what, begun) in [
        ("nothing", ""),
        ("the start of a head", "POST / HTTP/1.1\r\nhost: x\r\nx-a: "),
        ("a request, served", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        let service = service("limits.connections = 8").await;
        let mut idle = Vec::new();
        for _ in 0..40 {
            let mut stream = connect(service.address()).await;
            let _ = stream.write_all(begun.as_bytes()).await;
            idle.push(stream);
        }
        let started = Instant::now();
        let response = probe(connect(service.address()).await).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{what}: {response}");
        assert!(started.elapsed() < LONG, "{what}");
    }
}

/// Only a connection that waits for a request is closed: the outcome of a request would be unknown.
#[tokio::test]
async fn a_connection_with_a_request_is_not_closed_for_a_new_one() {
    let service = service("limits.connections = 4\nlimits.connections_per_peer = 3").await;
    let request = deletion(&service, IDS, ONE, &credentials("AK", "sk"));
    let framing = format!("connection: close\r\ncontent-length: {}", ONE.len());
    let mut busy = connect(service.address()).await;
    let begun = head(&request, &framing) + &ONE[..1];
    busy.write_all(begun.as_bytes()).await.expect("a write");
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut unfinished = connect(service.address()).await;
        let _ = unfinished.write_all(b"GET / HTTP/1.1\r\n").await;
        idle.push(unfinished);
        let response = probe(connect(service.address()).await).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }
    let rest = &ONE.as_bytes()[1..];
    busy.write_all(rest).await.expect("a write");
    let response = read_to_end(&mut busy).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_has_only_its_share_of_the_connections() {
    let service = service("limits.connections = 8").await;
    let mut busy = Vec::new();
    for _ in 0..40 {
        let length = "content-length: 1000";
        busy.push(park(&service, OTHER_PEER, "AK", length, "x").await);
    }
    // The last one is closed without a response.
    let mut last = busy.pop().expect("one");
    let closed = timeout(LONG, last.read(&mut [0; 1])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    let response = probe(connect(service.address()).await).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert_eq!(delete(&service, "AK", ONE).await.status, 200);
}

#[tokio::test]
async fn the_operations_address_serves_probes_while_all_connections_are_taken() {
    let service = service(
        "operations_listen = \"127.0.0.1:0\"\nlimits.connections = 2\nlimits.connections_per_peer = 2",
    )
    .await;
    let operations = service.operations_endpoint().expect("a URL").to_owned();
    let mut busy = Vec::new();
    for _ in 0..8 {
        busy.push(park(&service, LOCALHOST, "AK", "content-length: 1000", "x").await);
    }
    for (path, text) in [
        ("/healthz", "ok\n"),
        ("/readyz", "ready\n"),
        ("/metrics", "# EOF\n"),
    ] {
        let url = format!("{operations}{path}");
        let response = execute(request(Method::GET, &url, "")).await;
        let body = response.body.as_str().unwrap_or_default();
        assert!(
            response.status == 200 && body.ends_with(text),
            "{response:?}"
        );
    }
    drop(busy);
    let api = url_at(&operations, IDS, "partitions");
    let elsewhere = ["/healthz", "/readyz", "/metrics"];
    let elsewhere = elsewhere.map(|path| format!("{}{path}", service.endpoint()));
    for url in elsewhere.iter().chain([&api]) {
        let response = execute(request(Method::GET, url, "")).await;
        response.assert_refused(404, "APIGW.0101");
    }
    service.shutdown().await;
    let address = operations.replace("http://", "");
    assert!(TcpStream::connect(address).await.is_err());
}

/// A refusal quotes the canonical request, which contains the query.
#[tokio::test]
async fn a_refusal_does_not_repeat_a_long_head() {
    let service = service("").await;
    let long = "?a=".to_owned() + &"%FF".repeat(10_000);
    let url = url_at(service.endpoint(), IDS, "partitions") + &long;
    let unsigned = request(Method::GET, &url, "");
    let response = execute(sign(unsigned, &credentials("AK", "wrong"))).await;
    response.assert_refused(401, "APIGW.0301");
    let length = response.error_msg().len();
    assert!(length < 10_000, "{length} bytes");
}

#[tokio::test]
async fn a_listing_with_a_large_body_is_refused() {
    let service = service("").await;
    let url = url_at(service.endpoint(), IDS, "partitions");
    for (size, status) in [(60_000, 200), (100_000, 413)] {
        let unsigned = request(Method::GET, &url, padded(size));
        let response = execute(sign(unsigned, &credentials("AK", "sk"))).await;
        assert_eq!(response.status, status, "{response:?}");
    }
}
