//! The settings that a single call can change.

use std::time::Duration;

use crate::error::Error;
use crate::retry::RetryPolicy;

#[derive(Clone, Debug)]
pub(crate) struct CallSettings {
    pub(crate) attempt_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) retry: RetryPolicy,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
        }
    }
}

impl CallSettings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        require_time("attempt", self.attempt_timeout)?;
        require_time("call", self.call_timeout)
    }
}

pub(crate) fn require_time(what: &str, timeout: Duration) -> Result<(), Error> {
    if timeout.is_zero() {
        let message = format!("the {what} timeout is zero: set a longer one");
        return Err(Error::invalid_input(message));
    }
    Ok(())
}

/// The methods that change [`CallSettings`], for the builder, the client and each kind of call.
macro_rules! call_settings {
    ($type:ty, $this:ident => $settings:expr) => {
        impl $type {
            /// Sets the timeout for one attempt, from connecting to the end of the response. Default: 30 s, or that of the
            /// client.
            #[must_use = "the timeout applies to the returned value"]
            pub fn with_attempt_timeout(self, timeout: Duration) -> Self {
                let mut $this = self;
                $settings.attempt_timeout = timeout;
                $this
            }

            /// Sets the timeout for a call: credentials, all attempts and the pauses between them. Default: 60 s, or that of
            /// the client.
            #[must_use = "the timeout applies to the returned value"]
            pub fn with_call_timeout(self, timeout: Duration) -> Self {
                let mut $this = self;
                $settings.call_timeout = timeout;
                $this
            }

            /// Sets the retry policy. [`RetryPolicy::never`](crate::RetryPolicy::never) disables retries. Default:
            /// [`RetryPolicy::default`](crate::RetryPolicy::default), or that of the client.
            #[must_use = "the policy applies to the returned value"]
            pub fn with_retry(self, policy: RetryPolicy) -> Self {
                let mut $this = self;
                $settings.retry = policy;
                $this
            }
        }
    };
}
pub(crate) use call_settings;
