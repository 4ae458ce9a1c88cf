//! Signed requests for operations that the contract does not have.

use std::time::Duration;

use crate::support::{
    assert_no_secret, builder, canary_credentials, chain, client_of, header, listen, ok,
    read_request, repeat_headers, requests, server,
};
use dms_kafka::{ErrorKind, Outcome};
use dms_kafka_gateway::Gateway;
use http::{Method, Request};
use tokio::io::AsyncWriteExt;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn get(path: &str) -> Request<&'static str> {
    Request::get(path).body("").unwrap()
}

#[tokio::test]
async fn a_verifying_server_accepts_a_signed_request() {
    let gateway = Gateway::memory().topic("orders", 2, 1000);
    let gateway = gateway.start().await.unwrap();
    let client = client_of(&gateway);
    let (project, instance) = (gateway.project_id(), gateway.instance_id());
    let topics = format!("/v2/{project}/instances/{instance}/topics?offset=0&limit=5");
    let listed = client.send_signed(get(&topics)).await.unwrap();
    let listed: serde_json::Value = serde_json::from_slice(listed.body()).unwrap();
    assert_eq!(listed["topics"][0]["name"], "orders");

    let path = format!("/v2/{project}/kafka/instances/{instance}/topics/orders/messages/delete");
    let request = Request::post(path).header("content-type", "application/json");
    let body = r#"{"partitions":[{"partition":1,"offset":400}]}"#;
    client
        .send_signed(request.body(body).unwrap())
        .await
        .unwrap();
    let left = client.list_partitions(instance, "orders").await.unwrap();
    assert_eq!(left[1].start_offset(), 400);
}

#[tokio::test]
async fn any_success_is_returned_as_it_was_received() {
    for (status, body) in [
        (200, &b"\xff\0binary"[..]),
        (201, b"{}"),
        (202, b""),
        (204, b""),
    ] {
        let response = ResponseTemplate::new(status)
            .insert_header("X-Request-Id", "request-7")
            .set_body_bytes(body);
        let server = server(vec![response]).await;
        let client = builder(&server.uri()).build().unwrap();
        let request = Request::builder()
            .method("PATCH")
            .uri("/v9/x%20y/%7Bz%7D?b=2&a=%2F");
        let request = request
            .header("X-Custom", "kept")
            .body(vec![0, 255])
            .unwrap();
        let response = client.send_signed(request).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.body()[..]),
            (status, body)
        );
        assert_eq!(response.headers()["x-request-id"], "request-7");
        let sent = &requests(&server).await[0];
        assert_eq!(sent.method, "PATCH");
        assert!(
            sent.url.as_str().ends_with("/v9/x%20y/%7Bz%7D?b=2&a=%2F"),
            "{}",
            sent.url
        );
        assert_eq!(
            (header(sent, "x-custom"), &sent.body[..]),
            ("kept", &[0, 255][..])
        );
    }
}

#[tokio::test]
async fn a_failure_is_an_error_without_a_word_of_deletions_and_is_not_repeated() {
    let body = r#"{"error_code":"DMS.00403003","error_msg":"no"}"#;
    // status => kind, outcome
    for (status, kind, outcome) in [
        (302, ErrorKind::InvalidAnswer, Outcome::Unknown),
        (307, ErrorKind::InvalidAnswer, Outcome::Unknown),
        (401, ErrorKind::Unauthorized, Outcome::NotApplied),
        (403, ErrorKind::Forbidden, Outcome::NotApplied),
        (429, ErrorKind::Throttled, Outcome::NotApplied),
        (500, ErrorKind::Server, Outcome::Unknown),
        (503, ErrorKind::Server, Outcome::Unknown),
    ] {
        let response = ResponseTemplate::new(status)
            .insert_header("X-Request-Id", "request-7")
            .insert_header("Location", "/elsewhere")
            .set_body_string(body);
        let server = server(vec![response]).await;
        let client = builder(&server.uri()).build().unwrap();
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let request = Request::builder().method(method).uri("/v2/x").body("");
            let error = client.send_signed(request.unwrap()).await.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{status}");
            assert_eq!((error.attempts(), error.code()), (1, Some("DMS.00403003")));
            assert_eq!(error.request_id(), Some("request-7"));
            assert!(!chain(&error).contains("delet"), "{error}");
        }
        assert_eq!(requests(&server).await.len(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_response_that_does_not_arrive_has_an_unknown_outcome() {
    let endless = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_owned();
    for (response, kind) in [
        (String::new(), ErrorKind::Connection),
        (endless, ErrorKind::InvalidAnswer),
        ("garbage\r\n\r\n".to_owned(), ErrorKind::InvalidAnswer),
        (ok(&"x".repeat(2000)), ErrorKind::InvalidAnswer),
    ] {
        let address = listen(move |mut stream| {
            let response = response.clone();
            async move {
                read_request(&mut stream).await;
                stream.write_all(response.as_bytes()).await.unwrap();
            }
        });
        let builder = builder(&format!("http://{}", address.await)).with_response_limit(1000);
        let error = builder
            .build()
            .unwrap()
            .send_signed(get("/v2/x"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (kind, Outcome::Unknown),
            "{error}"
        );
    }
    let silent = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let client = builder(&format!("http://{}", silent.await))
        .build()
        .unwrap();
    let client = client.with_attempt_timeout(Duration::from_millis(30));
    let error = client.send_signed(get("/v2/x")).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
}

#[tokio::test]
async fn a_request_that_would_be_sent_differently_is_refused() {
    let server = server(vec![ResponseTemplate::new(200)]).await;
    let client = builder(&server.uri()).build().unwrap();
    let uris = [
        "http://127.0.0.1:1/v2/x",
        "https://example.com/v2/x",
        "example.com:443",
        "*",
        "/v2/../x",
        "/v2/./x",
        "/v2/%2e%2e/x",
        "/v2/%2E/x",
        "/..",
        "/v2/{project_id}/x",
        "/v2/x?y=\"",
        "/v2/x?y=<z>",
        "/v2/x??y=z",
    ];
    for uri in uris {
        let Ok(request) = Request::get(uri).body("") else {
            continue;
        };
        let error = client.send_signed(request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::InvalidInput, 0),
            "{uri}"
        );
    }
    for name in [
        "Authorization",
        "Connection",
        "Content-Length",
        "Host",
        "Proxy-Authorization",
        "Transfer-Encoding",
        "Upgrade",
        "X-Auth-Token",
        "X-Project-Id",
        "X-Sdk-Content-Sha256",
        "X-Sdk-Date",
        "X-Security-Token",
    ] {
        let request = Request::get("/v2/x").header(name, "canary").body("");
        let error = client.send_signed(request.unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("/v2/x")
        .body("");
    client.send_signed(request.unwrap()).await.unwrap_err();
    assert!(requests(&server).await.is_empty());
    // Two slashes are a path of this endpoint, and not another host.
    client.send_signed(get("//example.com/x")).await.unwrap();
    assert_eq!(requests(&server).await[0].url.path(), "//example.com/x");
}

#[tokio::test]
async fn no_secret_of_a_signed_request_is_shown() {
    for credentials in canary_credentials() {
        let server = MockServer::start().await;
        let repeat = |request: &wiremock::Request| repeat_headers(request, 400);
        Mock::given(any()).respond_with(repeat).mount(&server).await;
        let client = builder(&server.uri())
            .credentials(credentials)
            .build()
            .unwrap();
        let error = client.send_signed(get("/v2/x")).await.unwrap_err();
        assert_no_secret(&format!("{error} {error:?} {:?}", error.body()));
    }
}
