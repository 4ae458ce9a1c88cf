//! From a configuration to a running service.

use std::{collections::HashSet, net::SocketAddr, path::PathBuf, sync::Arc};

use huaweicloud_auth::Credentials;

use crate::{
    access::{Access, Grant},
    app::{App, Instance},
    audit::AuditLog,
    backend::{Backend, memory::MemoryBackend},
    config::{Config, Environment, InstanceConfig, Property},
    error::Error,
    http,
    limits::check_time,
    names,
    ready_line::{ReadyInstance, ReadyLine},
    server::Server,
    tls::TlsAcceptor,
};

/// A configuration that is valid: every secret and file that it names was found.
#[derive(Debug)]
pub struct CheckedConfig {
    listen: SocketAddr,
    tls: Option<TlsAcceptor>,
    audit_file: Option<PathBuf>,
    pub(crate) app: App,
}

impl CheckedConfig {
    /// Starts to serve on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error`] when the address cannot be listened on or the audit log cannot be opened.
    pub async fn start(self) -> Result<Service, Error> {
        let Self {
            listen,
            tls,
            audit_file,
            mut app,
        } = self;
        app.audit = audit_file.as_deref().map(AuditLog::open).transpose()?;
        let app = Arc::new(app);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = Server::bind(listen, tls, http::router(app.clone()), app.clone())
            .await
            .map_err(|source| Error::listen(listen, source))?;
        Ok(Service {
            endpoint: format!("{scheme}://{}", server.address()),
            app,
            server,
        })
    }
}

/// A running gateway.
///
/// It serves until [`Service::shutdown`] or until it is dropped.
#[derive(Debug)]
pub struct Service {
    endpoint: String,
    app: Arc<App>,
    server: Server,
}

impl Service {
    /// The URL to send requests to, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What to print for whoever started this process: the endpoint and the instances.
    pub fn ready_line(&self) -> ReadyLine<'_> {
        let instances = self.app.instances().iter().map(|instance| ReadyInstance {
            project_id: &instance.project_id,
            instance_id: &instance.id,
        });
        ReadyLine::new(&self.endpoint, instances.collect())
    }

    /// Stops taking requests, and waits for those in flight to be answered and for deletions whose client went away.
    ///
    /// It waits no longer than [`crate::Limits::shutdown_timeout`].
    pub async fn shutdown(self) {
        let deadline = tokio::time::Instant::now() + self.app.limits.shutdown_timeout;
        self.server.shutdown().await;
        if tokio::time::timeout_at(deadline, self.app.idle())
            .await
            .is_err()
        {
            tracing::warn!("deletions were still running at the end of the time for shutting down");
        }
    }
}

