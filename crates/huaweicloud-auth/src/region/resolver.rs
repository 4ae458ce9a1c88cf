//! From a region to addresses.

use std::path::PathBuf;

use super::{Region, RegionError, file::RegionsFile};
use crate::{CredentialsError, Endpoint, Environment, settings::Settings};

const REGIONS_FILE: &str = "HUAWEICLOUD_SDK_REGIONS_FILE";

/// Finds the endpoints of a service in a region, in the order of the official SDKs:
///
/// 1. the variable `HUAWEICLOUD_SDK_REGION_<SERVICE>_<REGION>`, such as `HUAWEICLOUD_SDK_REGION_KAFKA_AP_SOUTHEAST_1`, with
///    commas between several endpoints;
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
/// # Ok::<(), huaweicloud_auth::RegionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EndpointResolver {
    settings: Settings,
}

impl EndpointResolver {
    /// A resolver that looks at the given environment.
    pub fn new(environment: Environment) -> Self {
        Self {
            settings: Settings {
                environment,
                home: None,
            },
        }
    }

    /// Replaces the home folder, which otherwise is `HOME`, or `USERPROFILE` on Windows.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.settings.home = Some(home.into());
        self
    }

    /// The service's endpoints in the region, the primary first: at least one, each a scheme, a host and maybe a port.
    /// `https://` is put before those without a scheme.
    ///
    /// # Errors
    ///
    /// [`Unknown`](super::RegionErrorKind::Unknown) with the nearest known regions when nothing names an endpoint,
    /// [`InvalidConfiguration`](super::RegionErrorKind::InvalidConfiguration) when the variable or the file cannot be used.
    pub fn endpoints(&self, service: &str, region: &Region) -> Result<Vec<String>, RegionError> {
        let variable = variable(service, region);
        if let Some(list) = self.settings.environment.get(&variable)? {
            let endpoints = parse_all(
                list.split(',')
                    .map(str::trim)
                    .filter(|text| !text.is_empty()),
            );
            return Ok(endpoints.map_err(|error| error.at(&variable))?);
        }
        if let Some(endpoints) = self.read_file(service, region)? {
            return Ok(endpoints);
        }
        let known = region
            .kafka_endpoint()
            .filter(|_| service.eq_ignore_ascii_case("kafka"));
        known
            .map(|endpoint| vec![endpoint])
            .ok_or_else(|| RegionError::unknown(service, region, &variable))
    }

    fn read_file(
        &self,
        service: &str,
        region: &Region,
    ) -> Result<Option<Vec<String>>, CredentialsError> {
        let Some(file) = self.settings.file(REGIONS_FILE, "regions.yaml")? else {
            return Ok(None);
        };
        let Some(regions) = RegionsFile::read(&file, REGIONS_FILE)? else {
            return Ok(None);
        };
        let endpoints = regions.endpoints(service, region.id());
        if endpoints.is_empty() {
            return Ok(None);
        }
        parse_all(endpoints)
            .map(Some)
            .map_err(|error| error.at(file.path.display()))
    }
}

fn variable(service: &str, region: &Region) -> String {
    let name = format!("HUAWEICLOUD_SDK_REGION_{service}_{region}");
    name.to_uppercase().replace('-', "_")
}

fn parse_all<'a>(
    endpoints: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>, CredentialsError> {
    let endpoints: Vec<_> = endpoints
        .into_iter()
        .map(|text| Ok(text.parse::<Endpoint>()?.base().to_owned()))
        .collect::<Result<_, CredentialsError>>()?;
    if endpoints.is_empty() {
        return Err(CredentialsError::invalid("holds no endpoint"));
    }
    Ok(endpoints)
}
