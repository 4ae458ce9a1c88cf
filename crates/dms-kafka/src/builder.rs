use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(feature = "providers"))]
use huaweicloud_auth::EnvironmentProvider;
#[cfg(feature = "providers")]
use huaweicloud_auth::{
    CachedProvider, ChainProvider, EndpointResolver, ProjectLookup, ProviderContext, Region,
};
use huaweicloud_auth::{Endpoint, Environment, ProvideCredentials};

use crate::client::Client;
use crate::config::{Config, ProjectSource};
use crate::error::{Error, Rule};
use crate::ids::{InvalidId, ProjectId, validated};
use crate::retry::RetryPolicy;
use crate::transport::{Proxy, Transport};

/// The service's name in variables and in `regions.yaml`.
#[cfg(feature = "providers")]
const SERVICE: &str = "kafka";

/// Builds a [`Client`].
///
/// ```
/// use std::time::Duration;
/// use dms_kafka::{Client, RetryPolicy};
/// use dms_kafka::auth::Credentials;
///
/// # if cfg!(feature = "rustls") {
/// let client = Client::builder()
///     .endpoint("https://dms.ap-southeast-1.myhuaweicloud.com")
///     .project_id("0123456789abcdef0123456789abcdef")
///     .credentials(Credentials::new("access-key", "secret-key")?)
///     .with_call_timeout(Duration::from_secs(20))
///     .with_retry(RetryPolicy::never())
///     .build()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until build()"]
pub struct ClientBuilder {
    #[cfg(feature = "providers")]
    region: Option<Region>,
    endpoint: Option<String>,
    project_id: Option<Result<ProjectId, InvalidId>>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    environment: Environment,
    plaintext_allowed: bool,
    transport: Transport,
    attempt_timeout: Duration,
    call_timeout: Duration,
    retry: RetryPolicy,
    answer_limit: usize,
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            #[cfg(feature = "providers")]
            region: None,
            endpoint: None,
            project_id: None,
            credentials: None,
            environment: Environment::from_process(),
            plaintext_allowed: false,
            transport: Transport::new(),
            attempt_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            answer_limit: dms_kafka_client::DEFAULT_ANSWER_LIMIT,
        }
    }
}

impl ClientBuilder {
    /// The region of the instances, which tells where the service and its IAM are: see
    /// [`EndpointResolver`](crate::auth::EndpointResolver) for the variables and the file that may say otherwise.
    /// The first of several endpoints is taken.
    ///
    /// ```
    /// use dms_kafka::auth::{Credentials, Region};
    ///
    /// # if cfg!(feature = "rustls") {
    /// let client = dms_kafka::Client::builder()
    ///     .region(Region::AP_SOUTHEAST_1)
    ///     .credentials(Credentials::new("access-key", "secret-key")?)
    ///     .build()?;
    /// assert_eq!(client.endpoint(), "https://dms.ap-southeast-1.myhuaweicloud.com");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "providers")]
    pub fn region(mut self, region: Region) -> Self {
        self.region = Some(region);
        self
    }

    /// Where the service answers: scheme, host and port, in place of the region's endpoint. `https://` may be
    /// left out.
    ///
    /// `http://` is refused but for loopback addresses; see
    /// [`allow_plaintext_http`](Self::allow_plaintext_http).
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The project that the instances belong to.
    ///
    /// It may be left out when a region is given: then it is the one that the credentials name, or the region's
    /// own, for which IAM is asked at the first call. `HUAWEICLOUD_SDK_IAM_ENDPOINT` names another IAM.
    pub fn project_id(
        mut self,
        project_id: impl TryInto<ProjectId, Error: Into<InvalidId>>,
    ) -> Self {
        self.project_id = Some(validated(project_id));
        self
    }

    /// Where credentials come from; each attempt asks, so a source that is slow belongs into a
    /// `CachedProvider`.
    ///
    /// Without this call they come from the official SDKs' chain of sources: environment
    /// (`HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`, `HUAWEICLOUD_SDK_SECURITY_TOKEN`), profile
    /// (`~/.huaweicloud/credentials`), metadata of the ECS, container; temporary keys are replaced in time.
    /// Without the feature `providers` they come from the environment alone.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// Reads variables, and `HOME` for the files in `~/.huaweicloud`, from here in place of the process's
    /// environment. Proxies are still the process's own.
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
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
        self.transport.connect_timeout = timeout;
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

    /// Sends everything through this proxy (`http://`, `https://`), which may name user and password.
    ///
    /// Without this call the environment decides (`HTTPS_PROXY`, `NO_PROXY`), except that requests to
    /// loopback addresses go there directly.
    pub fn with_proxy(mut self, url: impl Into<String>) -> Self {
        self.transport.proxy = Proxy::Url(url.into());
        self
    }

    /// Uses no proxy, whatever the environment says.
    pub fn without_proxy(mut self) -> Self {
        self.transport.proxy = Proxy::None;
        self
    }

