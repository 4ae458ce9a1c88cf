//! Somebody whose request is genuine, and what they may touch.

use std::{collections::BTreeSet, sync::Arc};

use axum::http::HeaderMap;

use crate::{protection::RateLimiter, refusal::Refusal};

const X_PROJECT_ID: &str = "x-project-id";

/// Projects and instances that a key or token may touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grant {
    pub(crate) projects: Scope,
    pub(crate) instances: Scope,
}

/// Some ids, or all there are.
#[derive(Clone, Debug, Default)]
pub(crate) enum Scope {
    #[default]
    All,
    Only(BTreeSet<String>),
}

impl Scope {
    fn contains(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(id),
        }
    }
}

impl Grant {
    /// Every instance of one project.
    pub(crate) fn project(id: &str) -> Self {
        Self {
            projects: Scope::Only([id.to_owned()].into()),
            instances: Scope::All,
        }
    }
}

/// Somebody whose request is genuine.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Identity>);

#[derive(Debug)]
struct Identity {
    /// The access key, or a name for a token: what logs may show.
    name: String,
    by_token: bool,
    grant: Grant,
    rate_limiter: Option<RateLimiter>,
}

impl Caller {
    pub(super) fn new(
        name: &str,
        by_token: bool,
        grant: Grant,
        rate_limiter: Option<RateLimiter>,
    ) -> Self {
        Self(Arc::new(Identity {
            name: name.to_owned(),
            by_token,
            grant,
            rate_limiter,
        }))
    }

    /// The access key, or the token's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Counts one request.
    ///
    /// # Errors
    /// The 429 when the caller has none left.
    pub(crate) fn check_rate(&self) -> Result<(), Refusal> {
        self.0
            .rate_limiter
            .as_ref()
            .map_or(Ok(()), RateLimiter::check)
    }

    /// Whether the caller may touch the project in the path, and means it.
    ///
    /// # Errors
    /// A 401 when the request names two projects or the token is for another one; a 403 when the key may not touch it.
    pub(crate) fn check_project(
        &self,
        project_id: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if headers
            .get(X_PROJECT_ID)
            .is_some_and(|header| header != project_id)
        {
            return Err(Refusal::project_mismatch());
        }
        match self.0.grant.projects.contains(project_id) {
            true => Ok(()),
            false if self.0.by_token => Err(Refusal::project_mismatch()),
            false => Err(Refusal::not_permitted()),
        }
    }

    /// Whether the caller may touch the instance.
    ///
    /// # Errors
    /// A 403, whether the instance exists or not.
    pub(crate) fn check_instance(&self, instance_id: &str) -> Result<(), Refusal> {
        if self.0.grant.instances.contains(instance_id) {
            Ok(())
        } else {
            Err(Refusal::not_permitted())
        }
    }
}
