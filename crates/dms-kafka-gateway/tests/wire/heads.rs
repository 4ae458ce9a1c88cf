//! Heads that are refused: of web pages, with other hosts, and with other bodies than JSON.

use std::path::Path;

use crate::support::{
    self, credentials, execute, head, log_start, read_to_end, request, serve, sign, start, url,
    url_at,
};
use dms_kafka_gateway::Gateway;
use huaweicloud_auth::signing::{Payload, RequestTarget, SignedHeaders, Signer};
use reqwest::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const JSON: &str = "content-type: application/json\r\n";
const CHUNKED: &str = "transfer-encoding: chunked";
const BODY: &str = r#"{"partitions":[{"partition":0,"offset":400}]}"#;

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 1, 1000)).await
}

fn path_of(gateway: &Gateway, operation: &str) -> String {
    url(gateway, "orders", operation).replace(gateway.endpoint(), "")
}

/// The response to a request in plain text; `lines` are header lines.
async fn send(gateway: &Gateway, request_line: &str, lines: &str, body: &str) -> String {
    let address = gateway.endpoint().trim_start_matches("http://");
    let mut stream = support::connect(address.parse().expect("an address")).await;
    let length = match body {
        "" => String::new(),
        body if lines.to_lowercase().contains("transfer-encoding") || body.is_empty() => {
            String::new()
        }
        body => format!("content-length: {}\r\n", body.len()),
    };
    let text = format!("{request_line}\r\n{lines}{length}connection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.expect("a write");
    read_to_end(&mut stream).await
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or_default()
}

/// A page of another site can send simple requests, and a host name of its own can resolve to a loopback address.
#[tokio::test]
async fn web_pages_delete_and_read_nothing_on_an_anonymous_gateway() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1000).anonymous()).await;
    let own = gateway.endpoint().trim_start_matches("http://");
    let host = |host: &str| format!("host: {host}\r\n");
    let (delete, list) = (
        path_of(&gateway, "messages/delete"),
        path_of(&gateway, "partitions"),
    );
    let line = |header: &str| format!("{}{JSON}{header}\r\n", host(own));
    for (name, lines, refused) in [
        (
            "foreign origin",
            line("origin: https://evil.example"),
            "403",
        ),
        ("null origin", line("origin: null"), "403"),
        ("own origin", line(&format!("origin: http://{own}")), "403"),
        ("cross-site", line("sec-fetch-site: cross-site"), "403"),
        ("same-site", line("sec-fetch-site: same-site"), "403"),
        (
            "two sites",
            line("sec-fetch-site: none\r\nsec-fetch-site: cross-site"),
            "403",
        ),
        ("rebinding", host("evil.example") + JSON, "403"),
        (
            "rebinding with the port",
            host("evil.example:8080") + JSON,
            "403",
        ),
        (
            "a longer name",
            host("localhost.evil.example") + JSON,
            "403",
        ),
        (
            "a name like an address",
            host("127.0.0.1.evil.example") + JSON,
            "403",
        ),
        ("another address", host("192.0.2.1") + JSON, "403"),
        ("every address", host("0.0.0.0") + JSON, "403"),
        (
            "another address of version 6",
            host("[2001:db8::1]:80") + JSON,
            "403",
        ),
        (
            "a user name",
            host(&format!("evil.example@{own}")) + JSON,
            "400",
        ),
    ] {
        for (method, path) in [("POST", &*delete), ("GET", &*list), ("GET", "/metrics")] {
            let body = if method == "POST" { BODY } else { "" };
            let line = format!("{method} {path} HTTP/1.1");
            let response = send(&gateway, &line, &lines, body).await;
            assert_eq!(status(&response), refused, "{name}, {path}: {response}");
            assert!(!response.contains("start_offset"), "{name}: {response}");
            assert!(
                response.contains("\r\nx-dms-kafka-outcome: not-applied\r\n"),
                "{response}"
            );
        }
        assert_eq!(log_start(&gateway, "orders", 0), 0, "{name}");
    }
    let preflight = send(
        &gateway,
        &format!("OPTIONS {delete} HTTP/1.1"),
        &line("origin: https://evil.example"),
        "",
    )
    .await;
    assert_eq!(status(&preflight), "403", "{preflight}");
    assert!(!preflight.contains("access-control"), "{preflight}");
}

