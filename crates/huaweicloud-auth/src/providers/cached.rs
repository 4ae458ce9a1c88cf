//! Keeping credentials, and getting new ones in time.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::context::Clock;
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const DEFAULT_REFRESH_AHEAD: Duration = Duration::from_secs(40 * 60);
/// While a key is valid, a source that fails or has nothing newer is not asked again for so long.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Keeps the credentials of another source and asks it again 40 minutes before they expire.
///
/// However many calls come at once, one asks the source. While it does, the others use the key that is still valid, and wait
/// only if there is none. When the source fails, the key that is still valid is used and the source asked again a minute
/// later. An expired key is never handed out.
///
/// ```
/// use std::time::Duration;
/// use huaweicloud_auth::{CachedProvider, Credentials, ProvideCredentials};
///
/// # async fn run() -> Result<(), huaweicloud_auth::ProviderError> {
/// let source = Credentials::new("AccessKey", "SecretKey")?;
/// let provider = CachedProvider::new(source).with_refresh_ahead(Duration::from_secs(600));
/// let credentials = provider.provide_credentials().await?;
/// assert_eq!(credentials.access_key(), Some("AccessKey"));
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Debug)]
pub struct CachedProvider<P> {
    source: P,
    clock: Clock,
    refresh_ahead: Duration,
    state: Mutex<State>,
    /// Held while the source is asked.
    refresh: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    credentials: Option<Credentials>,
    /// Before this, credentials that are valid are not refreshed.
    next_refresh: Option<SystemTime>,
    /// How often the source has answered.
    answers: u64,
    /// The answer of last time, for those who waited for it.
    failure: Option<ProviderError>,
}

impl<P: ProvideCredentials> CachedProvider<P> {
    /// Keeps what the source provides.
    pub fn new(source: P) -> Self {
        Self {
            source,
            clock: Clock::system(),
            refresh_ahead: DEFAULT_REFRESH_AHEAD,
            state: Mutex::default(),
            refresh: tokio::sync::Mutex::default(),
        }
    }

    /// Replaces the clock that tells when credentials expire.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long before they expire credentials are replaced.
    #[must_use]
    pub fn with_refresh_ahead(mut self, refresh_ahead: Duration) -> Self {
        self.refresh_ahead = refresh_ahead;
        self
    }

    async fn current(&self) -> Result<Credentials, ProviderError> {
        let (valid, is_due, answers_seen) = self.look();
        let refreshing = match valid {
            Some(credentials) if !is_due => return Ok(credentials),
            Some(credentials) => match self.refresh.try_lock() {
                Ok(refreshing) => refreshing,
                Err(_) => return Ok(credentials),
            },
            None => self.refresh.lock().await,
        };
        if let Some(answer) = self.answer_since(answers_seen) {
            return answer;
        }
        let answer = self.source.provide_credentials().await;
        let result = self.record(answer);
        drop(refreshing);
        result
    }

    /// Credentials that are valid, whether they are due for a refresh, and how often the source has answered.
    fn look(&self) -> (Option<Credentials>, bool, u64) {
        let now = self.clock.now();
        let state = self.state();
        let valid = state.valid(now);
        let is_due = valid.is_some_and(|valid| state.is_due(valid, now, self.refresh_ahead));
        (valid.cloned(), is_due, state.answers)
    }

    /// What the source answered to another caller, when that was after `answers_seen` was read.
    fn answer_since(&self, answers_seen: u64) -> Option<Result<Credentials, ProviderError>> {
        let now = self.clock.now();
        let state = self.state();
        if state.answers == answers_seen {
            return None;
        }
        let valid = state.valid(now).cloned().map(Ok);
        valid.or_else(|| state.failure.clone().map(Err))
    }

    fn record(
        &self,
        answer: Result<Credentials, ProviderError>,
    ) -> Result<Credentials, ProviderError> {
        let now = self.clock.now();
        let mut state = self.state();
        state.answers += 1;
        state.next_refresh = now.checked_add(RETRY_PAUSE);
        let failure = match answer {
            Ok(credentials) if is_valid(&credentials, now) => {
                tracing::debug!(provider = credentials.provider_name(), "new credentials");
                state.failure = None;
                state.credentials = Some(credentials.clone());
                return Ok(credentials);
            }
            Ok(expired) => ProviderError::invalid(format!(
                "{}: the credentials it gives have expired already: is the clock right?",
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
                    "credentials cannot be refreshed; those at hand are still valid"
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
        self.source.invalidate(refused);
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
