//! The settings of a client, and the credentials and project of an attempt.

use std::fmt;
use std::sync::Arc;

use huaweicloud_auth::{Credentials, Endpoint, ProvideCredentials};
#[cfg(feature = "providers")]
use huaweicloud_auth::{ProjectLookup, Region};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::call_settings::CallSettings;
use crate::error::{Error, InputRule, Source};
use crate::error_kind::ErrorKind;
use crate::ids::ProjectId;
use crate::outcome::Outcome;
use crate::signing_date::SigningDates;

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) http: reqwest::Client,
    /// Whether the HTTP client is the caller's, which may follow redirects.
    pub(crate) may_follow_redirects: bool,
    pub(crate) endpoint: Endpoint,
    /// In stored plans: a given name, or the endpoint.
    pub(crate) service_name: String,
    pub(crate) project: Arc<ProjectSource>,
    pub(crate) credentials: Arc<dyn ProvideCredentials>,
    pub(crate) settings: CallSettings,
    pub(crate) response_limit: usize,
    pub(crate) dates: Arc<SigningDates>,
}

#[derive(Debug)]
pub(crate) enum ProjectSource {
    Given(ProjectId),
    OfCredentials,
    #[cfg(feature = "providers")]
    OfRegion {
        lookup: ProjectLookup,
        region: Region,
    },
}

pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    pub(crate) project_id: ProjectId,
}

impl Config {
    pub(crate) async fn credentials(&self, deadline: Instant) -> Result<Credentials, Error> {
        if Handle::try_current().is_err() {
            return Err(Error::invalid_input(
                "there is no tokio runtime: await calls in one, with time and I/O enabled",
            ));
        }
        self.settings.check()?;
        timeout_at(deadline, self.credentials.provide_credentials())
            .await
            .map_err(|elapsed| late(ErrorKind::Credentials, "credentials", elapsed))?
            .map_err(|error| missing(ErrorKind::Credentials, "credentials", error))
    }

    /// Gets credentials, and looks up the project if it is not known.
    pub(crate) async fn identity(&self, deadline: Instant) -> Result<Identity, Error> {
        let credentials = self.credentials(deadline).await?;
        if credentials.is_token() && self.endpoint.is_plaintext() && !self.endpoint.is_local() {
            return Err(Error::invalid_input(
                "a token is not sent without encryption: use https, or an access key",
            ));
        }
        let project_id = match &*self.project {
            ProjectSource::Given(id) => id.clone(),
            ProjectSource::OfCredentials => {
                ProjectId::new(credentials.project_id().ok_or_else(no_project_id)?)?
            }
            #[cfg(feature = "providers")]
            ProjectSource::OfRegion { lookup, region } => {
                let found = timeout_at(deadline, lookup.project_id(&credentials, region))
                    .await
                    .map_err(|elapsed| late(ErrorKind::ProjectId, "the project id", elapsed))?
                    .map_err(|error| missing(ErrorKind::ProjectId, "the project id", error))?;
                ProjectId::new(found)
                    .map_err(|error| missing(ErrorKind::ProjectId, "the project id", error))?
            }
        };
        Ok(Identity {
            credentials,
            project_id,
        })
    }
}

pub(crate) fn no_project_id() -> Error {
    Error::broken_rule(
        InputRule::ProjectIdPresent,
        "no project id: set the project of the instance, credentials with a project, or a region, whose project is then looked up",
    )
}

fn late(kind: ErrorKind, what: &str, elapsed: impl Into<Source>) -> Error {
    missing(kind, &format!("{what} within the call timeout"), elapsed)
}

fn missing(kind: ErrorKind, what: &str, cause: impl Into<Source>) -> Error {
    Error::new(kind, Outcome::NotApplied, format!("cannot get {what}")).with_source(cause)
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("endpoint", &self.endpoint.base())
            .field("project", &self.project)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