#[tokio::test]
async fn an_anonymous_gateway_serves_json_from_programs_on_this_machine() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1000).anonymous()).await;
    let own = gateway.endpoint().trim_start_matches("http://");
    let host = |host: &str| format!("host: {host}\r\n");
    let delete = path_of(&gateway, "messages/delete");
    // A simple request has one of the media types of forms, and needs no preflight.
    for content_type in [
        "",
        "content-type: text/plain\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "content-type: multipart/form-data; boundary=x\r\n",
        "content-type: text/plain;application/json\r\n",
        "content-type: text/plain\r\ncontent-type: application/json\r\n",
    ] {
        let lines = host(own) + content_type;
        let response = send(&gateway, &format!("POST {delete} HTTP/1.1"), &lines, BODY).await;
        assert_eq!(status(&response), "415", "{content_type:?}: {response}");
        assert_eq!(log_start(&gateway, "orders", 0), 0, "{content_type}");
    }
    for name in [
        own,
        "localhost",
        "LocalHost:1",
        "127.9.9.9",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
    ] {
        for header in [
            "x: y",
            "sec-fetch-site: none",
            "sec-fetch-site: same-origin",
        ] {
            let lines = format!("{}{JSON}{header}\r\n", host(name));
            let response = send(&gateway, &format!("POST {delete} HTTP/1.1"), &lines, BODY).await;
            assert_eq!(status(&response), "200", "{name} {header}: {response}");
        }
    }
}

/// A request that is valid except for the lines that replace its `Host`.
#[tokio::test]
async fn one_valid_host_is_required() {
    let gateway = gateway().await;
    let own = gateway.endpoint().trim_start_matches("http://").to_owned();
    let signed = |host: &str| {
        let url = format!("http://{host}{}", path_of(&gateway, "messages/delete"));
        let mut signed = sign(request(Method::POST, &url, BODY), &gateway.credentials());
        signed.headers_mut().remove("host");
        signed
    };
    let path = path_of(&gateway, "messages/delete");
    for (lines, target, expected) in [
        (format!("host: {own}\r\n"), path.clone(), "200"),
        (String::new(), path.clone(), "400"),
        (
            format!("host: {own}\r\nhost: {own}\r\n"),
            path.clone(),
            "400",
        ),
        (
            format!("host: {own}\r\nhost: evil.example\r\n"),
            path.clone(),
            "400",
        ),
        (format!("host: {own}, {own}\r\n"), path.clone(), "400"),
        ("host: \r\n".to_owned(), path.clone(), "400"),
        (format!("host: http://{own}\r\n"), path.clone(), "400"),
        (format!("host: {own}/\r\n"), path.clone(), "400"),
        (format!("host: user@{own}\r\n"), path.clone(), "400"),
        (format!("host: {own}:1\r\n"), path.clone(), "400"),
        ("host: localhost:x\r\n".to_owned(), path.clone(), "400"),
        ("host: local host\r\n".to_owned(), path.clone(), "400"),
        (
            format!("host: {own}\r\n"),
            format!("http://{own}{path}"),
            "200",
        ),
        (
            format!("host: {own}\r\n"),
            format!("http://evil.example{path}"),
            "400",
        ),
        (
            "host: evil.example\r\n".to_owned(),
            format!("http://{own}{path}"),
            "400",
        ),
    ] {
        let head =
            head(&signed(&own), "").replace(&format!("POST {path}"), &format!("POST {target}"));
        let (request_line, rest) = head.split_once("\r\n").expect("a line");
        let rest = rest.trim_end();
        let lines = format!("{lines}{rest}\r\n");
        let response = send(&gateway, request_line, &lines, BODY).await;
        assert_eq!(status(&response), expected, "{lines:?}: {response}");
    }
    // HTTP/1.0 has no Host.
    let response = send(&gateway, "GET /healthz HTTP/1.0", "", "").await;
    assert_eq!(status(&response), "200", "{response}");
    let response = send(&gateway, "GET /healthz HTTP/1.1", "", "").await;
    assert_eq!(status(&response), "400", "{response}");
}

