//! Tokens that the service rejects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{self, builder, deleted, header, requests, server};
use dms_kafka::auth::{Credentials, ProvideCredentials, ProvideCredentialsFuture};
use dms_kafka::{Deletion, Error, ErrorKind, Outcome, RetryPolicy};
use wiremock::{MockServer, ResponseTemplate};

/// Provides a new token after each rejection, unless it is `stubborn`.
#[derive(Debug, Default)]
struct Tokens {
    given: AtomicUsize,
    refusals: AtomicUsize,
    stubborn: bool,
}

impl ProvideCredentials for Tokens {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        self.given.fetch_add(1, Ordering::SeqCst);
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
async fn a_rejected_token_is_renewed_once() {
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
async fn a_second_rejection_ends_the_call_and_the_same_token_is_not_sent_again() {
    for (stubborn, attempts) in [(false, 2), (true, 1)] {
        let server = server(vec![ResponseTemplate::new(401)]).await;
        let tokens = Tokens {
            stubborn,
            ..Tokens::default()
        };
        let error = delete_everything_with(tokens, &server).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (ErrorKind::Unauthorized, Outcome::NotApplied, attempts)
        );
        let sent = requests(&server).await.len();
        assert_eq!(u32::try_from(sent).unwrap(), attempts);
    }
}

/// A renewed token would be sent, and the valid one thrown away.
#[tokio::test]
async fn a_busy_service_does_not_invalidate_the_token() {
    let server = server(vec![ResponseTemplate::new(503), deleted(&[0])]).await;
    let tokens = Arc::new(Tokens::default());
    let builder = builder(&server.uri()).credentials(Arc::clone(&tokens));
    let client = builder.build().unwrap();
    support::delete(&client).await.unwrap();
    assert_eq!(requests(&server).await.len(), 2);
    assert_eq!(tokens.refusals.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_is_not_sent_without_encryption() {
    let client = builder("http://dms.example.invalid")
        .allow_plaintext_http()
        .credentials(Credentials::token("canary").unwrap())
        .build()
        .unwrap();
    let error = support::delete(&client).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.attempts()),
        (ErrorKind::InvalidInput, Outcome::NotApplied, 0)
    );
    assert!(error.to_string().contains("without encryption"), "{error}");
}

#[tokio::test]
async fn without_retries_a_rejected_token_is_invalidated_and_not_renewed() {
    let server = server(vec![ResponseTemplate::new(401)]).await;
    let tokens = Arc::new(Tokens::default());
    let builder = builder(&server.uri()).with_retry(RetryPolicy::never());
    let client = builder.credentials(Arc::clone(&tokens)).build().unwrap();
    let request = client.delete_messages("instance", "orders").before(0, 1);
    assert_eq!(request.send().await.unwrap_err().attempts(), 1);
    assert_eq!(tokens.given.load(Ordering::SeqCst), 1);
    assert_eq!(tokens.refusals.load(Ordering::SeqCst), 1);
}
