//! What the sources of credentials look at.

use std::{path::PathBuf, sync::Arc};

use crate::{
    Clock, CredentialsError, Endpoint, Environment, HttpTransport, Region, settings::Settings,
};

const IAM_ENDPOINT: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";
const GLOBAL_IAM: &str = "https://iam.myhuaweicloud.com";
const STS_ENDPOINT: &str = "HUAWEICLOUD_SDK_STS_ENDPOINT";
const DEFAULT_STS: &str = "https://sts.cn-north-4.myhuaweicloud.com";

/// Everything outside that a source of credentials looks at: environment, home folder, clock, HTTP and region.
///
/// [`new`](Self::new) takes them from the process; each can be replaced, as tests do.
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use std::sync::Arc;
/// use huaweicloud_auth::{Environment, ProfileProvider, ProvideCredentials, ProviderContext, ReqwestTransport};
///
/// # async fn run() {
/// let context = ProviderContext::new(Arc::new(ReqwestTransport::new()))
///     .with_environment(Environment::from_iter([("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/no/such/file")]))
///     .with_home("/nowhere");
/// let error = ProfileProvider::new(&context).provide_credentials().await.unwrap_err();
/// assert!(error.is_invalid(), "a file that is named must be there");
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ProviderContext {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) transport: Arc<dyn HttpTransport>,
    region: Option<Region>,
}

impl ProviderContext {
    /// The environment of this process, its home folder and the system's clock, with the given way to speak HTTP.
    pub fn new(transport: Arc<dyn HttpTransport>) -> Self {
        Self {
            settings: Settings {
                environment: Environment::from_process(),
                home: None,
            },
            clock: Clock::system(),
            transport,
            region: None,
        }
    }

    /// Replaces the environment.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.settings.environment = environment;
        self
    }

    /// Replaces the home folder, which otherwise is `HOME`, or `USERPROFILE` on Windows.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.settings.home = Some(home.into());
        self
    }

    /// Replaces the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the region whose IAM and STS are asked. Without it, it is the global IAM and the STS of `cn-north-4`.
    #[must_use]
    pub fn with_region(mut self, region: Region) -> Self {
        self.region = Some(region);
        self
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.settings.environment
    }

    /// The IAM to ask, in the order of the official SDKs: explicit, environment, region, global.
    pub(crate) fn iam_endpoint(
        &self,
        explicit: Option<&str>,
    ) -> Result<Endpoint, CredentialsError> {
        if let Some(explicit) = explicit {
            return confidential(explicit).map_err(|error| error.at("iam_endpoint"));
        }
        let known = self.region.as_ref().and_then(Region::iam_endpoint);
        self.configured_endpoint(IAM_ENDPOINT, known, GLOBAL_IAM)
    }

    pub(crate) fn sts_endpoint(&self) -> Result<Endpoint, CredentialsError> {
        let known = self.region.as_ref().and_then(Region::sts_endpoint);
        self.configured_endpoint(STS_ENDPOINT, known, DEFAULT_STS)
    }

    fn configured_endpoint(
        &self,
        variable: &str,
        known: Option<String>,
        default: &str,
    ) -> Result<Endpoint, CredentialsError> {
        match self.environment().get(variable)? {
            Some(text) => confidential(&text).map_err(|error| error.at(variable)),
            None => confidential(known.as_deref().unwrap_or(default)),
        }
    }
}

/// IAM and STS are sent secrets.
fn confidential(text: &str) -> Result<Endpoint, CredentialsError> {
    Ok(text.parse::<Endpoint>()?.require_encryption()?)
}
