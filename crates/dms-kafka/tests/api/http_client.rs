//! An HTTP client of the caller.
#![cfg(feature = "reqwest")]

use std::time::Duration;

use crate::support::{builder, chain, delete, deleted, requests, server};
use dms_kafka::{ErrorKind, Outcome};
use wiremock::{MockServer, ResponseTemplate};

/// Redirects every request.
async fn redirecting(status: u16, location: &str) -> MockServer {
    let redirect = ResponseTemplate::new(status).insert_header("Location", location);
    server(vec![redirect]).await
}

#[tokio::test]
async fn a_followed_redirect_is_an_error_with_an_unknown_outcome() {
    for status in [301, 302, 303, 307, 308] {
        for response in [
            deleted(&[0]),
            ResponseTemplate::new(404),
            ResponseTemplate::new(503),
        ] {
            // A refusal of another server says nothing of this one.
            let response = response.insert_header("X-Dms-Kafka-Outcome", "not-applied");
            let elsewhere = server(vec![response]).await;
            let location = format!("{}/elsewhere?canary#canary", elsewhere.uri());
            let service = redirecting(status, &location).await;
            let builder = builder(&service.uri()).with_http_client(reqwest::Client::new());
            let client = builder.build().unwrap();
            let error = delete(&client).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.outcome(), error.attempts()),
                (ErrorKind::InvalidAnswer, Outcome::Unknown, 1)
            );
            let shown = chain(&error);
            assert!(
                shown.contains("redirect") && shown.contains("/elsewhere"),
                "{shown}"
            );
            assert!(!shown.contains("canary"), "{shown}");
            assert_eq!(requests(&elsewhere).await.len(), 1);

            let error = client
                .list_partitions("instance", "orders")
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidAnswer, "{error}");
        }
    }
}

/// The first address received the request.
#[tokio::test]
async fn a_redirect_to_an_address_without_a_service_has_an_unknown_outcome() {
    for (location, kind, attempts) in [
        ("http://127.0.0.1:1/", ErrorKind::Connect, 3),
        ("http://no.such.host.invalid/", ErrorKind::Connect, 3),
        ("https://127.0.0.1:1/", ErrorKind::Connect, 3),
        ("ftp://127.0.0.1/", ErrorKind::InvalidInput, 1),
    ] {
        let service = redirecting(307, location).await;
        let builder = builder(&service.uri()).with_http_client(reqwest::Client::new());
        let client = builder.build().unwrap();
        let error = delete(&client).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (kind, Outcome::Unknown, attempts),
            "{error}"
        );
        let everything = client.delete_messages("instance", "orders").everything(0);
        let error = everything.send().await.unwrap_err();
        assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1));
    }
}

#[tokio::test]
async fn a_redirect_without_end_is_one_attempt() {
    let service = redirecting(307, "/again").await;
    let builder = builder(&service.uri()).with_http_client(reqwest::Client::new());
    let error = delete(&builder.build().unwrap()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.attempts()),
        (ErrorKind::InvalidAnswer, Outcome::Unknown, 1)
    );
    assert!(chain(&error).contains("redirects"), "{error}");
}

#[test]
fn settings_that_the_http_client_would_ignore_are_refused() {
    let own = || builder("http://127.0.0.1:1").with_http_client(reqwest::Client::new());
    own().build().unwrap();
    for (builder, what) in [
        (own().with_proxy("http://proxy.example.com"), "a proxy"),
        (own().with_proxy("canary"), "a proxy"),
        (own().without_proxy(), "a proxy"),
        (
            own().with_connect_timeout(Duration::from_secs(1)),
            "a connect timeout",
        ),
        #[cfg(feature = "rustls")]
        (own().with_root_certificates("not pem"), "root certificates"),
        #[cfg(feature = "rustls")]
        (
            own().with_client_certificate("not pem"),
            "a client certificate",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(what), "{error}");
        assert!(error.to_string().contains("HTTP client"), "{error}");
    }
}
