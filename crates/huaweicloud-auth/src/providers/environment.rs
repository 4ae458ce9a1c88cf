//! Credentials from `HUAWEICLOUD_SDK_*` variables.

use crate::{
    Credentials, CredentialsError, Environment, ProvideCredentials, ProvideCredentialsFuture,
};

const ACCESS_KEY: &str = "HUAWEICLOUD_SDK_AK";
const SECRET_KEY: &str = "HUAWEICLOUD_SDK_SK";
const SECURITY_TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";

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
        let security_token = self.environment.get(SECURITY_TOKEN)?;
        let Some((access_key, secret_key)) = self.environment.get_both(ACCESS_KEY, SECRET_KEY)?
        else {
            return Err(match security_token {
                None => CredentialsError::not_found(format!(
                    "neither {ACCESS_KEY} nor {SECRET_KEY} is set"
                )),
                Some(_) => CredentialsError::invalid(format!(
                    "{SECURITY_TOKEN} is set but neither {ACCESS_KEY} nor {SECRET_KEY} is: set all or none"
                )),
            });
        };
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
