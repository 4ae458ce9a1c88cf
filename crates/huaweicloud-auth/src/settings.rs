//! Environment and home folder: where configuration is.

use std::path::PathBuf;

use crate::{CredentialsError, Environment};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) environment: Environment,
    pub(crate) home: Option<PathBuf>,
}

/// A file that may be there, and must when the user named it.
pub(crate) struct ConfigurationFile {
    pub(crate) path: PathBuf,
    pub(crate) is_explicit: bool,
}

impl Settings {
    /// The file that a variable names, or else the one of that name in `.huaweicloud`; `None` without a home folder.
    pub(crate) fn file(
        &self,
        variable: &str,
        name: &str,
    ) -> Result<Option<ConfigurationFile>, CredentialsError> {
        if let Some(path) = self.environment.get(variable)? {
            return Ok(Some(ConfigurationFile {
                path: path.into(),
                is_explicit: true,
            }));
        }
        Ok(self.home()?.map(|home| ConfigurationFile {
            path: home.join(".huaweicloud").join(name),
            is_explicit: false,
        }))
    }

    fn home(&self) -> Result<Option<PathBuf>, CredentialsError> {
        if let Some(home) = &self.home {
            return Ok(Some(home.clone()));
        }
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        Ok(self.environment.get(variable)?.map(PathBuf::from))
    }
}
