//! Environment variables and the credentials in them.

use std::{collections::HashMap, ffi::OsString, fmt, sync::Arc};

use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const ACCESS_KEY: &str = "HUAWEICLOUD_SDK_AK";
const SECRET_KEY: &str = "HUAWEICLOUD_SDK_SK";
const SECURITY_TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";

/// The environment variables that providers read: those of the process, or others, for example in tests.
///
/// ```
/// use huaweicloud_auth::Environment;
///
/// let environment = Environment::from_iter([("HUAWEICLOUD_SDK_AK", "AccessKey")]);
/// assert_eq!(environment.get("HUAWEICLOUD_SDK_AK")?.as_deref(), Some("AccessKey"));
/// # Ok::<(), huaweicloud_auth::ProviderError>(())
/// ```
#[derive(Clone)]
pub struct Environment(Arc<LookUp>);

type LookUp = dyn Fn(&str) -> Option<OsString> + Send + Sync;

impl Environment {
    /// Creates an environment that reads the variables of this process each time.
    pub fn from_process() -> Self {
        Self::from_fn(|name| std::env::var_os(name))
    }

    /// Creates an environment that calls a function for each variable.
    pub fn from_fn(look_up: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// Returns the value of a variable. An empty variable counts as not set.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when the value is not valid Unicode.
    pub fn get(&self, name: &str) -> Result<Option<String>, ProviderError> {
        match (self.0)(name).map(OsString::into_string) {
            Some(Ok(value)) if !value.is_empty() => Ok(Some(value)),
            Some(Err(_)) => Err(ProviderError::invalid(format!(
                "the environment variable {name} is not valid Unicode"
            ))),
            _ => Ok(None),
        }
    }

    /// Returns two variables that require each other. The error is `NotFound` when neither is set.
    pub(crate) fn get_both(
        &self,
        one: &str,
        other: &str,
    ) -> Result<(String, String), ProviderError> {
        let half_set = |present, absent| {
            ProviderError::invalid(format!(
                "{present} is set but {absent} is not: set both or neither"
            ))
        };
        match (self.get(one)?, self.get(other)?) {
            (Some(one), Some(other)) => Ok((one, other)),
            (None, None) => Err(ProviderError::not_found(format!(
                "neither {one} nor {other} is set"
            ))),
            (Some(_), None) => Err(half_set(one, other)),
            (None, Some(_)) => Err(half_set(other, one)),
        }
    }

    /// Adds the project and the account that the variables name.
    pub(crate) fn scope(&self, mut credentials: Credentials) -> Result<Credentials, ProviderError> {
        if let Some(project_id) = self.get("HUAWEICLOUD_SDK_PROJECT_ID")? {
            credentials = credentials.with_project_id(project_id);
        }
        if let Some(domain_id) = self.get("HUAWEICLOUD_SDK_DOMAIN_ID")? {
            credentials = credentials.with_domain_id(domain_id);
        }
        Ok(credentials)
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables: HashMap<String, OsString> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self::from_fn(move |name| variables.get(name).cloned())
    }
}

/// Does not show the variables, which may contain secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// Reads credentials from the variables of the official SDKs: `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, when set,
/// `HUAWEICLOUD_SDK_SECURITY_TOKEN`, `HUAWEICLOUD_SDK_PROJECT_ID` and `HUAWEICLOUD_SDK_DOMAIN_ID`.
///
/// The error is [`NotFound`](crate::ProviderErrorKind::NotFound) when no key is set, and
/// [`Invalid`](crate::ProviderErrorKind::Invalid) when only one key or only the security token is set.
///
/// ```
/// use huaweicloud_auth::{Environment, EnvironmentProvider};
///
/// let environment = Environment::from_iter([("HUAWEICLOUD_SDK_AK", "AccessKey")]);
/// let error = EnvironmentProvider::new(environment).credentials().unwrap_err();
/// assert!(error.is_invalid());
/// assert!(error.to_string().contains("HUAWEICLOUD_SDK_SK"));
/// ```
#[derive(Clone, Debug)]
pub struct EnvironmentProvider {
    environment: Environment,
}

impl EnvironmentProvider {
    /// Creates a provider that reads the given environment each time.
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }

    /// Creates a provider that reads the environment of this process.
    pub fn from_process() -> Self {
        Self::new(Environment::from_process())
    }

    /// Returns the credentials in the environment.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ProviderErrorKind::NotFound) when no key is set,
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when only a part is set or a value is invalid.
    pub fn credentials(&self) -> Result<Credentials, ProviderError> {
        self.read().map_err(|error| error.at("environment"))
    }

    fn read(&self) -> Result<Credentials, ProviderError> {
        let security_token = self.environment.get(SECURITY_TOKEN)?;
        let keys = self.environment.get_both(ACCESS_KEY, SECRET_KEY);
        let (access_key, secret_key) = keys.map_err(|error| {
            if security_token.is_none() || !error.is_not_found() {
                return error;
            }
            ProviderError::invalid(format!(
                "{SECURITY_TOKEN} is set but neither {ACCESS_KEY} nor {SECRET_KEY} is: set all or none"
            ))
        })?;
        let mut credentials = Credentials::new(access_key, secret_key)
            .map_err(|error| error.at(format_args!("{ACCESS_KEY} and {SECRET_KEY}")))?;
        if let Some(token) = security_token {
            credentials = credentials
                .with_security_token(token)
                .map_err(|error| error.at(SECURITY_TOKEN))?;
        }
        Ok(self
            .environment
            .scope(credentials)?
            .with_provider_name("environment"))
    }
}

impl ProvideCredentials for EnvironmentProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(std::future::ready(self.credentials()))
    }
}
