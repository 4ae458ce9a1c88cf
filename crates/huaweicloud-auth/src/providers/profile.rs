//! The credentials provider for `~/.huaweicloud/credentials`.

use std::path::{Path, PathBuf};

use configparser::ini::{Ini, IniDefault};

use super::{context::ProviderContext, federation, named};
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const CREDENTIALS_FILE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
/// No section can have this name, so it contains what is before the first section.
const NO_SECTION: &str = "\n";

/// Reads the section `[basic]` of `~/.huaweicloud/credentials`, or of the file that `HUAWEICLOUD_SDK_CREDENTIALS_FILE`
/// names.
///
/// ```ini
/// [basic]
/// ak = …
/// sk = …
/// # optional: security_token, project_id, domain_id, iam_endpoint
/// ```
///
/// `idp_id` and `id_token_file`, which take precedence over keys, are exchanged for a temporary key as by
/// [`FederationProvider`](crate::FederationProvider). Then wrap this in a [`CachedProvider`](crate::CachedProvider).
///
/// Values are not interpolated. The official SDKs interpret `%(` and `%%` differently, so these are refused in keys and
/// tokens.
///
/// The error is [`NotFound`](crate::ProviderErrorKind::NotFound) when there is no file, no section, or no key in the
/// section. A file that the variable names must exist.
#[derive(Clone, Debug)]
pub struct ProfileProvider {
    context: ProviderContext,
    section: String,
}

impl ProfileProvider {
    /// Creates a provider that uses the environment, the home directory, the HTTP client and the region of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
            section: context
                .profile
                .clone()
                .unwrap_or_else(|| "basic".to_owned()),
        }
    }

    /// Reads the section `[global]`, which has credentials for global services, with a `domain_id`.
    #[must_use]
    pub fn for_global_services(mut self) -> Self {
        "global".clone_into(&mut self.section);
        self
    }

    /// Returns the `project_id` of the section. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Those of the credentials that depend only on the file.
    pub fn project_id(&self) -> Result<Option<String>, ProviderError> {
        let (_, profile) = self.read()?;
        Ok(profile.get("project_id"))
    }

    fn read(&self) -> Result<(PathBuf, Profile), ProviderError> {
        let settings = &self.context.settings;
        let read = settings.read(CREDENTIALS_FILE, "credentials");
        let read = read.and_then(|(path, text)| {
            let profile = Profile::parse(&text, &self.section);
            let profile = profile.map_err(|error| error.at(path.display()))?;
            Ok((path, profile))
        });
        read.map_err(|error| {
            // Other credentials must not be used instead of those that were chosen.
            if self.context.profile.is_some() && error.is_not_found() {
                return ProviderError::invalid(error.to_string());
            }
            error
        })
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        let (path, profile) = self.read()?;
        profile
            .credentials(&self.context)
            .await
            .map_err(|error| error.at(path.display()))
    }
}

impl ProvideCredentials for ProfileProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        named("profile", self.fetch())
    }
}

/// A section of the file.
struct Profile {
    ini: Ini,
    section: String,
}

impl Profile {
    fn parse(text: &str, section: &str) -> Result<Self, ProviderError> {
        let mut ini = Ini::new_from_defaults(syntax());
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let sections = ini
            .read(text.to_owned())
            .map_err(|fault| ProviderError::invalid(format!("is not an INI file: {fault}")))?;
        if sections.contains_key(NO_SECTION) {
            return Err(ProviderError::invalid(
                "is not an INI file: it has text before the first [section]",
            ));
        }
        let Some(entries) = sections.get(section) else {
            return Err(ProviderError::not_found(format!(
                "has no section [{section}]"
            )));
        };
        if entries.values().any(Option::is_none) {
            return Err(ProviderError::invalid(format!(
                "is not an INI file: a line in [{section}] has no '='"
            )));
        }
        Ok(Self {
            ini,
            section: section.to_owned(),
        })
    }

    /// An empty value counts as not set, like an empty variable.
    fn get(&self, name: &str) -> Option<String> {
        self.ini
            .get(&self.section, name)
            .filter(|value| !value.is_empty())
    }

    async fn credentials(&self, context: &ProviderContext) -> Result<Credentials, ProviderError> {
        let mut credentials = match self.pair("idp_id", "id_token_file")? {
            Some((idp_id, token_file)) => {
                let iam = self.get("iam_endpoint");
                federation::exchange(context, &idp_id, Path::new(&token_file), iam.as_deref())
                    .await?
            }
            None => self.key()?,
        };
        if let Some(project_id) = self.get("project_id") {
            credentials = credentials.with_project_id(project_id);
        }
        if let Some(domain_id) = self.get("domain_id") {
            credentials = credentials.with_domain_id(domain_id);
        }
        if let Some(iam_endpoint) = self.get("iam_endpoint") {
            credentials = credentials.with_iam_endpoint(iam_endpoint);
        }
        Ok(credentials)
    }

    fn key(&self) -> Result<Credentials, ProviderError> {
        let security_token = self.secret("security_token")?;
        let Some((access_key, secret_key)) = self.pair("ak", "sk")? else {
            return Err(match security_token {
                None => ProviderError::not_found(format!(
                    "has neither ak nor idp_id in [{}]",
                    self.section
                )),
                Some(_) => self.half_set("security_token", "ak"),
            });
        };
        let credentials = Credentials::new(access_key, secret_key)?;
        match security_token {
            Some(token) => credentials.with_security_token(token),
            None => Ok(credentials),
        }
    }

    fn pair(&self, one: &str, other: &str) -> Result<Option<(String, String)>, ProviderError> {
        match (self.secret(one)?, self.secret(other)?) {
            (Some(one), Some(other)) => Ok(Some((one, other))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.half_set(one, other)),
            (None, Some(_)) => Err(self.half_set(other, one)),
        }
    }

    fn secret(&self, name: &str) -> Result<Option<String>, ProviderError> {
        let value = self.get(name);
        if value
            .as_ref()
            .is_some_and(|value| value.contains("%(") || value.contains("%%"))
        {
            return Err(ProviderError::invalid(format!(
                "{name} in [{}] contains %( or %%, which the official SDKs interpret differently: use a value without them",
                self.section
            )));
        }
        Ok(value)
    }

    fn half_set(&self, present: &str, absent: &str) -> ProviderError {
        ProviderError::invalid(format!(
            "[{}] has {present} but no {absent}: set both or neither",
            self.section
        ))
    }
}

/// Like the configparser of Python: comments are separate lines, and indented lines continue a value.
fn syntax() -> IniDefault {
    let mut syntax = IniDefault::default();
    NO_SECTION.clone_into(&mut syntax.default_section);
    syntax.enable_inline_comments = false;
    syntax.multiline = true;
    syntax
}