    /// Trusts these root certificates (PEM, one or more) beside those of the platform, such as a company's
    /// own. May be called several times.
    #[cfg(feature = "rustls")]
    pub fn with_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport.root_certificates.push(pem.into());
        self
    }

    /// Shows this certificate to the service: PEM text with the certificate chain and its private key.
    #[cfg(feature = "rustls")]
    pub fn with_client_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport.client_certificate = Some(pem.into());
        self
    }

    /// Sends through this client in place of one of our own; proxy, certificates and connect time-out are
    /// then its own affair.
    ///
    /// It must follow no redirect (`redirect::Policy::none()`) and resend nothing (`retry::never()`): both
    /// repeat a deletion behind this crate's back, and [`Outcome`](crate::Outcome) no longer holds. This ties
    /// your code to the version of reqwest that this crate uses.
    #[cfg(feature = "reqwest")]
    pub fn with_http_client(mut self, client: reqwest::Client) -> Self {
        self.transport.http_client = Some(client);
        self
    }

    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the endpoint or the project id is missing or
    /// breaks its rule, when a region has no endpoint, when a time-out is zero, and when proxy or certificates
    /// cannot be read.
    pub fn build(self) -> Result<Client, Error> {
        self.check_timeouts()?;
        let endpoint = self.checked_endpoint()?;
        let http = self.transport.http_client(&endpoint)?;
        let (project, credentials) = self.project_and_credentials(&endpoint, &http)?;
        Ok(Client::new(Config {
            http,
            endpoint,
            project,
            credentials,
            attempt_timeout: self.attempt_timeout,
            call_timeout: self.call_timeout,
            retry: self.retry,
            answer_limit: self.answer_limit,
        }))
    }

    fn checked_endpoint(&self) -> Result<Endpoint, Error> {
        let parsed: Result<Endpoint, _> = self.endpoint_url()?.parse();
        let allowed = if self.plaintext_allowed {
            parsed
        } else {
            parsed.and_then(Endpoint::require_encryption)
        };
        allowed.map_err(|error| Error::invalid_endpoint(&error))
    }

    /// The endpoint given, or the region's.
    fn endpoint_url(&self) -> Result<String, Error> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        #[cfg(feature = "providers")]
        if let Some(region) = &self.region {
            let resolver = EndpointResolver::new(self.environment.clone());
            let endpoints = resolver.endpoints(SERVICE, region).map_err(|error| {
                let message = format!("no endpoint for region {:?}", region.id());
                Error::invalid_input(message).with_source(error)
            })?;
            return Ok(endpoints.into_iter().next().unwrap_or_default());
        }
        Err(Error::broken(
            Rule::EndpointGiven,
            "no endpoint: give a region or an endpoint, such as https://dms.ap-southeast-1.myhuaweicloud.com",
        ))
    }

    /// What was given; providers that need HTTP fill the gaps.
    #[cfg(feature = "providers")]
    fn project_and_credentials(
        &self,
        endpoint: &Endpoint,
        http: &reqwest::Client,
    ) -> Result<(ProjectSource, Arc<dyn ProvideCredentials>), Error> {
        let project = self.project_id.clone().transpose()?;
        let (project, credentials) = match (project, self.credentials.clone()) {
            (Some(id), Some(given)) => return Ok((ProjectSource::Given(id), given)),
            gaps => gaps,
        };
        let transport = Arc::new(self.transport.for_providers(endpoint, http)?);
        let mut context =
            ProviderContext::new(transport).with_environment(self.environment.clone());
        if let Some(region) = &self.region {
            context = context.with_region(region.clone());
        }
        let project = match (project, &self.region) {
            (Some(id), _) => ProjectSource::Given(id),
            (None, Some(region)) => ProjectSource::OfRegion {
                lookup: ProjectLookup::new(&context),
                region: region.clone(),
            },
            (None, None) => return Err(no_project_id()),
        };
        let chain = || Arc::new(CachedProvider::new(ChainProvider::standard(&context))) as Arc<_>;
        Ok((project, credentials.unwrap_or_else(chain)))
    }

    #[cfg(not(feature = "providers"))]
    fn project_and_credentials(
        &self,
        _endpoint: &Endpoint,
        _http: &reqwest::Client,
    ) -> Result<(ProjectSource, Arc<dyn ProvideCredentials>), Error> {
        let id = self.project_id.clone().transpose()?;
        let environment = || Arc::new(EnvironmentProvider::new(self.environment.clone())) as Arc<_>;
        Ok((
            ProjectSource::Given(id.ok_or_else(no_project_id)?),
            self.credentials.clone().unwrap_or_else(environment),
        ))
    }

    fn check_timeouts(&self) -> Result<(), Error> {
        for (what, timeout) in [
            ("connect", self.transport.connect_timeout),
            ("attempt", self.attempt_timeout),
            ("call", self.call_timeout),
        ] {
            if timeout.is_zero() {
                return Err(Error::invalid_input(format!(
                    "the {what} time-out is zero: give one that leaves time for an answer"
                )));
            }
        }
        Ok(())
    }
}

fn no_project_id() -> Error {
    Error::broken(
        Rule::ProjectIdGiven,
        "no project id: give the one that the instance belongs to, or a region, whose own is then looked up",
    )
}

/// Leaves out the endpoint, which may hold a password until [`ClientBuilder::build`] refuses it.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientBuilder");
        #[cfg(feature = "providers")]
        shown.field("region", &self.region);
        shown
            .field("project_id", &self.project_id)
            .field("credentials", &self.credentials)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
