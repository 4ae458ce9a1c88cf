//! Secrets that a configuration refers to: in the environment or in files of their own.

use std::{fs, path::Path};

use zeroize::Zeroizing;

use crate::error::Error;

/// Looks up one environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads a secret from wherever a table says it is.
///
/// # Errors
/// When both places are named or none, when there is nothing, and when it is empty.
pub(super) fn read(
    owner: &str,
    variable: Option<&str>,
    file: Option<&Path>,
    environment: Environment<'_>,
) -> Result<Zeroizing<String>, Error> {
    let (place, secret) = match (variable, file) {
        (Some(variable), None) => (
            format!("environment variable {variable}"),
            from_environment(variable, environment)?,
        ),
        (None, Some(file)) => (format!("file {}", file.display()), from_file(file)?),
        _ => {
            return Err(Error::invalid_setting(
                "secret of",
                owner,
                "name an environment variable or a file, not both",
            ));
        }
    };
    if secret.is_empty() {
        return Err(Error::invalid_setting("secret in", place, "it is empty"));
    }
    Ok(secret)
}

fn from_environment(
    variable: &str,
    environment: Environment<'_>,
) -> Result<Zeroizing<String>, Error> {
    let value = environment(variable);
    value
        .map(Zeroizing::new)
        .ok_or_else(|| Error::invalid_setting("environment variable", variable, "it is not set"))
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| Error::file(path, source))?;
    Ok(Zeroizing::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}
