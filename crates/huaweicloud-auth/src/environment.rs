//! Environment variables as an input, so that nothing here reads a global by itself.

use std::{collections::HashMap, ffi::OsString, fmt, sync::Arc};

use crate::{Credentials, CredentialsError};

/// Where environment variables are read from: the process, or a map made by the caller.
///
/// ```
/// use huaweicloud_auth::Environment;
///
/// let environment = Environment::from_iter([("HUAWEICLOUD_SDK_AK", "AccessKey")]);
/// assert_eq!(environment.get("HUAWEICLOUD_SDK_AK")?.as_deref(), Some("AccessKey"));
/// # Ok::<(), huaweicloud_auth::CredentialsError>(())
/// ```
#[derive(Clone)]
pub struct Environment(Arc<LookUp>);

type LookUp = dyn Fn(&str) -> Option<OsString> + Send + Sync;

impl Environment {
    /// The environment of this process, read anew at each look-up.
    pub fn from_process() -> Self {
        Self::from_fn(|name| std::env::var_os(name))
    }

    /// An environment that a function looks up.
    pub fn from_fn(look_up: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// The variable's value; an empty one counts as not set, as in a shell's `NAME= command`.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::CredentialsErrorKind::Invalid) when the value is not Unicode.
    pub fn get(&self, name: &str) -> Result<Option<String>, CredentialsError> {
        match (self.0)(name).map(OsString::into_string) {
            Some(Ok(value)) if !value.is_empty() => Ok(Some(value)),
            Some(Err(_)) => Err(CredentialsError::invalid(format!(
                "the environment variable {name} is not Unicode"
            ))),
            _ => Ok(None),
        }
    }

    /// Two variables that make sense only together: both, or `None` when neither is set.
    pub(crate) fn get_both(
        &self,
        one: &str,
        other: &str,
    ) -> Result<Option<(String, String)>, CredentialsError> {
        let half_set = |present, absent| {
            CredentialsError::invalid(format!(
                "{present} is set but {absent} is not: set both or neither"
            ))
        };
        match (self.get(one)?, self.get(other)?) {
            (Some(one), Some(other)) => Ok(Some((one, other))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(half_set(one, other)),
            (None, Some(_)) => Err(half_set(other, one)),
        }
    }

    /// Adds the project and the account that the environment names.
    pub(crate) fn scope(
        &self,
        mut credentials: Credentials,
    ) -> Result<Credentials, CredentialsError> {
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

/// Shows nothing: variables hold secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