fn signed_without_host(gateway: &Gateway) -> Request {
    let mut unsigned = request(
        Method::POST,
        &url(gateway, "orders", "messages/delete"),
        BODY,
    );
    let url = unsigned.url().clone();
    let credentials = gateway.credentials();
    let names = SignedHeaders::parse("content-type;x-sdk-date").expect("names");
    let signer = Signer::new(&credentials, std::time::SystemTime::now()).with_signed_headers(names);
    let target = RequestTarget {
        method: &Method::POST,
        host: url.authority(),
        path: url.path(),
        query: "",
    };
    let payload = Payload::Bytes(BODY.as_bytes());
    signer
        .authorize(target, unsigned.headers_mut(), payload)
        .expect("a signature");
    unsigned
}

#[tokio::test]
async fn a_signature_must_cover_the_host() {
    let strict = gateway().await;
    let response = execute(signed_without_host(&strict)).await;
    response.assert_refused(401, "APIGW.0301");
    assert!(response.error_msg().contains("Host"), "{response:?}");
    assert_eq!(log_start(&strict, "orders", 0), 0);
    let lenient = Gateway::memory().topic("orders", 1, 1000);
    let lenient = start(lenient.accept_unsigned_host()).await;
    assert_eq!(execute(signed_without_host(&lenient)).await.status, 200);
}

/// It is no part of a request target (RFC 9112), and hyper drops it: another server may see another path.
#[tokio::test]
async fn a_request_target_with_a_fragment_is_refused() {
    let gateway = gateway().await;
    let own = gateway.endpoint().trim_start_matches("http://");
    let path = path_of(&gateway, "messages/delete");
    let url = url(&gateway, "orders", "messages/delete");
    let signed = sign(request(Method::POST, &url, BODY), &gateway.credentials());
    let first = format!("GET /healthz HTTP/1.1\r\nhost: {own}\r\nx: #y\r\n\r\n");
    for (target, expected) in [
        (format!("{path}#"), "400"),
        (format!("{path}#x"), "400"),
        (format!("{path}?#x"), "400"),
        (format!("http://{own}{path}#x"), "400"),
        (format!("http://{own}#{path}"), "400"),
        (format!("{}#x", "/a".repeat(10_000)), "400"),
        (format!("#{path}"), "400"),
        (path.clone(), "200"),
    ] {
        let mut stream = support::connect(own.parse().expect("an address")).await;
        // A head before it on the connection must not count.
        stream.write_all(first.as_bytes()).await.expect("a write");
        let mut healthy = Vec::new();
        while !healthy.ends_with(b"ok\n") {
            stream.read_buf(&mut healthy).await.expect("a response");
        }
        let lines = format!("content-length: {}\r\nconnection: close", BODY.len());
        let text = head(&signed, &lines).replacen(&path, &target, 1) + BODY;
        stream.write_all(text.as_bytes()).await.expect("a write");
        let response = read_to_end(&mut stream).await;
        assert_eq!(status(&response), expected, "{target}: {response}");
        let deleted = log_start(&gateway, "orders", 0);
        assert_eq!(deleted, if expected == "200" { 400 } else { 0 }, "{target}");
    }
}

