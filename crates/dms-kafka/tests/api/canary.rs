//! Logs at level TRACE, errors and `Debug` show no secret, and spans have their attributes.

use crate::support::log::Log;
use crate::support::{assert_no_secret, builder, canary_credentials, repeat_headers};
use dms_kafka::RetryPolicy;
use tracing_subscriber::fmt::format::FmtSpan;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request};

/// Calls http and https endpoints through a proxy with a password. The proxy refuses the requests.
async fn through_a_proxy() -> Vec<String> {
    let proxy = MockServer::start().await;
    let respond = |request: &Request| repeat_headers(request, 502);
    Mock::given(any()).respond_with(respond).mount(&proxy).await;
    let mut shown = Vec::new();
    let with_password = proxy.uri().replace("http://", "http://user:canary-word@");
    for endpoint in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
        if endpoint.starts_with("https") && cfg!(not(feature = "rustls")) {
            continue;
        }
        let builder = builder(endpoint).with_proxy(&*with_password);
        shown.push(format!("{builder:?}"));
        let client = builder.with_retry(RetryPolicy::never()).build().unwrap();
        let call = client.delete_messages("instance", "orders").before(0, 1);
        let error = call.send().await.unwrap_err();
        shown.push(format!("{client:?} {error} {error:#?}"));
    }
    let arrived = proxy.received_requests().await.unwrap();
    assert!(!arrived.is_empty());
    assert!(
        arrived[0].headers.contains_key("proxy-authorization"),
        "the proxy receives the password"
    );
    shown
}

// The only test in this file, because it captures the log of the process.
#[tokio::test]
async fn no_secret_is_shown_and_spans_name_the_request() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    let mut shown = Vec::new();
    for credentials in canary_credentials() {
        for status in [200, 401, 503] {
            let server = MockServer::start().await;
            let respond = move |request: &Request| repeat_headers(request, status);
            Mock::given(any())
                .respond_with(respond)
                .mount(&server)
                .await;
            let client = builder(&server.uri())
                .credentials(credentials.clone())
                .build()
                .unwrap();
            let call = client.delete_messages("instance", "orders").everything(0);
            shown.push(format!("{client:?} {call:?} {credentials:?}"));
            match call.send().await {
                Ok(deletion) => {
                    let error = deletion.into_result().unwrap_err();
                    shown.push(format!("{error} {error:#?} {:?}", error.deletion()));
                }
                Err(error) => {
                    let headers = error.body().unwrap();
                    assert!(headers.contains("x-sdk-date") || headers.contains("x-auth-token"));
                    shown.push(format!("{error} {error:#?} {headers}"));
                }
            }
        }
    }
    shown.extend(through_a_proxy().await);
    let shown = shown.join("\n");
    let log = log.text();
    // reqwest uses the crate log.
    assert!(log.contains("reqwest::connect"), "reqwest is logged");
    assert_no_secret(&shown);
    assert!(!log.contains("canary"), "{log}");
    assert!(!log.contains("Signature="), "{log}");
    let proxy_password = "dXNlcjpjYW5hcnktd29yZA=="; // user:canary-word in Base64
    assert!(!log.contains(proxy_password), "{log}");
    assert!(shown.contains("Signature="), "the server repeats them");
    for field in [
        r#"otel.name="DeleteKafkaTopicMessages""#,
        r#"http.request.method="POST""#,
        r#"server.address="127.0.0.1""#,
        "server.port=",
        "http.response.status_code=503",
        r#"error.type="unauthorized""#,
        r#"dms.request_id="request-7""#,
    ] {
        assert!(log.contains(field), "{field} in {log}");
    }
}
