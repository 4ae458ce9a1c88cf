use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(feature = "providers"))]
use huaweicloud_auth::EnvironmentProvider;
#[cfg(feature = "providers")]
use huaweicloud_auth::{
    CachedProvider, ChainProvider, EndpointResolver, ProfileProvider, ProjectLookup,
    ProviderContext, Region,
};
use huaweicloud_auth::{Endpoint, Environment, ProvideCredentials};

use crate::call_settings::{CallSettings, call_settings, require_time};
use crate::client::Client;
use crate::config::{Config, ProjectSource, no_project_id};
use crate::error::{Error, InputRule};
use crate::ids::{InvalidId, ProjectId, validated};
use crate::retry::RetryPolicy;
use crate::transport::{Proxy, Transport};

/// The name of the service in environment variables and in `regions.yaml`.
#[cfg(feature = "providers")]
const SERVICE: &str = "kafka";
const ENDPOINT: &str = "DMS_KAFKA_ENDPOINT";
const REGION: &str = "DMS_KAFKA_REGION";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";

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
#[must_use = "call build() to create the client"]
pub struct ClientBuilder {
    #[cfg(feature = "providers")]
    region: Option<Region>,
    endpoint: Option<String>,
    service_name: Option<String>,
    project_id: Option<Result<ProjectId, InvalidId>>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    #[cfg(feature = "providers")]
    credentials_profile: Option<String>,
    environment: Environment,
    plaintext_allowed: bool,
    transport: Transport,
    #[cfg(feature = "providers")]
    metadata_disabled: bool,
    settings: CallSettings,
    response_limit: usize,
}

impl Client {
    /// Creates a client from the environment variables of the command: `DMS_KAFKA_ENDPOINT`, `DMS_KAFKA_REGION` (at least
    /// one of the two), `HUAWEICLOUD_SDK_PROJECT_ID` and those of the credentials. An empty variable counts as not set.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::build`], or a variable is not valid Unicode.
    pub fn from_env() -> Result<Self, Error> {
        let mut builder = Self::builder();
        let (endpoint, region) = (builder.variable(ENDPOINT)?, builder.variable(REGION)?);
        #[cfg(feature = "providers")]
        if let Some(region) = region {
            let region = Region::new(region)
                .map_err(|error| Error::invalid_input(format!("{REGION}: {error}")))?;
            builder = builder.region(region);
        }
        #[cfg(not(feature = "providers"))]
        if region.is_some() {
            return Err(Error::invalid_input(format!(
                "{REGION} needs the feature providers of dms-kafka"
            )));
        }
        if let Some(endpoint) = endpoint {
            let endpoint: Endpoint = endpoint
                .parse()
                .map_err(|error| Error::invalid_input(format!("{ENDPOINT}: {error}")))?;
            builder = builder.endpoint(endpoint.base());
        }
        builder.build()
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            #[cfg(feature = "providers")]
            region: None,
            endpoint: None,
            service_name: None,
            project_id: None,
            credentials: None,
            #[cfg(feature = "providers")]
            credentials_profile: None,
            environment: Environment::from_process(),
            plaintext_allowed: false,
            transport: Transport::new(),
            #[cfg(feature = "providers")]
            metadata_disabled: false,
            settings: CallSettings::default(),
            response_limit: dms_kafka_client::DEFAULT_RESPONSE_LIMIT,
        }
    }
}

impl ClientBuilder {
    /// Sets the region of the instances, which determines the endpoints of the service and of IAM.
    /// [`EndpointResolver`](crate::auth::EndpointResolver) describes the environment variables and the file that override
    /// them. If there are several endpoints, the first one is used.
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

    /// Sets the endpoint of the service: scheme, host and port. It overrides the endpoint of the region. The default
    /// scheme is `https://`.
    ///
    /// `http://` is only allowed for loopback addresses, unless
    /// [`allow_plaintext_http`](Self::allow_plaintext_http) is called.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Sets the name of the service in stored plans, instead of the endpoint: for a service whose endpoint changes, such as
    /// a gateway on a free port. A plan is executed only by a client with the same name, project and instance.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Sets the project of the instances.
    ///
    /// The default is the variable `HUAWEICLOUD_SDK_PROJECT_ID`, unless [`credentials`](Self::credentials) are set; else the
    /// project of the credentials (such as `project_id` in the profile); else the project of the region, which the first
    /// call looks up in IAM. `HUAWEICLOUD_SDK_IAM_ENDPOINT` overrides the endpoint of IAM.
    pub fn project_id(
        mut self,
        project_id: impl TryInto<ProjectId, Error: Into<InvalidId>>,
    ) -> Self {
        self.project_id = Some(validated(project_id));
        self
    }

