//! Who calls: credentials, and the project they are used in.

use std::sync::Arc;

use http::HeaderValue;
use huaweicloud_auth::{Credentials, ProvideCredentials};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::ids::ProjectId;
use crate::outcome::Outcome;

/// What one attempt is made with.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    pub(crate) project: Arc<Project>,
}

/// A project as it stands in paths and in the header.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) header: HeaderValue,
}

/// How the project is known.
#[derive(Debug)]
pub(crate) enum ProjectSource {
    Named(Arc<Project>),
    #[cfg(feature = "providers")]
    OfRegion {
        lookup: huaweicloud_auth::ProjectLookup,
        region: huaweicloud_auth::Region,
    },
}

impl Project {
    pub(crate) fn new(id: ProjectId) -> Result<Arc<Self>, Error> {
        let header = HeaderValue::from_str(id.as_str()).map_err(|error| {
            Error::invalid_input("the project id does not fit a header").with_source(error)
        })?;
        Ok(Arc::new(Self { id, header }))
    }
}

impl ProjectSource {
    /// The project's id, when it is known without a look-up.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Named(project) => Some(project.id.as_str()),
            #[cfg(feature = "providers")]
            Self::OfRegion { .. } => None,
        }
    }

    #[cfg_attr(
        not(feature = "providers"),
        expect(
            unused_variables,
            clippy::unused_async,
            reason = "only a look-up asks and waits"
        )
    )]
    async fn project(&self, credentials: &Credentials) -> Result<Arc<Project>, Error> {
        match self {
            Self::Named(project) => Ok(Arc::clone(project)),
            #[cfg(feature = "providers")]
            Self::OfRegion { lookup, region } => {
                let id = lookup
                    .project_id(credentials, region)
                    .await
                    .map_err(|error| no_project().with_source(error))?;
                let id = ProjectId::new(id).map_err(|error| no_project().with_source(error))?;
                Project::new(id)
            }
        }
    }
}

impl Identity {
    pub(crate) async fn ask(
        provider: &dyn ProvideCredentials,
        project: &ProjectSource,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let credentials = credentials(provider, deadline).await?;
        let project = timeout_at(deadline, project.project(&credentials))
            .await
            .map_err(|elapsed| late(ErrorKind::ProjectId, "no project id", elapsed))??;
        Ok(Self {
            credentials,
            project,
        })
    }
}

pub(crate) async fn credentials(
    provider: &dyn ProvideCredentials,
    deadline: Instant,
) -> Result<Credentials, Error> {
    timeout_at(deadline, provider.provide_credentials())
        .await
        .map_err(|elapsed| late(ErrorKind::Credentials, "no credentials", elapsed))?
        .map_err(|error| unsent(ErrorKind::Credentials, "no credentials").with_source(error))
}

fn late(kind: ErrorKind, what: &str, elapsed: Elapsed) -> Error {
    unsent(kind, format!("{what} within the call timeout")).with_source(elapsed)
}

#[cfg(feature = "providers")]
fn no_project() -> Error {
    unsent(ErrorKind::ProjectId, "no project id")
}

fn unsent(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error::new(kind, Outcome::NotApplied, message)
}
