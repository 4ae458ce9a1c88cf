//! Keeping credentials: once for all callers, in time, and never expired ones.

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

/// Makes a key of the given lifetime after half a second, or fails, and counts.
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

    async fn answer(&self) -> Result<Credentials, ProviderError> {
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
        Box::pin(self.answer())
    }
}

/// A clock that goes with tokio's.
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

/// What 1,000 calls at once get.
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
async fn while_one_call_refreshes_ahead_the_others_use_the_valid_key() {
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
async fn keys_are_replaced_ahead() {
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
        // A key that never lives for 40 minutes is not asked for at every call.
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
async fn a_valid_key_outlives_a_failing_source_and_an_expired_one_does_not() {
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
        "a source that fails is left alone for a minute"
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
async fn callers_who_waited_share_a_failure() {
    let source = Source::new(HOUR);
    source.fail(true);
    let provider = cached(&source);
    for result in thousand(&provider).await {
        assert_eq!(result.unwrap_err().to_string(), "failure 1");
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_does_not_hold_the_others() {
    let source = Source::new(HOUR);
    let provider = cached(&source);
    let impatient =
        tokio::time::timeout(Duration::from_millis(100), provider.provide_credentials()).await;
    assert!(impatient.is_err());
    assert_eq!(key(&provider).await, "KEY2");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_come_expired_are_refused() {
    let source = Source::new(Duration::ZERO);
    let provider = cached(&source);
    let error = provider.provide_credentials().await.unwrap_err();
    assert!(error.is_invalid());
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_replaced_unless_they_were_already() {
    let source = Source::new(6 * HOUR);
    let provider = cached(&source);
    let first = provider.provide_credentials().await.unwrap();
    provider.invalidate(&first);
    assert_eq!(key(&provider).await, "KEY2");
    provider.invalidate(&first);
    assert_eq!(key(&provider).await, "KEY2");
}

#[tokio::test(start_paused = true)]
async fn permanent_credentials_are_kept() {
    let provider =
        CachedProvider::new(Credentials::new("KEY", "secret").unwrap()).with_clock(paused_clock());
    for _ in 0..3 {
        assert_eq!(key(&provider).await, "KEY");
        advance(1000 * HOUR).await;
    }
}
