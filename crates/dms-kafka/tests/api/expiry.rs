//! Credentials that expire between calls.
#![cfg(feature = "providers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::support::{builder, deleted, requests, server};
use dms_kafka::auth::{
    CachedProvider, Clock, Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError,
};
use wiremock::Request;

/// Provides keys that expire after an hour, and counts them.
#[derive(Debug)]
struct Keys {
    clock: Clock,
    given: AtomicUsize,
}

impl Keys {
    async fn next(&self) -> Result<Credentials, ProviderError> {
        let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
        // Long enough for all other calls to wait for this key.
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
        let signed = |request: &&Request| {
            let authorization = request.headers["authorization"].to_str().unwrap();
            authorization.contains(key)
        };
        sent.iter().filter(signed).count()
    };
    assert_eq!((with("Access=key-1,"), with("Access=key-2,")), (1000, 1000));
}