#[tokio::test]
async fn transfer_codings_other_than_chunked_are_refused() {
    let gateway = gateway().await;
    for (coding, expected) in [
        ("gzip, chunked", "501"),
        ("identity, chunked", "501"),
        ("chunked, chunked", "501"),
        ("gzip", "400"),
        ("chunked, gzip", "400"),
        ("", "400"),
        ("chunked\r\ntransfer-encoding: gzip", "400"),
        ("gzip\r\ntransfer-encoding: chunked", "501"),
        ("Chunked", "404"),
    ] {
        let lines = format!("host: localhost\r\ntransfer-encoding: {coding}\r\n");
        let response = send(&gateway, "POST / HTTP/1.1", &lines, "0\r\n\r\n").await;
        assert_eq!(status(&response), expected, "{coding:?}: {response}");
    }
}

/// A server in front that uses the other length sees other requests in the same bytes.
#[tokio::test]
async fn a_length_and_chunks_together_are_refused() {
    let gateway = gateway().await;
    let url = url(&gateway, "orders", "messages/delete");
    let signed = sign(request(Method::POST, &url, BODY), &gateway.credentials());
    let chunks = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let length = format!("Content-Length: {}", chunks.len());
    for (lines, expected) in [
        (format!("{length}\r\n{CHUNKED}"), "400"),
        (format!("{CHUNKED}\r\n{length}"), "400"),
        (format!("{CHUNKED}\r\ncontent-length:0"), "400"),
        (CHUNKED.to_owned(), "200"),
    ] {
        let address = gateway.endpoint().trim_start_matches("http://");
        let mut stream = support::connect(address.parse().expect("an address")).await;
        // The request before it on the connection has a length, which must not count.
        let first =
            format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(first.as_bytes()).await.expect("a write");
        let mut healthy = Vec::new();
        while !healthy.ends_with(b"ok\n") {
            stream.read_buf(&mut healthy).await.expect("a response");
        }
        let second = head(&signed, &format!("{lines}\r\nconnection: close")) + &chunks;
        stream.write_all(second.as_bytes()).await.expect("a write");
        let response = read_to_end(&mut stream).await;
        assert_eq!(status(&response), expected, "{lines:?}: {response}");
        let deleted = log_start(&gateway, "orders", 0);
        assert_eq!(deleted, if expected == "200" { 400 } else { 0 }, "{lines}");
    }
}

/// What the request before it has sent is not known to be a body or this head.
#[tokio::test]
async fn chunks_are_refused_before_the_previous_response() {
    let gateway = gateway().await;
    let url = url(&gateway, "orders", "messages/delete");
    let signed = sign(request(Method::POST, &url, BODY), &gateway.credentials());
    let chunks = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let length = format!("content-length: {}", chunks.len());
    let first = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for lines in [format!("{length}\r\n{CHUNKED}"), CHUNKED.to_owned()] {
        let address = gateway.endpoint().trim_start_matches("http://");
        let mut stream = support::connect(address.parse().expect("an address")).await;
        let second = head(&signed, &format!("{lines}\r\nconnection: close")) + &chunks;
        let both = first.to_owned() + &second;
        stream.write_all(both.as_bytes()).await.expect("a write");
        let responses = read_to_end(&mut stream).await;
        assert_eq!(status(&responses), "200", "{responses}");
        let (_, second) = responses.split_once("ok\n").expect("the first response");
        assert_eq!(status(second), "400", "{lines:?}: {responses}");
        assert_eq!(log_start(&gateway, "orders", 0), 0, "{lines:?}");
    }
}