    /// Sets the credentials provider. Each attempt calls it, so wrap a slow provider in a `CachedProvider`.
    ///
    /// The default is the chain of the official SDKs: environment variables (`HUAWEICLOUD_SDK_AK`,
    /// `HUAWEICLOUD_SDK_SK`, `HUAWEICLOUD_SDK_SECURITY_TOKEN`), profile (`~/.huaweicloud/credentials`), container, ECS
    /// metadata. Temporary credentials are renewed before they expire. Without the feature `providers`, only the
    /// environment variables are read.
    ///
    /// A token ([`Credentials::token`](crate::auth::Credentials::token)) is only sent with encryption, or to a loopback or
    /// link-local address.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// Uses this section of `~/.huaweicloud/credentials` instead of `[basic]`. The environment variables override it.
    ///
    /// It must exist: no container or machine is then asked for credentials.
    #[cfg(feature = "providers")]
    pub fn credentials_profile(mut self, section: impl Into<String>) -> Self {
        self.credentials_profile = Some(section.into());
        self
    }

    /// Does not ask the ECS metadata service for credentials. It is never asked if the endpoint is a loopback address, or the
    /// variable `HUAWEICLOUD_SDK_METADATA` is `off`.
    #[cfg(feature = "providers")]
    pub fn without_metadata(mut self) -> Self {
        self.metadata_disabled = true;
        self
    }

    /// Reads variables, and `HOME` for the files in `~/.huaweicloud`, from `environment` instead of the environment of
    /// the process. Proxy variables are always those of the process.
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Allows `http://` to hosts other than loopback. The network can then read requests and responses, but not the
    /// secret key.
    pub fn allow_plaintext_http(mut self) -> Self {
        self.plaintext_allowed = true;
        self
    }

