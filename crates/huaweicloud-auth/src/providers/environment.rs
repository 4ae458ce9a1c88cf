//! Credentials from `HUAWEICLOUD_SDK_*` variables.

use crate::{
    Credentials, CredentialsError, Environment, ProvideCredentials, ProvideCredentialsFuture,
};

const ACCESS_KEY: &str = "HUAWEICLOUD_SDK_AK";
const SECRET_KEY: &str = "HUAWEICLOUD_SDK_SK";
const SECURITY_TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const DOMAIN_ID: &str = "HUAWEICLOUD_SDK_DOMAIN_ID";

/// Reads `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, when set, `HUAWEICLOUD_SDK_SECURITY_TOKEN`,
/// `HUAWEICLOUD_SDK_PROJECT_ID` and `HUAWEICLOUD_SDK_DOMAIN_ID`: the names the official SDKs use.
///
/// Neither key set means "nothing here"; one without the other, or a security token alone, is an error.
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
    /// A provider that reads the given environment, anew each time it is asked.
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }

    /// A provider that reads the environment of this process.
    pub fn from_process() -> Self {
        Self::new(Environment::from_process())
    }

    /// The credentials in the environment now.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::CredentialsErrorKind::NotFound) when no key is set,
    /// [`Invalid`](crate::CredentialsErrorKind::Invalid) when only a part is set or a value cannot be used.
    pub fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.read().map_err(|error| error.at("environment"))
    }

    fn read(&self) -> Result<Credentials, CredentialsError> {
        let get = |name| self.environment.get(name);
        let security_token = get(SECURITY_TOKEN)?;
        let mut credentials = match (get(ACCESS_KEY)?, get(SECRET_KEY)?) {
            (Some(access_key), Some(secret_key)) => Credentials::new(access_key, secret_key)
                .map_err(|error| error.at(format_args!("{ACCESS_KEY} and {SECRET_KEY}")))?,
            (Some(_), None) => return Err(half_set(ACCESS_KEY, SECRET_KEY)),
            (None, Some(_)) => return Err(half_set(SECRET_KEY, ACCESS_KEY)),
            (None, None) if security_token.is_some() => {
                return Err(half_set(SECURITY_TOKEN, ACCESS_KEY));
            }
            (None, None) => {
                return Err(CredentialsError::not_found(format!(
                    "neither {ACCESS_KEY} nor {SECRET_KEY} is set"
                )));
            }
        };
        if let Some(token) = security_token {
            credentials = credentials
                .with_security_token(token)
                .map_err(|error| error.at(SECURITY_TOKEN))?;
        }
        if let Some(project_id) = get(PROJECT_ID)? {
            credentials = credentials.with_project_id(project_id);
        }
        if let Some(domain_id) = get(DOMAIN_ID)? {
            credentials = credentials.with_domain_id(domain_id);
        }
        Ok(credentials.with_provider_name("environment"))
    }
}

impl ProvideCredentials for EnvironmentProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(std::future::ready(self.credentials()))
    }
}

fn half_set(present: &str, absent: &str) -> CredentialsError {
    CredentialsError::invalid(format!(
        "{present} is set but {absent} is not: set both or neither"
    ))
}