#[tokio::test]
async fn only_json_in_utf8_is_served() {
    let gateway = gateway().await;
    for (name, value, served) in [
        ("content-type", "application/json", true),
        ("content-type", "Application/JSON; Charset=UTF-8", true),
        ("content-type", "application/json;charset=utf8", true),
        ("content-type", "application/json; charset=\"utf-8\"", true),
        ("content-type", "application/json ; version=1", true),
        ("content-type", "application/json;", true),
        ("content-type", "text/plain", false),
        ("content-type", "", false),
        ("content-type", "*/*", false),
        ("content-type", "application/jsonp", false),
        ("content-type", "application/json, text/plain", false),
        ("content-type", "application/vnd.api+json", false),
        ("content-type", "application/x-www-form-urlencoded", false),
        ("content-type", "application/json; charset=utf-16", false),
        ("content-type", "application/json; charset = utf-16", false),
        ("content-type", "application/json; charset=latin1", false),
        ("content-type", "application/json; charset=", false),
        (
            "content-type",
            "application/json; charset=utf-8; charset=utf-16",
            false,
        ),
        ("content-encoding", "identity", true),
        ("content-encoding", "gzip", false),
        ("content-encoding", "GZIP", false),
        ("content-encoding", "br", false),
        ("content-encoding", "identity, gzip", false),
        ("content-encoding", "unknown", false),
    ] {
        for (method, operation) in [
            (Method::POST, "messages/delete"),
            (Method::DELETE, "messages"),
        ] {
            let mut unsigned = request(method, &url(&gateway, "orders", operation), BODY);
            let header = value.parse().expect("a header");
            unsigned.headers_mut().insert(name, header);
            let response = execute(sign(unsigned, &gateway.credentials())).await;
            if served {
                assert_eq!(response.status, 200, "{name}: {value}: {response:?}");
            } else {
                response.assert_refused(415, "APIGW.0201");
            }
        }
    }
    // Some scripts send none.
    let mut without = request(
        Method::POST,
        &url(&gateway, "orders", "messages/delete"),
        BODY,
    );
    without.headers_mut().remove("content-type");
    let response = execute(sign(without, &gateway.credentials())).await;
    assert_eq!(response.status, 200, "{response:?}");
}

/// A query that is not signed makes the signature invalid.
#[tokio::test]
async fn a_deletion_with_a_query_is_refused() {
    let gateway = gateway().await;
    for (query, served) in [
        ("?dry_run=true", false),
        ("?offset=1", false),
        ("?x", false),
        ("?=", false),
        ("?", true),
    ] {
        let url = url(&gateway, "orders", "messages/delete") + query;
        let response = execute(sign(
            request(Method::POST, &url, BODY),
            &gateway.credentials(),
        ))
        .await;
        if served {
            assert_eq!(response.status, 200, "{response:?}");
        } else {
            response.assert_refused(400, "DMS.00400062");
            assert!(response.error_msg().contains("query"), "{response:?}");
            assert_eq!(log_start(&gateway, "orders", 0), 0, "{query}");
        }
    }
}

/// The body of a request that its head already condemns is not waited for.
#[tokio::test]
async fn heads_are_judged_before_the_body_arrives() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        access_key = [
            { access_key = "AK", secret_key = { env = "SK" }, projects = ["p"], topics = ["t"] },
            { access_key = "LIST", secret_key = { env = "SK" }, operations = ["list"] },
        ]
        instance = [
            { id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1, records = 10 }] },
            { id = "j", project_id = "q", memory = {} },
        ]
    "#;
    let service = serve(CONFIG, Path::new("")).await;
    let now = std::time::SystemTime::now();
    let minute = std::time::Duration::from_secs(60);
    for (key, ids, at, expected) in [
        ("NOBODY", ["p", "i", "t"], now, "401"),
        ("AK", ["p", "i", "t"], now - 16 * minute, "401"),
        ("AK", ["p", "i", "t"], now + 16 * minute, "401"),
        ("AK", ["q", "j", "t"], now, "403"),
        ("AK", ["p", "i", "u"], now, "403"),
        ("LIST", ["p", "i", "t"], now, "403"),
    ] {
        let url = url_at(service.endpoint(), ids, "messages/delete");
        let unsigned = request(Method::POST, &url, BODY);
        // The secret key is wrong: it takes the body to see that.
        let signed = support::sign_at(unsigned, &credentials(key, "a guess"), at);
        let head = head(&signed, "content-length: 1000\r\nconnection: close");
        let mut stream = support::connect(service.address()).await;
        stream.write_all(head.as_bytes()).await.expect("a write");
        let response = read_to_end(&mut stream).await;
        assert_eq!(status(&response), expected, "{key} {ids:?}: {response}");
    }
}
