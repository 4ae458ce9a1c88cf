//! The signature covers the bytes that are sent, and responses are captured.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::SystemTime;

use dms_kafka_client::{
    Attempt, CapturedResponse, Client, Completeness, Error, ResponseValue, types,
};
use http::{HeaderMap, Method};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Payload, RequestTarget, SigningRequest};
use huaweicloud_auth::verification::{Authorization, Verifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn attempt() -> Attempt {
    Attempt::new(Credentials::new("access-key", "secret-key").unwrap())
}

/// Sends one deletion with the attempt.
async fn delete(
    endpoint: &str,
    attempt: &Attempt,
    topic: &str,
) -> Result<ResponseValue<types::DeleteKafkaTopicMessagesResponse>, Error<types::ErrorResponse>> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let client = Client::new_with_client(endpoint.parse().unwrap(), http, attempt.clone());
    let body = types::DeleteKafkaMessageRequestBody {
        partitions: vec![types::PartitionOffsetEntity {
            partition: Some(0),
            offset: Some(400),
        }],
    };
    client
        .delete_kafka_topic_messages("project", "instance", topic, &body)
        .await
}

#[tokio::test]
async fn the_signature_covers_the_bytes_that_are_received() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    for topic in [
        "orders", "a b", "a/b", "тема", "a+b:c@d", "a?b#c", "100%", "$&",
    ] {
        let attempt = attempt().with_project_id("project".parse().unwrap());
        let _ = delete(&server.uri(), &attempt, topic).await;
        let requests = server.received_requests().await.unwrap();
        let sent = requests.last().unwrap();
        assert!(!sent.headers.contains_key("api-version"), "{topic}");
        let host = sent.headers["host"].to_str().unwrap();
        let request = SigningRequest {
            target: RequestTarget {
                method: &Method::POST,
                host,
                path: sent.url.path(),
                query: "",
            },
            headers: &sent.headers,
            payload: Payload::Bytes(&sent.body),
        };
        let authorization = Authorization::from_headers(&sent.headers).unwrap();
        let verified =
            Verifier::default().verify(&authorization, &request, "secret-key", SystemTime::now());
        assert!(verified.is_ok(), "{topic}: {verified:?}");
    }
}

#[tokio::test]
async fn results_of_the_generated_client_have_status_headers_and_body() {
    for (status, body, expected) in [
        (200, r#"{"partitions":[]}"#, "value: 200 id-1"),
        (200, "[]", "invalid: []"),
        (404, r#"{"error_code":"DMS.1"}"#, "error: 404 id-1 DMS.1"),
        (404, "<html>", "invalid: <html>"),
        (302, "moved", "unexpected: 302 id-1 moved"),
        (302, "", "unexpected: 302 id-1 "),
    ] {
        let server = MockServer::start().await;
        let response = ResponseTemplate::new(status).insert_header("x-request-id", "id-1");
        Mock::given(any())
            .respond_with(response.set_body_string(body))
            .mount(&server)
            .await;
        let id = |headers: &HeaderMap| headers["x-request-id"].to_str().unwrap().to_owned();
        let result = match delete(&server.uri(), &attempt(), "orders").await {
            Ok(value) => format!("value: {} {}", value.status().as_u16(), id(value.headers())),
            Err(Error::InvalidResponsePayload(body, _)) => {
                format!("invalid: {}", String::from_utf8_lossy(&body))
            }
            Err(Error::ErrorResponse(error)) => {
                let (status, id) = (error.status().as_u16(), id(error.headers()));
                format!(
                    "error: {status} {id} {}",
                    error.error_code.as_deref().unwrap()
                )
            }
            Err(Error::UnexpectedResponse(response)) => {
                assert!(response.url().path().ends_with("/messages/delete"));
                let (status, id) = (response.status().as_u16(), id(response.headers()));
                format!(
                    "unexpected: {status} {id} {}",
                    response.text().await.unwrap()
                )
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(result, expected, "{status} {body}");
    }
}

/// The captured response after the server sent these bytes and closed the connection.
async fn captured(response: &str, attempt: Attempt) -> (bool, Option<CapturedResponse>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let response = response.to_owned();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"}]}") {
            if stream.read_buf(&mut received).await.unwrap() == 0 {
                return;
            }
        }
        stream.write_all(response.as_bytes()).await.unwrap();
    });
    let succeeded = delete(&endpoint, &attempt, "orders").await.is_ok();
    (succeeded, attempt.take_response())
}

#[tokio::test]
async fn status_headers_and_body_are_captured_when_the_generated_client_fails() {
    use Completeness::{Complete, OverLimit, Truncated};
    // head, body, limit => captured body, completeness
    let cases = [
        (
            "400 Bad\r\nContent-Length: 6",
            "<html>",
            100,
            "<html>",
            Complete,
        ),
        ("503 Busy\r\nContent-Length: 0", "", 100, "", Complete),
        ("401 No\r\nContent-Length: 3", "[1]", 100, "[1]", Complete),
        (
            "500 Oh\r\nContent-Length: 50",
            "{\"error",
            100,
            "{\"error",
            Truncated,
        ),
        (
            "302 Found\r\nContent-Length: 0\r\nLocation: /x",
            "",
            100,
            "",
            Complete,
        ),
        (
            "400 Bad\r\nContent-Length: 6",
            "abcdef",
            6,
            "abcdef",
            Complete,
        ),
        (
            "400 Bad\r\nContent-Length: 7",
            "abcdefg",
            6,
            "abcdef",
            OverLimit,
        ),
    ];
    for (head, body, limit, expected, completeness) in cases {
        let text = format!("HTTP/1.1 {head}\r\nX-Request-Id: id-1\r\n\r\n{body}");
        let (succeeded, response) = captured(&text, attempt().with_response_limit(limit)).await;
        let response = response.unwrap();
        assert!(!succeeded, "{head}");
        assert!(head.starts_with(response.status.as_str()), "{head}");
        assert_eq!(response.headers["x-request-id"], "id-1", "{head}");
        assert_eq!(response.body, expected, "{head}");
        assert_eq!(response.completeness, completeness, "{head}");
    }
}

#[tokio::test]
async fn no_response_is_captured_without_a_status_line() {
    let (succeeded, response) = captured("", attempt()).await;
    assert!(!succeeded && response.is_none());
}
