//! The cache of credentials.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use huaweicloud_auth::{
    CachedProvider, Clock, Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError,
};
use tokio::time::{Instant, advance, sleep};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Returns a numbered key with the given lifetime after half a second, or fails.
#[derive(Debug)]
struct Source {
    clock: Clock,
    lifetime: Duration,
    asked: AtomicUsize,
    fails: AtomicBool,
}

impl Source {
    fn new(lifetime: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock: paused_clock(),
            lifetime,
            asked: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    async fn next_key(&self) -> Result<Credentials, ProviderError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        sleep(Duration::from_millis(500)).await;
        if self.fails.load(Ordering::SeqCst) {
            return Err(ProviderError::unavailable(format!("failure {number}")));
        }
        let credentials = Credentials::new(format!("KEY{number}"), "secret")?;
        Ok(credentials.with_expires_at(self.clock.now() + self.lifetime))
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(self.next_key())
    }
}

/// A clock that follows the paused clock of tokio.
fn paused_clock() -> Clock {
    let (epoch, start) = (SystemTime::UNIX_EPOCH + 1_000_000 * HOUR, Instant::now());
    Clock::from_fn(move || epoch + start.elapsed())
}

fn cached(source: &Arc<Source>) -> Arc<CachedProvider<Arc<Source>>> {
    Arc::new(CachedProvider::new(source.clone()).with_clock(source.clock.clone()))
}

async fn key<P: ProvideCredentials>(provider: &P) -> String {
    provider
        .provide_credentials()
        .await
        .unwrap()
        .access_key()
        .unwrap()
        .to_owned()
}

/// The results of 1,000 concurrent calls.
async fn thousand(
    provider: &Arc<CachedProvider<Arc<Source>>>,
) -> Vec<Result<Credentials, ProviderError>> {
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let provider = provider.clone();
            tokio::spawn(async move { provider.provide_credentials().await })
        })
        .collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.unwrap());
    }
    results
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_across_an_expiry_refresh_once() {
    let source = Source::new(6 * HOUR);
    let provider = cached(&source);
    for result in thousand(&provider).await {
        assert_eq!(result.unwrap().access_key(), Some("KEY1"));
    }
    assert_eq!(source.asked(), 1);

    advance(7 * HOUR).await;
    for result in thousand(&provider).await {
        assert_eq!(result.unwrap().access_key(), Some("KEY2"));
    }
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn other_calls_use_the_valid_key_during_a_refresh() {
    let source = Source::new(6 * HOUR);
    let provider = cached(&source);
    assert_eq!(key(&provider).await, "KEY1");
    advance(5 * HOUR + 30 * MINUTE).await;
    let keys: Vec<_> = thousand(&provider)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let new = keys
        .iter()
        .filter(|key| key.access_key() == Some("KEY2"))
        .count();
    assert_eq!((source.asked(), new), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn keys_are_refreshed_before_they_expire() {
    for (lifetime, lead, keys) in [
        (
            6 * HOUR,
            None,
            [(5 * HOUR + 19 * MINUTE, "KEY1"), (MINUTE, "KEY2")],
        ),
        (
            HOUR,
            Some(5 * MINUTE),
            [(54 * MINUTE, "KEY1"), (MINUTE, "KEY2")],
        ),
        // A key with a shorter lifetime than 40 minutes is not refreshed by every call.
        (
            15 * MINUTE,
            None,
            [(Duration::ZERO, "KEY1"), (MINUTE, "KEY2")],
        ),
    ] {
        let source = Source::new(lifetime);
        let mut provider = CachedProvider::new(source.clone()).with_clock(source.clock.clone());
        if let Some(lead) = lead {
            provider = provider.with_refresh_ahead(lead);
        }
        assert_eq!(key(&provider).await, "KEY1");
        for (later, expected) in keys {
            advance(later).await;
            assert_eq!(key(&provider).await, expected, "{lifetime:?} {later:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_valid_key_is_used_when_refreshes_fail_and_an_expired_one_is_not() {
    let source = Source::new(6 * HOUR);
    let provider = cached(&source);
    assert_eq!(key(&provider).await, "KEY1");
    source.fail(true);
    advance(5 * HOUR + 20 * MINUTE).await;
    assert_eq!(key(&provider).await, "KEY1");
    assert_eq!(key(&provider).await, "KEY1");
    assert_eq!(
        source.asked(),
        2,
        "a refresh that failed is repeated after a minute"
    );
    advance(MINUTE).await;
    assert_eq!(key(&provider).await, "KEY1");
    assert_eq!(source.asked(), 3);

    advance(39 * MINUTE).await;
    let error = provider.provide_credentials().await.unwrap_err();
    assert!(error.is_unavailable());
    assert_eq!(error.to_string(), "failure 4");
    source.fail(false);
    assert_eq!(key(&provider).await, "KEY5");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_expires_during_a_failing_refresh_is_not_used() {
    let source = Source::new(HOUR);
    let provider = cached(&source);
    assert_eq!(key(&provider).await, "KEY1");
    source.fail(true);
    advance(Duration::from_millis(3_599_900)).await;
    assert!(
        provider
            .provide_credentials()
            .await
            .unwrap_err()
            .is_unavailable()
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_share_a_failure() {
    let source = Source::new(HOUR);
    source.fail(true);
    let provider = cached(&source);
    for result in thousand(&provider).await {
        assert_eq!(result.unwrap_err().to_string(), "failure 1");
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_does_not_block_others() {
    let source = Source::new(HOUR);
    let provider = cached(&source);
    let cancelled =
        tokio::time::timeout(Duration::from_millis(100), provider.provide_credentials()).await;
    assert!(cancelled.is_err());
    assert_eq!(key(&provider).await, "KEY2");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_refused() {
    let source = Source::new(Duration::ZERO);
    let provider = cached(&source);
    let error = provider.provide_credentials().await.unwrap_err();
    assert!(error.is_invalid());
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_replaced_once() {
    let source = Source::new(6 * HOUR);
    let provider = cached(&source);
    let first = provider.provide_credentials().await.unwrap();
    provider.invalidate(&first);
    assert_eq!(key(&provider).await, "KEY2");
    provider.invalidate(&first);
    assert_eq!(key(&provider).await, "KEY2");
}

#[tokio::test(start_paused = true)]
async fn credentials_without_expiry_are_not_refreshed() {
    let provider =
        CachedProvider::new(Credentials::new("KEY", "secret").unwrap()).with_clock(paused_clock());
    for _ in 0..3 {
        assert_eq!(key(&provider).await, "KEY");
        advance(1000 * HOUR).await;
    }
}
