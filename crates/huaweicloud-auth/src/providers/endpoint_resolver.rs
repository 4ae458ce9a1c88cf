//! Finds the endpoints of a service in a region.

use std::{collections::HashMap, path::PathBuf};

use serde::Deserialize;

use super::{
    context::Settings,
    region::{Region, most_similar, suggestion},
};
use crate::{Endpoint, Environment, ProviderError};

const REGIONS_FILE: &str = "HUAWEICLOUD_SDK_REGIONS_FILE";

/// Finds the endpoints of a service in a region, in the order of the official SDKs:
///
/// 1. the variable `HUAWEICLOUD_SDK_REGION_<SERVICE>_<REGION>`, such as `HUAWEICLOUD_SDK_REGION_KAFKA_AP_SOUTHEAST_1`;
///    commas separate several endpoints;
/// 2. the file `~/.huaweicloud/regions.yaml`, or the one that `HUAWEICLOUD_SDK_REGIONS_FILE` names:
///    ```yaml
///    kafka:
///      - id: ap-southeast-1
///        endpoint: https://dms.example.com   # or a list: endpoints
///    ```
/// 3. for the service `kafka`, the [known regions](Region::KNOWN).
///
/// ```
/// use huaweicloud_auth::{EndpointResolver, Environment, Region};
///
/// let environment = Environment::from_iter([("HUAWEICLOUD_SDK_REGION_KAFKA_MY_OWN_1", "dms.example.com")]);
/// let resolver = EndpointResolver::new(environment);
/// assert_eq!(resolver.endpoints("kafka", &Region::new("my-own-1")?)?, ["https://dms.example.com"]);
/// # Ok::<(), huaweicloud_auth::ProviderError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EndpointResolver {
    settings: Settings,
}

impl EndpointResolver {
    /// Creates a resolver that reads the given environment.
    pub fn new(environment: Environment) -> Self {
        Self {
            settings: Settings {
                environment,
                home: None,
            },
        }
    }

    /// Replaces the home directory. The default is `HOME`, or `USERPROFILE` on Windows.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.settings.home = Some(home.into());
        self
    }

    /// Returns the endpoints of the service in the region, the primary first. There is at least one. Each has a scheme, a
    /// host and perhaps a port. The default scheme is `https`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ProviderErrorKind::NotFound), with the most similar known regions as candidates, when no
    /// endpoint is known, [`Invalid`](crate::ProviderErrorKind::Invalid) when the variable or the file is invalid, and
    /// [`Unreadable`](crate::ProviderErrorKind::Unreadable) when the file cannot be read.
    pub fn endpoints(&self, service: &str, region: &Region) -> Result<Vec<String>, ProviderError> {
        let variable = variable(service, region);
        if let Some(list) = self.settings.environment.get(&variable)? {
            let endpoints = parse_all(
                list.split(',')
                    .map(str::trim)
                    .filter(|text| !text.is_empty()),
            );
            return endpoints.map_err(|error| error.at(&variable));
        }
        if let Some(endpoints) = self.configured(service, region)? {
            return Ok(endpoints);
        }
        let known = region
            .kafka_endpoint()
            .filter(|_| service.eq_ignore_ascii_case("kafka"));
        known
            .map(|endpoint| vec![endpoint])
            .ok_or_else(|| unknown(service, region, &variable))
    }

    fn configured(
        &self,
        service: &str,
        region: &Region,
    ) -> Result<Option<Vec<String>>, ProviderError> {
        let (path, text) = match self.settings.read(REGIONS_FILE, "regions.yaml") {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let path = path.display();
        let regions: RegionsFile = yaml_serde::from_str(&text).map_err(|error| {
            ProviderError::invalid("is not a map of services to lists of {id, endpoint}")
                .with_source(error)
                .at(&path)
        })?;
        let services = regions
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(service));
        let endpoints: Vec<&str> = services
            .flat_map(|(_, entries)| entries)
            .filter(|entry| entry.id == region.id())
            .flat_map(|entry| entry.endpoints.iter().chain(&entry.endpoint))
            .map(String::as_str)
            .collect();
        if endpoints.is_empty() {
            return Ok(None);
        }
        let endpoints = parse_all(endpoints).map_err(|error| error.at(path))?;
        Ok(Some(endpoints))
    }
}

fn variable(service: &str, region: &Region) -> String {
    let name = format!("HUAWEICLOUD_SDK_REGION_{service}_{region}");
    name.to_uppercase().replace('-', "_")
}

fn unknown(service: &str, region: &Region, variable: &str) -> ProviderError {
    let similar = if region.is_known() {
        Vec::new()
    } else {
        most_similar(region.id())
    };
    let message = format!(
        "the endpoint of {service} in the region {region} is not known{}: check the region, or set {variable}",
        suggestion(&similar)
    );
    ProviderError::not_found(message).with_candidates(similar)
}

fn parse_all<'a>(
    endpoints: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>, ProviderError> {
    let endpoints: Vec<_> = endpoints
        .into_iter()
        .map(|text| Ok(text.parse::<Endpoint>()?.base().to_owned()))
        .collect::<Result<_, ProviderError>>()?;
    if endpoints.is_empty() {
        return Err(ProviderError::invalid("contains no endpoint"));
    }
    Ok(endpoints)
}

/// Services with their regions. The names of services are not case-sensitive, region ids are.
type RegionsFile = HashMap<String, Vec<RegionEntry>>;

#[derive(Deserialize)]
struct RegionEntry {
    id: String,
    endpoint: Option<String>,
    #[serde(default)]
    endpoints: Vec<String>,
}
