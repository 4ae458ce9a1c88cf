use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use huaweicloud_auth::{EnvironmentProvider, ProvideCredentials};

use crate::client::{Client, Config};
use crate::error::Error;
use crate::ids::ProjectId;
use crate::retry::RetryPolicy;
use crate::transport::{self, Endpoint};

/// Builds a [`Client`].
///
/// ```
/// use std::time::Duration;
/// use dms_kafka::{Client, RetryPolicy};
/// use dms_kafka::auth::Credentials;
///
/// let client = Client::builder()
///     .endpoint("https://dms.ap-southeast-1.myhuaweicloud.com")
///     .project_id("0123456789abcdef0123456789abcdef")
///     .credentials(Credentials::new("access-key", "secret-key")?)
///     .with_call_timeout(Duration::from_secs(20))
///     .with_retry(RetryPolicy::never())
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until build()"]
pub struct ClientBuilder {
    endpoint: Option<String>,
    project_id: Option<String>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    plaintext_allowed: bool,
    connect_timeout: Duration,
    attempt_timeout: Duration,
    call_timeout: Duration,
    retry: RetryPolicy,
    answer_limit: usize,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            endpoint: None,
            project_id: None,
            credentials: None,
            plaintext_allowed: false,
            connect_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            answer_limit: dms_kafka_client::DEFAULT_ANSWER_LIMIT,
        }
    }

    /// Where the service answers: scheme, host and port. `https://` may be left out.
    ///
    /// `http://` is refused but for loopback addresses; see
    /// [`allow_plaintext_http`](Self::allow_plaintext_http).
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The project that the instances belong to.
    pub fn project_id(mut self, project_id: impl Into<String>) -> Self {
        self.project_id = Some(project_id.into());
        self
    }

    /// Where credentials come from; each attempt asks. Without this call they come from the environment
    /// (`HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`, `HUAWEICLOUD_SDK_SECURITY_TOKEN`).
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// Allows `http://` to hosts other than loopback. Anyone on the way can then read the requests
    /// and what they delete, though not the secret key.
    pub fn allow_plaintext_http(mut self) -> Self {
        self.plaintext_allowed = true;
        self
    }

    /// How long one connection may take to come about, TLS included. Default: 10 s.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take, from connecting to the answer's last byte. Default: 30 s.
    pub fn with_attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How long the whole call may take: credentials, all attempts and the pauses between. Default: 60 s.
    pub fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How often and how soon a failed attempt is repeated; [`RetryPolicy::never`] turns it off.
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The largest answer body that is read, in bytes. Default: 32 MiB.
    pub fn with_answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the endpoint or the project id is missing or
    /// breaks its rule.
    pub fn build(self) -> Result<Client, Error> {
        let Some(endpoint) = self.endpoint else {
            return Err(Error::invalid_input(
                "no endpoint: give one, such as https://dms.ap-southeast-1.myhuaweicloud.com",
            ));
        };
        let endpoint = Endpoint::parse(&endpoint, self.plaintext_allowed)?;
        let Some(project_id) = self.project_id else {
            return Err(Error::invalid_input(
                "no project id: give the one that the instance belongs to",
            ));
        };
        let project_id = ProjectId::new(project_id)?;
        let project_header = HeaderValue::from_str(project_id.as_str()).map_err(|error| {
            Error::invalid_input("the project id does not fit a header").with_source(error)
        })?;
        let http = transport::http_client(&endpoint, self.connect_timeout)?;
        let credentials = self
            .credentials
            .unwrap_or_else(|| Arc::new(EnvironmentProvider::from_process()));
        Ok(Client::new(Config {
            http,
            endpoint,
            project_id,
            project_header,
            credentials,
            attempt_timeout: self.attempt_timeout,
            call_timeout: self.call_timeout,
            retry: self.retry,
            answer_limit: self.answer_limit,
        }))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("project_id", &self.project_id)
            .field("credentials", &self.credentials)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