impl Config {
    /// Checks everything that can be checked before serving. `environment` looks up one environment variable.
    ///
    /// # Errors
    /// [`Error`] that names the first invalid setting and its rule.
    pub fn check(
        self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<CheckedConfig, Error> {
        let backends = self
            .instances
            .iter()
            .map(|instance| backend(instance, environment));
        let backends = backends.collect::<Result<_, _>>()?;
        self.check_with_backends(backends, environment)
    }

    /// The same with these backends, one for each instance.
    pub(crate) fn check_with_backends(
        self,
        backends: Vec<Arc<dyn Backend>>,
        environment: Environment<'_>,
    ) -> Result<CheckedConfig, Error> {
        self.limits.check()?;
        if let Some(lock_out) = &self.lock_out {
            check_time("lock_out.seconds", lock_out.duration)?;
        }
        self.check_instances()?;
        self.check_faults()?;
        let access = self.access(environment)?;
        let audit_file = self.audit.map(|audit| audit.file);
        audit_file.as_deref().map_or(Ok(()), AuditLog::check)?;
        let tls = self.tls.as_ref().map(crate::tls::acceptor).transpose()?;
        let instances = self.instances.into_iter().zip(backends);
        let instances = instances.map(|(config, backend)| Instance {
            project_id: config.project_id,
            id: config.id,
            backend,
        });
        let app = App::new(
            self.limits,
            self.error_code,
            access,
            instances.collect(),
            self.faults.unwrap_or_default(),
        );
        Ok(CheckedConfig {
            listen: self.listen,
            tls,
            audit_file,
            app,
        })
    }

    fn access(&self, environment: Environment<'_>) -> Result<Access, Error> {
        let nobody = self.access_keys.is_empty() && self.tokens.is_empty();
        match (self.anonymous, nobody) {
            (true, true) => return Access::anonymous(self.listen),
            (true, false) => {
                let rule = "it excludes access keys and tokens";
                return Err(Error::invalid_setting("anonymous", true, rule));
            }
            (false, true) => {
                let rule = "there is none, so nobody could send requests";
                return Err(Error::invalid_setting("access_key", "", rule));
            }
            (false, false) => {}
        }
        let mut access = Access::new(self.rate_limit, self.lock_out);
        for key in &self.access_keys {
            let secret = key.secret_key.read(environment)?;
            let credentials = Credentials::new(&key.access_key, secret.as_str())
                .map_err(|error| Error::credentials(&key.access_key, error))?;
            let grant = self.grant(
                &key.access_key,
                key.projects.as_deref(),
                key.instances.as_deref(),
            )?;
            access = access.with_key(credentials, grant)?;
        }
        for token in &self.tokens {
            let secret = token.token.read(environment)?;
            let credentials = Credentials::token(secret.as_str())
                .map_err(|error| Error::credentials(&token.name, error))?;
            let grant = self.grant(
                &token.name,
                token.projects.as_deref(),
                token.instances.as_deref(),
            )?;
            access = access.with_token(&token.name, credentials, grant);
        }
        Ok(access)
    }

    fn check_instances(&self) -> Result<(), Error> {
        if self.instances.is_empty() {
            let rule = "there is none, so there is nothing to serve";
            return Err(Error::invalid_setting("instance", "", rule));
        }
        let mut seen = HashSet::new();
        for instance in &self.instances {
            names::check_id("id of an instance", &instance.id)?;
            names::check_id("project_id of an instance", &instance.project_id)?;
            if !seen.insert(&instance.id) {
                let rule = "it is given twice";
                return Err(Error::invalid_setting("instance", &instance.id, rule));
            }
        }
        Ok(())
    }

    fn check_faults(&self) -> Result<(), Error> {
        let real = self
            .instances
            .iter()
            .find(|instance| instance.memory.is_none());
        match (&self.faults, real) {
            (Some(_), Some(instance)) => {
                let rule = "faults are for gateways in memory only; take the table [faults] away";
                Err(Error::invalid_setting("instance", &instance.id, rule))
            }
            _ => Ok(()),
        }
    }

    /// What a key or token may touch; a name that no instance has is a slip.
    fn grant(
        &self,
        owner: &str,
        projects: Option<&[String]>,
        instances: Option<&[String]>,
    ) -> Result<Grant, Error> {
        let scope = |name, ids: Option<&[String]>, of: fn(&InstanceConfig) -> &String| {
            let known: HashSet<&String> = self.instances.iter().map(of).collect();
            let unknown = ids.into_iter().flatten().find(|id| !known.contains(id));
            if let Some(id) = unknown {
                let setting = format!("{name} of {owner:?}");
                return Err(Error::invalid_setting(&setting, id, "no instance has it"));
            }
            Ok(ids.map(|ids| ids.iter().cloned().collect()))
        };
        Ok(Grant {
            projects: scope("projects", projects, |instance| &instance.project_id)?,
            instances: scope("instances", instances, |instance| &instance.id)?,
        })
    }
}

fn backend(
    config: &InstanceConfig,
    environment: Environment<'_>,
) -> Result<Arc<dyn Backend>, Error> {
    match (&config.memory, &config.kafka) {
        (Some(memory), None) => Ok(Arc::new(MemoryBackend::with_topics(&memory.topics)?)),
        (None, Some(kafka)) => {
            kafka_backend(&config.id, &kafka.properties(&config.id, environment)?)
        }
        _ => Err(Error::invalid_setting(
            "instance",
            &config.id,
            "it needs a table kafka or a table memory, and not both",
        )),
    }
}

#[cfg(feature = "kafka")]
fn kafka_backend(id: &str, properties: &[Property]) -> Result<Arc<dyn Backend>, Error> {
    Ok(Arc::new(crate::backend::kafka::KafkaBackend::new(
        id, properties,
    )?))
}

#[cfg(not(feature = "kafka"))]
fn kafka_backend(id: &str, _: &[Property]) -> Result<Arc<dyn Backend>, Error> {
    let rule = "this program was built without Kafka; build it with the feature kafka, or give the instance a table memory";
    Err(Error::invalid_setting("instance", id, rule))
}
