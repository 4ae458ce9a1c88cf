//! What the caller has settled about place, project and credentials, and what fills the gaps.

use std::fmt;
use std::sync::Arc;

#[cfg(not(feature = "providers"))]
use huaweicloud_auth::EnvironmentProvider;
#[cfg(feature = "providers")]
use huaweicloud_auth::{
    CachedProvider, ChainProvider, EndpointResolver, ProjectLookup, ProviderContext, ProviderError,
    Region,
};
use huaweicloud_auth::{Endpoint, Environment, ProvideCredentials};

use crate::error::{Error, Rule};
use crate::identity::{Project, ProjectSource};
use crate::ids::{InvalidId, ProjectId};
use crate::transport::Transport;

/// The service's name in variables and in `regions.yaml`.
#[cfg(feature = "providers")]
const SERVICE: &str = "kafka";

#[derive(Clone)]
pub(crate) struct Sources {
    #[cfg(feature = "providers")]
    pub(crate) region: Option<Region>,
    pub(crate) endpoint: Option<String>,
    pub(crate) project_id: Option<Result<ProjectId, InvalidId>>,
    pub(crate) credentials: Option<Arc<dyn ProvideCredentials>>,
    pub(crate) environment: Environment,
}

type Resolved = (ProjectSource, Arc<dyn ProvideCredentials>);

impl Sources {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(feature = "providers")]
            region: None,
            endpoint: None,
            project_id: None,
            credentials: None,
            environment: Environment::from_process(),
        }
    }

    /// The endpoint given, or the region's.
    pub(crate) fn endpoint(&self) -> Result<String, Error> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        #[cfg(feature = "providers")]
        if let Some(region) = &self.region {
            return self.endpoint_of(region).map_err(|error| {
                let message = format!("no endpoint for region {:?}", region.id());
                Error::invalid_input(message).with_source(error)
            });
        }
        Err(Error::broken(
            Rule::EndpointGiven,
            "no endpoint: give a region or an endpoint, such as https://dms.ap-southeast-1.myhuaweicloud.com",
        ))
    }

    fn named_project(&self) -> Result<Option<Arc<Project>>, Error> {
        let id = self.project_id.clone().transpose()?;
        id.map(Project::new).transpose()
    }
}

#[cfg(feature = "providers")]
impl Sources {
    fn endpoint_of(&self, region: &Region) -> Result<String, ProviderError> {
        let resolver = EndpointResolver::new(self.environment.clone());
        let endpoints = resolver.endpoints(SERVICE, region)?;
        Ok(endpoints.into_iter().next().unwrap_or_default())
    }

    /// Fills the gaps. Sources that need HTTP get it from the transport.
    pub(crate) fn resolve(
        self,
        transport: &Transport,
        endpoint: &Endpoint,
        http: &reqwest::Client,
    ) -> Result<Resolved, Error> {
        let named = self.named_project()?.map(ProjectSource::Named);
        let (named, given) = match (named, self.credentials) {
            (Some(project), Some(credentials)) => return Ok((project, credentials)),
            gaps => gaps,
        };
        let transport = Arc::new(transport.for_providers(endpoint, http)?);
        let mut context = ProviderContext::new(transport).with_environment(self.environment);
        if let Some(region) = &self.region {
            context = context.with_region(region.clone());
        }
        let project = match (named, self.region) {
            (Some(project), _) => project,
            (None, Some(region)) => ProjectSource::OfRegion {
                lookup: ProjectLookup::new(&context),
                region,
            },
            (None, None) => return Err(no_project()),
        };
        let chain = || Arc::new(CachedProvider::new(ChainProvider::standard(&context))) as Arc<_>;
        Ok((project, given.unwrap_or_else(chain)))
    }
}

#[cfg(not(feature = "providers"))]
impl Sources {
    pub(crate) fn resolve(
        self,
        _transport: &Transport,
        _endpoint: &Endpoint,
        _http: &reqwest::Client,
    ) -> Result<Resolved, Error> {
        let project = self.named_project()?.ok_or_else(no_project)?;
        let from_environment = || Arc::new(EnvironmentProvider::new(self.environment)) as Arc<_>;
        Ok((
            ProjectSource::Named(project),
            self.credentials.unwrap_or_else(from_environment),
        ))
    }
}

fn no_project() -> Error {
    Error::broken(
        Rule::ProjectIdGiven,
        "no project id: give the one that the instance belongs to, or a region, whose own is then looked up",
    )
}

/// The endpoint may hold a password, for which it is refused later.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Sources");
        #[cfg(feature = "providers")]
        shown.field("region", &self.region);
        shown
            .field("project_id", &self.project_id)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
