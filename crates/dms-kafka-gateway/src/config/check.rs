//! From what the file says to what can be served, or to the first thing that is wrong with it.

use std::{collections::HashSet, sync::Arc};

use huaweicloud_auth::Credentials;

use super::{
    AuditFile, Config, InstanceConfig,
    kafka::Property,
    secrets::{self, Environment},
};
use crate::{
    access::{Access, Grant, Scope},
    app::Instance,
    audit::AuditLog,
    backend::{Backend, MemoryBackend},
    error::Error,
    limits::check_time,
    names,
    service::{Service, Settings},
};

/// A configuration that holds together: every secret and file that it names was found.
#[derive(Debug)]
pub struct CheckedConfig(Settings);

impl CheckedConfig {
    /// Starts to serve on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error`] when the address cannot be listened on or the audit log cannot be opened.
    pub async fn start(self) -> Result<Service, Error> {
        self.0.start().await
    }
}

impl Config {
    /// Checks everything that can be checked before serving. `environment` looks up one environment variable.
    ///
    /// # Errors
    /// [`Error`] that names the first setting that does not hold, and why.
    pub fn check(
        self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<CheckedConfig, Error> {
        self.limits.check()?;
        if let Some(lock_out) = &self.lock_out {
            check_time("lock_out.seconds", lock_out.duration)?;
        }
        self.check_faults()?;
        let access = self.access(environment)?;
        let instances = self
            .instances
            .iter()
            .map(|config| instance(config, environment))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(AuditFile { file }) = &self.audit {
            AuditLog::check(file).map_err(|source| Error::file(file, source))?;
        }
        let tls = self.tls.as_ref().map(crate::tls::acceptor).transpose()?;
        Ok(CheckedConfig(Settings {
            listen: self.listen,
            tls,
            limits: self.limits,
            error_code_style: self.error_code,
            access,
            instances,
            audit_file: self.audit.map(|audit| audit.file),
            faults: self.faults.unwrap_or_default(),
        }))
    }

    fn access(&self, environment: Environment<'_>) -> Result<Access, Error> {
        self.check_instances()?;
        if self.anonymous {
            return self.anonymous_access();
        }
        if self.access_keys.is_empty() && self.tokens.is_empty() {
            return Err(Error::invalid_setting(
                "access_key",
                "",
                "there is none, so nobody could send requests",
            ));
        }
        let mut access = Access::new(self.rate_limit, self.lock_out);
        for key in &self.access_keys {
            let (variable, file) = (
                key.secret_key_env.as_deref(),
                key.secret_key_file.as_deref(),
            );
            let secret = secrets::read(&key.access_key, variable, file, environment)?;
            let grant = self.grant(
                &key.access_key,
                key.projects.as_deref(),
                key.instances.as_deref(),
            )?;
            let credentials = Credentials::new(&key.access_key, secret.as_str());
            access = access.with_key(
                credentials.map_err(|error| Error::credentials(&key.access_key, &error))?,
                grant,
            )?;
        }
        for token in &self.tokens {
            let (variable, file) = (token.token_env.as_deref(), token.token_file.as_deref());
            let secret = secrets::read(&token.name, variable, file, environment)?;
            let grant = self.grant(
                &token.name,
                token.projects.as_deref(),
                token.instances.as_deref(),
            )?;
            let credentials = Credentials::token(secret.as_str());
            let credentials =
                credentials.map_err(|error| Error::credentials(&token.name, &error))?;
            access = access.with_token(&token.name, credentials, grant);
        }
        Ok(access)
    }

    fn anonymous_access(&self) -> Result<Access, Error> {
        if self.access_keys.is_empty() && self.tokens.is_empty() {
            return Access::anonymous(self.listen);
        }
        Err(Error::invalid_setting(
            "anonymous",
            true,
            "with it, there is no use for access keys and tokens",
        ))
    }

    fn check_instances(&self) -> Result<(), Error> {
        if self.instances.is_empty() {
            return Err(Error::invalid_setting(
                "instance",
                "",
                "there is none, so there is nothing to serve",
            ));
        }
        let mut seen = HashSet::new();
        match self
            .instances
            .iter()
            .find(|instance| !seen.insert(&instance.id))
        {
            Some(twice) => Err(Error::invalid_setting(
                "instance",
                &twice.id,
                "it is given twice",
            )),
            None => Ok(()),
        }
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
        let known = |projects: &String| {
            self.instances
                .iter()
                .any(|instance| instance.project_id == *projects)
        };
        let projects = scope(owner, "projects", projects, known)?;
        let known = |id: &String| self.instances.iter().any(|instance| instance.id == *id);
        let instances = scope(owner, "instances", instances, known)?;
        Ok(Grant {
            projects,
            instances,
        })
    }
}

fn scope(
    owner: &str,
    name: &str,
    ids: Option<&[String]>,
    known: impl Fn(&String) -> bool,
) -> Result<Scope, Error> {
    let Some(ids) = ids else {
        return Ok(Scope::All);
    };
    match ids.iter().find(|id| !known(id)) {
        Some(id) => Err(Error::invalid_setting(
            &format!("{name} of {owner:?}"),
            id,
            "no instance has it",
        )),
        None => Ok(Scope::Only(ids.iter().cloned().collect())),
    }
}

fn instance(config: &InstanceConfig, environment: Environment<'_>) -> Result<Instance, Error> {
    names::check_id("id of an instance", &config.id)?;
    names::check_id("project_id of an instance", &config.project_id)?;
    Ok(Instance {
        project_id: config.project_id.clone(),
        id: config.id.clone(),
        backend: backend(config, environment)?,
    })
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
    Ok(Arc::new(crate::backend::KafkaBackend::new(id, properties)?))
}

#[cfg(not(feature = "kafka"))]
fn kafka_backend(id: &str, _: &[Property]) -> Result<Arc<dyn Backend>, Error> {
    let rule = "this program was built without Kafka; build it with the feature kafka, or give the instance a table memory";
    Err(Error::invalid_setting("instance", id, rule))
}
