use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use huaweicloud_auth::{Endpoint, ProvideCredentials};
use tokio::time::Instant;

use crate::error::Error;
use crate::identity::{Identity, ProjectSource};
use crate::retry::RetryPolicy;

/// What all calls of a client share.
pub(crate) struct Config {
    pub(crate) http: reqwest::Client,
    pub(crate) endpoint: Endpoint,
    pub(crate) project: ProjectSource,
    pub(crate) credentials: Arc<dyn ProvideCredentials>,
    pub(crate) attempt_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) answer_limit: usize,
}

impl Config {
    /// Asks the credentials provider, and IAM when the project is not known yet.
    pub(crate) async fn identity(&self, deadline: Instant) -> Result<Identity, Error> {
        Identity::ask(&*self.credentials, &self.project, deadline).await
    }
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
