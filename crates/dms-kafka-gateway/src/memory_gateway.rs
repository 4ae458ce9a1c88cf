//! What a gateway in memory is made from.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use huaweicloud_auth::{Credentials, CredentialsError};
use uuid::Uuid;

use crate::{
    access::{Access, Grant},
    app::Instance,
    backend::{CleanupPolicy, MemoryBackend, TopicSettings},
    error::Error,
    faults::Faults,
    gateway::Gateway,
    limits::Limits,
    names,
    service::Settings,
    wire::ErrorCodeStyle,
};

/// Describes a gateway whose topics are in memory; see [`Gateway::memory`].
///
/// Settings are checked by [`MemoryGatewayBuilder::start`].
#[derive(Debug)]
#[must_use = "nothing serves before `start`"]
pub struct MemoryGatewayBuilder {
    listen: SocketAddr,
    project_id: String,
    instance_id: String,
    credentials: Result<Credentials, CredentialsError>,
    made_up: bool,
    token: Option<Result<Credentials, CredentialsError>>,
    anonymous: bool,
    error_code_style: ErrorCodeStyle,
    topics: Vec<TopicSettings>,
    faults: Faults,
}

impl Default for MemoryGatewayBuilder {
    fn default() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        let mut access_key = random().to_uppercase();
        access_key.truncate(20);
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            project_id: random(),
            instance_id: Uuid::new_v4().to_string(),
            credentials: Credentials::new(access_key, random() + &random()),
            made_up: true,
            token: None,
            anonymous: false,
            error_code_style: ErrorCodeStyle::default(),
            topics: Vec::new(),
            faults: Faults::default(),
        }
    }
}

impl MemoryGatewayBuilder {
    /// Listens on this address instead of a free port of 127.0.0.1; port 0 is any free port.
    pub fn listen(self, address: SocketAddr) -> Self {
        Self {
            listen: address,
            ..self
        }
    }

    /// Uses this project id (1 to 64 of `A-Z a-z 0-9 . _ -`) instead of a made-up one.
    pub fn project_id(self, id: impl Into<String>) -> Self {
        Self {
            project_id: id.into(),
            ..self
        }
    }

    /// Uses this instance id (1 to 64 of `A-Z a-z 0-9 . _ -`) instead of a made-up one.
    pub fn instance(self, id: impl Into<String>) -> Self {
        Self {
            instance_id: id.into(),
            ..self
        }
    }

    /// Uses this key pair instead of a made-up one.
    pub fn access_key(self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            credentials: Credentials::new(access_key, secret_key),
            made_up: false,
            ..self
        }
    }

    /// Also accepts requests that carry this token in `X-Auth-Token`.
    pub fn token(self, token: impl Into<String>) -> Self {
        Self {
            token: Some(Credentials::token(token)),
            ..self
        }
    }

    /// Adds a topic whose partitions hold `records_each` records from offset 0 on.
    pub fn topic(self, name: impl Into<String>, partitions: u32, records_each: u64) -> Self {
        self.with_topic(name.into(), partitions, records_each, CleanupPolicy::Delete)
    }

    /// Adds a topic that is compacted only: deleting its records fails with Kafka's `POLICY_VIOLATION` (44).
    pub fn compacted_topic(
        self,
        name: impl Into<String>,
        partitions: u32,
        records_each: u64,
    ) -> Self {
        self.with_topic(
            name.into(),
            partitions,
            records_each,
            CleanupPolicy::Compact,
        )
    }

    /// Writes `error_code` as an integer, as in the vendor page's example, instead of a string.
    pub fn integer_error_codes(self, integer: bool) -> Self {
        let error_code_style = if integer {
            ErrorCodeStyle::Integer
        } else {
            ErrorCodeStyle::Text
        };
        Self {
            error_code_style,
            ..self
        }
    }

    /// Accepts every request, signed or not. Only for a loopback address.
    pub fn anonymous(self) -> Self {
        Self {
            anonymous: true,
            ..self
        }
    }

    /// Lets requests go wrong on purpose.
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Starts to serve on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error`] when a setting does not hold or the address cannot be listened on.
    pub async fn start(self) -> Result<Gateway, Error> {
        names::check_id("project id", &self.project_id)?;
        names::check_id("instance id", &self.instance_id)?;
        let credentials = self
            .credentials
            .map_err(|error| Error::credentials("access key", &error))?;
        let access = if self.anonymous {
            Access::anonymous(self.listen)?
        } else {
            access(&credentials, self.token, &self.project_id)?
        };
        let backend = Arc::new(MemoryBackend::with_topics(&self.topics)?);
        let instance = Instance {
            project_id: self.project_id.clone(),
            id: self.instance_id.clone(),
            backend: backend.clone(),
        };
        let settings = Settings {
            listen: self.listen,
            tls: None,
            limits: Limits::default(),
            error_code_style: self.error_code_style,
            access,
            instances: vec![instance],
            audit_file: None,
            faults: self.faults,
        };
        Ok(Gateway {
            service: settings.start().await?,
            project_id: self.project_id,
            instance_id: self.instance_id,
            credentials,
            made_up: self.made_up,
            backend,
        })
    }

    fn with_topic(
        mut self,
        name: String,
        partitions: u32,
        records: u64,
        cleanup_policy: CleanupPolicy,
    ) -> Self {
        self.topics.push(TopicSettings {
            name,
            partitions,
            records,
            cleanup_policy,
        });
        self
    }
}

fn access(
    credentials: &Credentials,
    token: Option<Result<Credentials, CredentialsError>>,
    project_id: &str,
) -> Result<Access, Error> {
    let grant = Grant::project(project_id);
    let access = Access::default().with_key(credentials.clone(), grant.clone())?;
    match token {
        Some(Ok(token)) => Ok(access.with_token("token", token, grant)),
        Some(Err(error)) => Err(Error::credentials("token", &error)),
        None => Ok(access),
    }
}