    /// Sets the timeout for one connection, including the TLS handshake. Default: 10 s.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.transport.connect_timeout = Some(timeout);
        self
    }

    /// Sets the limit for a response body, in bytes. Default: 32 MiB.
    pub fn with_response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Sends all requests through this proxy (`http://` or `https://`). The URL may contain user and password, which must be
    /// percent-encoded.
    ///
    /// The default is the proxy of the environment: `HTTPS_PROXY` for `https://` endpoints, `HTTP_PROXY` for `http://`, or
    /// else `ALL_PROXY`, in upper or lower case, with exceptions in `NO_PROXY`. For loopback addresses it is none.
    /// [`build`](Self::build) refuses a proxy that it cannot read.
    pub fn with_proxy(mut self, url: impl Into<String>) -> Self {
        self.transport.proxy = Proxy::Url(url.into());
        self
    }

    /// Uses no proxy, and ignores the proxy of the environment.
    pub fn without_proxy(mut self) -> Self {
        self.transport.proxy = Proxy::None;
        self
    }

    /// Trusts these root certificates (PEM, one or more) in addition to those of the platform. Can be called more than
    /// once.
    #[cfg(feature = "rustls")]
    pub fn with_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport.root_certificates.push(pem.into());
        self
    }

    /// Sets the client certificate: PEM text with the certificate chain and the private key.
    #[cfg(feature = "rustls")]
    pub fn with_client_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport.client_certificate = Some(pem.into());
        self
    }

    /// Uses this HTTP client. It has its own proxy, certificates and connect timeout, so [`build`](Self::build) refuses these
    /// settings together with it.
    ///
    /// The client must not follow redirects (`redirect::Policy::none()`) or retry (`retry::never()`): it may then repeat a
    /// deletion, also at another address. A redirect that led to another URL is an error with an unknown outcome, and so is a
    /// failed connection, because a redirect may have led to it; other repetitions cannot be detected. Your code then
    /// depends on the version of reqwest that this crate uses.
    #[cfg(feature = "reqwest")]
    pub fn with_http_client(mut self, client: reqwest::Client) -> Self {
        self.transport.http_client = Some(client);
        self
    }

    /// Creates the client. Nothing is sent.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the endpoint or the project id is missing or invalid, the
    /// region has no endpoint, a timeout is zero, the proxy or a certificate is invalid, or a setting would be ignored.
    pub fn build(self) -> Result<Client, Error> {
        require_time("connect", self.transport.connect_timeout())?;
        self.settings.check()?;
        let endpoint = self.checked_endpoint()?;
        let http = self.transport.http_client(&endpoint)?;
        let may_follow_redirects = self.transport.may_follow_redirects();
        let (project, credentials) = self.project_and_credentials(&endpoint, &http)?;
        Ok(Client::new(Config {
            http,
            may_follow_redirects,
            service_name: self
                .service_name
                .unwrap_or_else(|| endpoint.base().to_owned()),
            endpoint,
            project: Arc::new(project),
            credentials,
            settings: self.settings,
            response_limit: self.response_limit,
            dates: Arc::default(),
        }))
    }

    fn checked_endpoint(&self) -> Result<Endpoint, Error> {
        let parsed: Result<Endpoint, _> = self.endpoint_url()?.parse();
        let allowed = if self.plaintext_allowed {
            parsed
        } else {
            parsed.and_then(Endpoint::require_encryption)
        };
        Ok(allowed?)
    }

    fn endpoint_url(&self) -> Result<String, Error> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        #[cfg(feature = "providers")]
        if let Some(region) = &self.region {
            let resolver = EndpointResolver::new(self.environment.clone());
            let endpoints = resolver.endpoints(SERVICE, region).map_err(|error| {
                Error::invalid_input("the region cannot be used").with_source(error)
            })?;
            return Ok(endpoints.into_iter().next().unwrap_or_default());
        }
        Err(Error::broken_rule(
            InputRule::EndpointPresent,
            "no endpoint: set a region or an endpoint, such as https://dms.ap-southeast-1.myhuaweicloud.com",
        ))
    }

    /// Returns what was set, and the defaults for the rest.
    #[cfg(feature = "providers")]
    fn project_and_credentials(
        &self,
        endpoint: &Endpoint,
        http: &reqwest::Client,
    ) -> Result<(ProjectSource, Arc<dyn ProvideCredentials>), Error> {
        let (project, credentials) = match (self.named_project()?, self.credentials.clone()) {
            (Some(id), Some(given)) => return Ok((ProjectSource::Given(id), given)),
            given => given,
        };
        let transport = Arc::new(self.transport.for_providers(endpoint, http)?);
        let mut context =
            ProviderContext::new(transport).with_environment(self.environment.clone());
        if let Some(region) = &self.region {
            context = context.with_region(region.clone());
        }
        if let Some(section) = &self.credentials_profile {
            context = context.with_profile(section.clone());
        }
        if self.metadata_disabled {
            context = context.without_metadata("the program disabled it");
        } else if endpoint.is_loopback() {
            context = context.without_metadata("the endpoint is a loopback address");
        }
        let project = match (project, &self.region) {
            (Some(id), _) => ProjectSource::Given(id),
            (None, Some(region)) => ProjectSource::OfRegion {
                lookup: ProjectLookup::new(&context),
                region: region.clone(),
            },
            (None, None) if credentials.is_some() => ProjectSource::OfCredentials,
            (None, None) => project_of_profile(&ProfileProvider::new(&context))?,
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
        let project = match self.named_project()? {
            Some(id) => ProjectSource::Given(id),
            None if self.credentials.is_some() => ProjectSource::OfCredentials,
            None => return Err(no_project_id()),
        };
        let environment = || Arc::new(EnvironmentProvider::new(self.environment.clone())) as Arc<_>;
        Ok((
            project,
            self.credentials.clone().unwrap_or_else(environment),
        ))
    }

    /// Returns the project that is set. The variable applies to credentials from any of the default sources.
    fn named_project(&self) -> Result<Option<ProjectId>, Error> {
        if self.project_id.is_some() || self.credentials.is_some() {
            return Ok(self.project_id.clone().transpose()?);
        }
        let id = self.variable(PROJECT_ID)?.map(ProjectId::new);
        id.transpose()
            .map_err(|error| Error::invalid_id(format!("{PROJECT_ID}: {error}")))
    }

    fn variable(&self, name: &str) -> Result<Option<String>, Error> {
        let value = self.environment.get(name);
        value.map_err(|error| Error::invalid_input(error.to_string()))
    }
}

call_settings!(ClientBuilder, builder => builder.settings);

/// Without a project in the profile, the client could do nothing.
#[cfg(feature = "providers")]
fn project_of_profile(profile: &ProfileProvider) -> Result<ProjectSource, Error> {
    match profile.project_id() {
        Ok(Some(_)) => Ok(ProjectSource::OfCredentials),
        Err(error) if !error.is_not_found() => Err(no_project_id().with_source(error)),
        Ok(None) | Err(_) => Err(no_project_id()),
    }
}

/// Does not show the endpoint: it may contain a password until [`ClientBuilder::build`] refuses it.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientBuilder");
        #[cfg(feature = "providers")]
        shown.field("region", &self.region);
        shown
            .field("project_id", &self.project_id)
            .field("credentials", &self.credentials)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
