//! Caches credentials and refreshes them before they expire.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::context::Clock;
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const DEFAULT_REFRESH_AHEAD: Duration = Duration::from_secs(40 * 60);
/// Valid credentials are not refreshed more often than this.
const REFRESH_PAUSE: Duration = Duration::from_secs(60);

/// Caches the credentials of another provider and refreshes them 40 minutes before they expire.
///
/// Only one of several concurrent calls refreshes. The others use the current credentials while these are valid, and wait
/// otherwise. When a refresh fails, valid credentials stay in use and the next refresh is a minute later. Expired
/// credentials are never returned.
///
/// ```
/// use std::time::Duration;
/// use huaweicloud_auth::{CachedProvider, Credentials, ProvideCredentials};
///
/// # async fn run() -> Result<(), huaweicloud_auth::ProviderError> {
/// let credentials = Credentials::new("AccessKey", "SecretKey")?;
/// let provider = CachedProvider::new(credentials).with_refresh_ahead(Duration::from_secs(600));
/// let credentials = provider.provide_credentials().await?;
/// assert_eq!(credentials.access_key(), Some("AccessKey"));
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Debug)]
pub struct CachedProvider<P> {
    provider: P,
    clock: Clock,
    refresh_ahead: Duration,
    state: Mutex<State>,
    /// Locked during a refresh.
    refresh: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    credentials: Option<Credentials>,
    /// Valid credentials are not refreshed before this time.
    next_refresh: Option<SystemTime>,
    /// The number of refreshes that ended.
    refreshes: u64,
    /// The error of the last refresh, for the calls that waited for it.
    failure: Option<ProviderError>,
}

impl<P: ProvideCredentials> CachedProvider<P> {
    /// Creates a cache for the credentials of a provider.
    pub fn new(provider: P) -> Self {
        Self {
            provider,
            clock: Clock::system(),
            refresh_ahead: DEFAULT_REFRESH_AHEAD,
            state: Mutex::default(),
            refresh: tokio::sync::Mutex::default(),
        }
    }

    /// Replaces the clock, which decides when credentials expire.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long before they expire credentials are refreshed.
    #[must_use]
    pub fn with_refresh_ahead(mut self, refresh_ahead: Duration) -> Self {
        self.refresh_ahead = refresh_ahead;
        self
    }

    async fn current(&self) -> Result<Credentials, ProviderError> {
        let (valid, is_due, refreshes_seen) = self.status();
        let refreshing = match valid {
            Some(credentials) if !is_due => return Ok(credentials),
            Some(credentials) => match self.refresh.try_lock() {
                Ok(refreshing) => refreshing,
                Err(_) => return Ok(credentials),
            },
            None => self.refresh.lock().await,
        };
        if let Some(result) = self.refresh_since(refreshes_seen) {
            return result;
        }
        let result = self.provider.provide_credentials().await;
        let result = self.record(result);
        drop(refreshing);
        result
    }

    /// Returns valid credentials, whether they are due for a refresh, and the number of refreshes.
    fn status(&self) -> (Option<Credentials>, bool, u64) {
        let now = self.clock.now();
        let state = self.state();
        let valid = state.valid(now);
        let is_due = valid.is_some_and(|valid| state.is_due(valid, now, self.refresh_ahead));
        (valid.cloned(), is_due, state.refreshes)
    }

    /// Returns the result of a refresh by another call, if one ended after `refreshes_seen` was read.
    fn refresh_since(&self, refreshes_seen: u64) -> Option<Result<Credentials, ProviderError>> {
        let now = self.clock.now();
        let state = self.state();
        if state.refreshes == refreshes_seen {
            return None;
        }
        let valid = state.valid(now).cloned().map(Ok);
        valid.or_else(|| state.failure.clone().map(Err))
    }

    fn record(
        &self,
        result: Result<Credentials, ProviderError>,
    ) -> Result<Credentials, ProviderError> {
        let now = self.clock.now();
        let mut state = self.state();
        state.refreshes += 1;
        state.next_refresh = now.checked_add(REFRESH_PAUSE);
        let failure = match result {
            Ok(credentials) if is_valid(&credentials, now) => {
                tracing::debug!(provider = credentials.provider_name(), "new credentials");
                state.failure = None;
                state.credentials = Some(credentials.clone());
                return Ok(credentials);
            }
            Ok(expired) => ProviderError::invalid(format!(
                "{}: the returned credentials have already expired: check the clock of this machine",
                expired.provider_name()
            )),
            Err(failure) => failure,
        };
        state.failure = Some(failure.clone());
        match state.valid(now) {
            Some(credentials) => {
                let failure: &(dyn Error + 'static) = &failure;
                tracing::warn!(
                    failure,
                    "cannot refresh credentials; the current ones are still valid"
                );
                Ok(credentials.clone())
            }
            None => Err(failure),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: ProvideCredentials> ProvideCredentials for CachedProvider<P> {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(self.current())
    }

    fn invalidate(&self, refused: &Credentials) {
        let mut state = self.state();
        state.credentials.take_if(|kept| kept.is_same_as(refused));
        drop(state);
        self.provider.invalidate(refused);
    }
}

impl State {
    fn valid(&self, now: SystemTime) -> Option<&Credentials> {
        self.credentials
            .as_ref()
            .filter(|credentials| is_valid(credentials, now))
    }

    fn is_due(&self, credentials: &Credentials, now: SystemTime, refresh_ahead: Duration) -> bool {
        let expires_soon = credentials.expires_at().is_some_and(|expires_at| {
            now.checked_add(refresh_ahead)
                .is_none_or(|horizon| horizon >= expires_at)
        });
        expires_soon
            && self
                .next_refresh
                .is_none_or(|next_refresh| next_refresh <= now)
    }
}

fn is_valid(credentials: &Credentials, now: SystemTime) -> bool {
    credentials
        .expires_at()
        .is_none_or(|expires_at| now < expires_at)
}
