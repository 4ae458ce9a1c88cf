//! The file `regions.yaml`.

use std::{collections::HashMap, io};

use serde::Deserialize;

use crate::{CredentialsError, files, settings::ConfigurationFile};

/// Service to regions.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct RegionsFile(HashMap<String, Vec<Entry>>);

#[derive(Deserialize)]
struct Entry {
    id: String,
    endpoint: Option<String>,
    #[serde(default)]
    endpoints: Vec<String>,
}

impl RegionsFile {
    pub(super) fn read(
        file: &ConfigurationFile,
        variable: &str,
    ) -> Result<Option<Self>, CredentialsError> {
        let path = file.path.display();
        let text = match files::read(&file.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_explicit => {
                return Err(CredentialsError::invalid(format!(
                    "{path} does not exist, although {variable} names it"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(CredentialsError::invalid(format!(
                    "{path} cannot be read: {error}"
                )));
            }
        };
        let file = yaml_serde::from_str(&text).map_err(|error| {
            CredentialsError::invalid(format!(
                "{path} is not a map of services to lists of {{id, endpoint}}: {error}"
            ))
        })?;
        Ok(Some(file))
    }

    /// Services are spelled in any case, region ids are not.
    pub(super) fn endpoints(&self, service: &str, region: &str) -> Vec<&str> {
        let services = self
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(service));
        services
            .flat_map(|(_, entries)| entries)
            .filter(|entry| entry.id == region)
            .flat_map(|entry| entry.endpoints.iter().chain(&entry.endpoint))
            .map(String::as_str)
            .collect()
    }
}
