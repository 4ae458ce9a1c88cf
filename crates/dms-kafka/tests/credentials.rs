//! Credentials that are refused, renewed or about to expire while calls are made.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use dms_kafka::auth::{
    CachedProvider, Clock, Credentials, CredentialsError, ProvideCredentials,
    ProvideCredentialsFuture,
};
use dms_kafka::{Deletion, Error, ErrorKind, Outcome};
use support::{builder, deleted, requests, server};
use wiremock::{MockServer, Request, ResponseTemplate};

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// Gives out a token, and another one only when told that it was refused.
#[derive(Debug, Default)]
struct Tokens {
    refusals: AtomicUsize,
    stubborn: bool,
}

impl ProvideCredentials for Tokens {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
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
async fn a_refused_token_is_renewed_once() {
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
async fn a_second_refusal_ends_the_call() {
    let server = server(vec![ResponseTemplate::new(401)]).await;
    let error = delete_everything_with(Tokens::default(), &server)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unauthorized, 2)
    );
    assert_eq!(error.outcome(), Outcome::NotApplied);
}

#[tokio::test]
async fn the_same_token_is_not_sent_again() {
    let server = server(vec![ResponseTemplate::new(401)]).await;
    let tokens = Tokens {
        stubborn: true,
        ..Tokens::default()
    };
    let error = delete_everything_with(tokens, &server).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unauthorized, 1)
    );
    assert_eq!(requests(&server).await.len(), 1);
}

/// Gives out keys that live for an hour, and counts.
#[derive(Debug)]
struct Keys {
    clock: Clock,
    given: AtomicUsize,
}

impl Keys {
    async fn next(&self) -> Result<Credentials, CredentialsError> {
        let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
        // Long enough for all others to come and wait.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let key = Credentials::new(format!("key-{number}"), "secret-key")?;
        Ok(key.with_expires_at(self.clock.now() + Duration::from_secs(3600)))
    }
}

impl ProvideCredentials for Keys {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(self.next())
    }
}

#[tokio::test]
async fn a_thousand_calls_across_an_expiry_renew_the_key_once() {
    let hours = Arc::new(AtomicU64::new(0));
    let clock = {
        let hours = Arc::clone(&hours);
        Clock::from_fn(move || {
            SystemTime::now() + Duration::from_secs(3600 * hours.load(Ordering::SeqCst))
        })
    };
    let keys = Arc::new(Keys {
        clock: clock.clone(),
        given: AtomicUsize::new(0),
    });
    let server = server(vec![deleted(&[0])]).await;
    let provider = CachedProvider::new(Arc::clone(&keys)).with_clock(clock);
    let client = builder(&server.uri())
        .credentials(provider)
        .build()
        .unwrap();
    let thousand = || async {
        let request = client.delete_messages("instance", "orders").before(0, 1);
        let calls: Vec<_> = (0..1000)
            .map(|_| tokio::spawn(request.clone().send()))
            .collect();
        for call in calls {
            call.await.unwrap().unwrap().into_result().unwrap();
        }
    };
    thousand().await;
    hours.store(2, Ordering::SeqCst);
    thousand().await;
    assert_eq!(keys.given.load(Ordering::SeqCst), 2);
    let sent = requests(&server).await;
    let with = |key: &str| {
        let signed = |request: &&Request| header(request, "authorization").contains(key);
        sent.iter().filter(signed).count()
    };
    assert_eq!((with("Access=key-1,"), with("Access=key-2,")), (1000, 1000));
}
