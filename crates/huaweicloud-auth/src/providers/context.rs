//! Everything outside that the sources look at: environment, files, clock, HTTP and region.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::{region::Region, transport::HttpTransport};
use crate::{Endpoint, EndpointError, Environment, ProviderError};

const IAM_ENDPOINT: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";
const GLOBAL_IAM: &str = "https://iam.myhuaweicloud.com";
const STS_ENDPOINT: &str = "HUAWEICLOUD_SDK_STS_ENDPOINT";
const DEFAULT_STS: &str = "https://sts.cn-north-4.myhuaweicloud.com";
/// Far above any profile or token; a device or a log named by mistake is not read to its end.
const MAX_LENGTH: u64 = 1024 * 1024;

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
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) transport: Arc<dyn HttpTransport>,
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

    pub(super) fn environment(&self) -> &Environment {
        &self.settings.environment
    }

    /// The IAM to ask, in the order of the official SDKs: explicit, environment, region, global.
    pub(super) fn iam_endpoint(&self, explicit: Option<&str>) -> Result<Endpoint, ProviderError> {
        if let Some(explicit) = explicit {
            return confidential(explicit).map_err(|error| error.at("iam_endpoint"));
        }
        let known = self.region.as_ref().and_then(Region::iam_endpoint);
        self.configured_endpoint(IAM_ENDPOINT, known.as_deref(), GLOBAL_IAM)
    }

    pub(super) fn sts_endpoint(&self) -> Result<Endpoint, ProviderError> {
        let known = self.region.as_ref().and_then(Region::sts_endpoint);
        self.configured_endpoint(STS_ENDPOINT, known.as_deref(), DEFAULT_STS)
    }

    fn configured_endpoint(
        &self,
        variable: &str,
        known: Option<&str>,
        default: &str,
    ) -> Result<Endpoint, ProviderError> {
        match self.environment().get(variable)? {
            Some(text) => confidential(&text).map_err(|error| error.at(variable)),
            None => confidential(known.unwrap_or(default)),
        }
    }
}

/// IAM and STS are sent secrets.
fn confidential(text: &str) -> Result<Endpoint, ProviderError> {
    Ok(text.parse::<Endpoint>()?.require_encryption()?)
}

impl From<EndpointError> for ProviderError {
    fn from(error: EndpointError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// Environment and home folder: where configuration is.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) environment: Environment,
    pub(super) home: Option<PathBuf>,
}

impl Settings {
    /// Path and text of the file that a variable names, which must exist, or else of the one of that name in `.huaweicloud`.
    pub(super) fn read(
        &self,
        variable: &str,
        name: &str,
    ) -> Result<(PathBuf, Zeroizing<String>), ProviderError> {
        let named = self.environment.get(variable)?.map(PathBuf::from);
        let is_named = named.is_some();
        let path = match named {
            Some(path) => path,
            None => self.home()?.join(".huaweicloud").join(name),
        };
        let text = read(&path).map_err(|error| {
            let path = path.display();
            match error.kind() {
                io::ErrorKind::NotFound if is_named => ProviderError::invalid(format!(
                    "{path} does not exist, although {variable} names it"
                )),
                io::ErrorKind::NotFound => {
                    ProviderError::not_found(format!("{path} does not exist"))
                }
                _ => ProviderError::invalid(format!("{path} cannot be read")).with_source(error),
            }
        })?;
        Ok((path, text))
    }

    fn home(&self) -> Result<PathBuf, ProviderError> {
        if let Some(home) = &self.home {
            return Ok(home.clone());
        }
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = self.environment.get(variable)?.map(PathBuf::from);
        home.ok_or_else(|| ProviderError::not_found("there is no home folder"))
    }
}

/// The token in a file, read again each time because its owner replaces it.
pub(super) fn read_token(path: &Path) -> Result<Zeroizing<String>, ProviderError> {
    let place = format!("token file {}", path.display());
    let text = read(path).map_err(|error| {
        ProviderError::invalid("cannot be read")
            .with_source(error)
            .at(&place)
    })?;
    match text.trim() {
        "" => Err(ProviderError::invalid("is empty").at(&place)),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?
        .take(MAX_LENGTH + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(text)
}

/// Where the time comes from: the system, or a function of the caller's, such as a test's.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::from_fn(SystemTime::now)
    }

    /// A clock that asks a function.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
