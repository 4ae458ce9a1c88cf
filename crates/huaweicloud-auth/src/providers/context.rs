//! The context of credentials providers: environment, files, clock, HTTP client and region.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read},
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
/// Profiles and tokens are much smaller; a device or a log given by mistake is not read completely.
const MAX_LENGTH: u64 = 1024 * 1024;

/// The environment, home directory, clock, HTTP client and region that credentials providers use.
///
/// [`new`](Self::new) takes them from the process. Each can be replaced, for example in tests.
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
/// assert!(error.is_unreadable(), "a file that is set must exist");
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
    /// The section of the credentials file; by default `basic`.
    pub(super) profile: Option<String>,
    /// Why the metadata service must not be asked.
    pub(super) without_metadata: Option<&'static str>,
}

impl ProviderContext {
    /// Creates a context with the given HTTP client and the environment, home directory and clock of this process.
    pub fn new(transport: Arc<dyn HttpTransport>) -> Self {
        Self {
            settings: Settings {
                environment: Environment::from_process(),
                home: None,
            },
            clock: Clock::system(),
            transport,
            region: None,
            profile: None,
            without_metadata: None,
        }
    }

    /// Replaces the environment.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.settings.environment = environment;
        self
    }

    /// Replaces the home directory. The default is `HOME`, or `USERPROFILE` on Windows.
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

    /// Sets the region whose IAM and STS are used. The default is the global IAM and the STS of `cn-north-4`.
    #[must_use]
    pub fn with_region(mut self, region: Region) -> Self {
        self.region = Some(region);
        self
    }

    /// Uses this section of the [credentials file](crate::ProfileProvider) instead of `[basic]`. The file and the section must
    /// then exist.
    #[must_use]
    pub fn with_profile(mut self, section: impl Into<String>) -> Self {
        self.profile = Some(section.into());
        self
    }

    /// Disables the [metadata service](crate::MetadataProvider). The reason completes the sentence "not asked, because …".
    #[must_use]
    pub fn without_metadata(mut self, reason: &'static str) -> Self {
        self.without_metadata = Some(reason);
        self
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.settings.environment
    }

    /// Returns the IAM endpoint, in the order of the official SDKs: explicit, environment, region, global.
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

/// Requests to IAM and STS contain secrets.
fn confidential(text: &str) -> Result<Endpoint, ProviderError> {
    Ok(text.parse::<Endpoint>()?.require_encryption()?)
}

impl From<EndpointError> for ProviderError {
    fn from(error: EndpointError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// The environment and the home directory, which contain the configuration.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) environment: Environment,
    pub(super) home: Option<PathBuf>,
}

impl Settings {
    /// Returns path and text of the file that a variable names, which must exist, or else of the file `name` in
    /// `.huaweicloud`.
    pub(super) fn read(
        &self,
        variable: &str,
        name: &str,
    ) -> Result<(PathBuf, Zeroizing<String>), ProviderError> {
        let named = self.environment.get(variable)?.map(PathBuf::from);
        if let Some(path) = named {
            let text = read(&path).map_err(|error| unreadable(&path, error).at(variable))?;
            return Ok((path, text));
        }
        let path = self.home()?.join(".huaweicloud").join(name);
        match read(&path) {
            Ok(text) => Ok((path, text)),
            // The home directory of a service account may be a file, such as /dev/null.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                let message = format!("{} does not exist", path.display());
                Err(ProviderError::not_found(message))
            }
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    fn home(&self) -> Result<PathBuf, ProviderError> {
        if let Some(home) = &self.home {
            return Ok(home.clone());
        }
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = self.environment.get(variable)?.map(PathBuf::from);
        home.ok_or_else(|| {
            ProviderError::not_found(format!("the home directory is not known: set {variable}"))
        })
    }
}

/// Reads the token in a file. The file is read each time, because tokens are replaced.
pub(super) fn read_token(path: &Path) -> Result<Zeroizing<String>, ProviderError> {
    let text = read(path).map_err(|error| unreadable(path, error).at("token file"))?;
    match text.trim() {
        "" => Err(ProviderError::invalid("is empty")
            .at(path.display())
            .at("token file")),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

fn unreadable(path: &Path, error: io::Error) -> ProviderError {
    let message = format!("{} cannot be read", path.display());
    let failure = match error.kind() {
        // Not a text, or too long.
        ErrorKind::InvalidData | ErrorKind::FileTooLarge => ProviderError::invalid(message),
        _ => ProviderError::unreadable(message),
    };
    failure.with_source(error)
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?
        .take(MAX_LENGTH + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(text)
}

/// A clock: that of the system or, for example in tests, a function.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// Creates a clock that returns the system time.
    pub fn system() -> Self {
        Self::from_fn(SystemTime::now)
    }

    /// Creates a clock that calls a function.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the current time.
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
