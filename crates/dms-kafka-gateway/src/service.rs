//! Checks a configuration, and starts a gateway from it.

use std::{
    collections::{HashMap, HashSet},
    iter,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use axum::Router;
use huaweicloud_auth::{Credentials, verification::Verifier};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use crate::{
    access::{Access, Caller, Key, Token},
    app::{App, Instance},
    audit::AuditLog,
    backend::{ALL, Backend, BackendError, KafkaErrorCode, TopicDeletion, memory::MemoryBackend},
    body_memory::MemoryBudget,
    config::{
        AccessKeyConfig, AuditFile, Config, Environment, InstanceConfig, Property, SecretSource,
    },
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
    error::Error,
    grants::{GrantedOperation, Grants},
    holds::InstanceHolds,
    http::{self, AllowedSource},
    limits::check_time,
    names::{self, TopicPattern},
    peers::Peers,
    protection::{Lock, RateLimiter},
    ready_line::ReadyLine,
    server::{self, Listener},
    tls::TlsAcceptor,
};

/// Connections to [`Config::operations_listen`], and to [`Config::control_listen`].
const SEPARATE_CONNECTIONS: usize = 64;

/// A valid configuration, with the content of its files and its secrets.
#[derive(Debug)]
pub struct CheckedConfig {
    listen: SocketAddr,
    control_listen: Option<SocketAddr>,
    operations_listen: Option<SocketAddr>,
    tls: Option<TlsAcceptor>,
    audit: Option<AuditFile>,
    pub(crate) app: App,
}

impl CheckedConfig {
    /// Connects to the cluster of every instance: asks each leader, and with a topic, whether the gateway may describe it and
    /// delete from it. For that, it deletes the records of partition 0 before offset 0, which there are none of.
    ///
    /// # Errors
    /// [`Error`] with the first instance and check that failed.
    pub async fn connect(&self, topic: Option<&str>) -> Result<(), Error> {
        for Instance { id, backend, .. } in &self.app.instances {
            let deadline = std::time::Instant::now() + self.app.limits.backend_timeout;
            let failed = |check: &str, error: BackendError| Error::connect(id, check, error);
            let ready = backend.ready(deadline).await;
            ready.map_err(|error| failed("connecting to every leader", error))?;
            let Some(topic) = topic else { continue };
            let described = backend.partitions(topic, ALL, deadline).await;
            described.map_err(|error| failed("describing the topic", error))?;
            let rows = [RecordsToDelete {
                partition: PartitionId::default(),
                target: DeletionTarget::Before(0),
            }];
            let deleted = backend.delete(TopicDeletion {
                topic,
                caller: "",
                rows: &rows,
                deadline,
                intent: Arc::new(|_| Box::pin(std::future::ready(true))),
            });
            let check = "deleting from the topic";
            let deleted = deleted.await.map_err(|error| failed(check, error))?;
            if let Some(row) = deleted.iter().find(|row| row.error_code() != 0) {
                let code = row.error_code();
                let reason = if code == KafkaErrorCode::TOPIC_AUTHORIZATION_FAILED.value() {
                    "the user lacks the ACL operation Delete (Kafka's code 29)".to_owned()
                } else {
                    format!("Kafka's code is {code}")
                };
                return Err(Error::connect(id, check, reason));
            }
        }
        Ok(())
    }

    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error`] when the gateway cannot listen on the address or open the audit log.
    pub async fn start(self) -> Result<Service, Error> {
        let Self {
            listen,
            control_listen,
            operations_listen,
            tls,
            audit,
            mut app,
        } = self;
        app.audit = audit.map(AuditLog::open).transpose()?;
        app.started = SystemTime::now();
        let app = Arc::new(app);
        let (socket, address) = bind(listen).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        if tls.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                "{address} accepts plain HTTP from other machines, and the network can read it: configure tls, or use a proxy that adds it"
            );
        }
        let source = if app.access.is_anonymous() {
            AllowedSource::ThisMachine
        } else {
            AllowedSource::Any
        };
        let operations = separate(operations_listen, http::operations(), source, &app).await?;
        let (operations, operations_endpoint) = operations.unzip();
        let control = http::control::routes();
        let control = separate(control_listen, control, AllowedSource::ThisMachine, &app).await?;
        let (control, control_endpoint) = control.unzip();
        let mut api = http::api();
        if operations.is_none() {
            api = api.merge(http::operations());
        }
        let limits = &app.limits;
        let connections = server::allowed_connections(limits.connections);
        let api = Listener {
            socket,
            tls,
            router: http::router(api, source, app.clone()),
            peers: Peers::new(
                connections,
                limits.peer_connections(connections),
                limits.bytes_per_peer(),
            ),
        };
        let listeners = iter::once(api).chain(operations).chain(control).collect();
        for instance in &app.instances {
            instance.backend.clone().start(&app.metrics.backend);
        }
        let (stop, stopping) = watch::channel(());
        let task = tokio::spawn(server::serve(listeners, app.clone(), stopping));
        Ok(Service {
            endpoint: format!("{scheme}://{}", for_clients(address)),
            control_endpoint,
            address,
            operations_endpoint,
            app,
            stop,
            task,
        })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let refuse = |source| Error::listen(address, source);
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    Ok((listener, address))
}

/// A listener apart from that of the API, if it is configured, and its URL.
async fn separate(
    address: Option<SocketAddr>,
    routes: Router<Arc<App>>,
    source: AllowedSource,
    app: &Arc<App>,
) -> Result<Option<(Listener, String)>, Error> {
    let Some(address) = address else {
        return Ok(None);
    };
    let (socket, address) = bind(address).await?;
    let listener = Listener {
        socket,
        tls: None,
        router: http::router(routes, source, app.clone()),
        peers: Peers::new(SEPARATE_CONNECTIONS, SEPARATE_CONNECTIONS, 0),
    };
    Ok(Some((listener, format!("http://{}", for_clients(address)))))
}

/// The address for clients on this machine. No client can connect to `0.0.0.0` everywhere.
fn for_clients(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// A running gateway.
///
/// It serves until [`Service::shutdown`] or until it is dropped.
#[derive(Debug)]
pub struct Service {
    endpoint: String,
    control_endpoint: Option<String>,
    operations_endpoint: Option<String>,
    address: SocketAddr,
    app: Arc<App>,
    /// Dropping it asks the task to stop.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Service {
    /// Returns the URL for requests, such as `http://127.0.0.1:40123`. If the gateway listens on all addresses, the URL has
    /// the loopback address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the URL of the control API, or `None` if the configuration has none.
    pub fn control_endpoint(&self) -> Option<&str> {
        self.control_endpoint.as_deref()
    }

    /// Returns the address on which the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of `/healthz`, `/readyz` and `/metrics`, or `None` if they have no address of their own.
    pub fn operations_endpoint(&self) -> Option<&str> {
        self.operations_endpoint.as_deref()
    }

    /// Returns the line to print when this process is ready.
    pub fn ready_line(&self) -> ReadyLine<'_> {
        let mut line = ReadyLine::new(&self.endpoint, &self.app.instances);
        line.control_endpoint = self.control_endpoint();
        line.operations_endpoint = self.operations_endpoint();
        line
    }

    /// Opens the audit log again, for programs that rotate it and want the old file to be closed. Without this, the gateway
    /// continues in a new file at its next line.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be opened. Then the gateway tries again at its next line.
    pub fn reopen_audit_log(&self) -> Result<(), Error> {
        self.app.audit.as_ref().map_or(Ok(()), AuditLog::reopen)
    }

    /// Stops accepting requests, and waits for those in flight and for deletions whose client closed the connection.
    ///
    /// It waits no longer than [`crate::Limits::shutdown_timeout`].
    pub async fn shutdown(self) {
        let deadline = Instant::now() + self.app.limits.shutdown_timeout;
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the accepting task failed");
        }
        if timeout_at(deadline, self.app.idle()).await.is_err() {
            tracing::warn!("shutdown timeout: deletions are still running");
        }
    }
}

impl Config {
    /// Checks everything that can be checked before the gateway starts. `environment` looks up one environment variable.
    ///
    /// # Errors
    /// [`Error`] with the first invalid setting and its rule.
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
        if let Some(address) = self
            .control_listen
            .filter(|address| !address.ip().is_loopback())
        {
            let rule = "it must be a loopback address: the control API has no authentication";
            return Err(Error::invalid_setting("control_listen", address, rule));
        }
        let access = self.access(environment)?;
        if let Some(audit) = &self.audit {
            AuditLog::check(&audit.file)?;
        }
        let tls = self.tls.as_ref().map(TlsAcceptor::new).transpose()?;
        let instances = self.instances.into_iter().zip(backends);
        let instances = instances.map(|(config, backend)| {
            Ok(Instance {
                holds: Arc::new(InstanceHolds::new([&self.holds, &config.holds])?),
                project_id: config.project_id,
                id: config.id,
                backend,
            })
        });
        let app = App::new(
            self.limits,
            self.error_code,
            access,
            instances.collect::<Result<_, Error>>()?,
            self.faults.unwrap_or_default(),
        );
        Ok(CheckedConfig {
            listen: self.listen,
            control_listen: self.control_listen,
            operations_listen: self.operations_listen,
            tls,
            audit: self.audit,
            app,
        })
    }

    fn access(&self, environment: Environment<'_>) -> Result<Access, Error> {
        let no_callers = self.access_keys.is_empty() && self.tokens.is_empty();
        match (self.anonymous, no_callers) {
            (true, true) if self.listen.ip().is_loopback() => {
                return Ok(Access::Anonymous(Arc::new(Caller {
                    name: "anonymous".to_owned(),
                    memory: MemoryBudget::new(self.limits.bytes_per_key()),
                    ..Caller::default()
                })));
            }
            (true, true) => {
                let rule = "without authentication, the address must be a loopback address";
                return Err(Error::invalid_setting("listen", self.listen, rule));
            }
            (true, false) => {
                let rule = "it cannot be combined with access keys and tokens";
                return Err(Error::invalid_setting("anonymous", true, rule));
            }
            (false, true) => {
                let rule = "there is none, so no request could be authenticated";
                return Err(Error::invalid_setting("access_key", "", rule));
            }
            (false, false) => {}
        }
        let mut keys = HashMap::<String, Key>::new();
        for (index, key) in self.access_keys.iter().enumerate() {
            let access_key = &key.access_key;
            let table = format!("[[access_key]] number {}", index + 1);
            let credentials = key.credentials(&table, environment)?;
            // A signature does not cover the access key: another key with the same secret key could repeat the request.
            let secret_key = credentials.secret_key();
            let same = |other: &&Key| other.credentials.secret_key() == secret_key;
            let used = keys.values().find(same).map(|other| other.used.clone());
            let checked = Key {
                used: used.unwrap_or_default(),
                credentials,
                caller: self.caller(
                    access_key,
                    false,
                    self.grants(
                        access_key,
                        [&key.projects, &key.instances, &key.topics],
                        key.operations.as_deref(),
                    )?,
                ),
                lock: self.lock_out.map(Lock::new),
            };
            if keys.insert(access_key.clone(), checked).is_some() {
                let rule = "it is listed twice";
                return Err(Error::invalid_setting("access_key", access_key, rule));
            }
        }
        let tokens = self.tokens.iter().enumerate().map(|(index, token)| {
            let setting = format!("token in [[token]] number {}", index + 1);
            let (name, secret) = (&token.name, token.token.read(&setting, environment)?);
            Ok(Token {
                credentials: Credentials::token(secret.as_str())
                    .map_err(|error| Error::credentials(name, error))?,
                caller: self.caller(
                    name,
                    true,
                    self.grants(
                        name,
                        [&token.projects, &token.instances, &token.topics],
                        token.operations.as_deref(),
                    )?,
                ),
            })
        });
        Ok(Access::Known {
            keys,
            tokens: tokens.collect::<Result<_, Error>>()?,
            verifier: Verifier::default().with_unsigned_host(self.accept_unsigned_host),
        })
    }
    fn caller(&self, name: &str, by_token: bool, grants: Grants) -> Arc<Caller> {
        Arc::new(Caller {
            name: name.to_owned(),
            by_token,
            grants,
            rate_limiter: self.rate_limit.map(RateLimiter::new),
            memory: MemoryBudget::new(self.limits.bytes_per_key()),
        })
    }

    /// Checks the grants of a key or token; its projects and instances must exist.
    fn grants(
        &self,
        of: &str,
        [projects, instances, topics]: [&Option<Vec<String>>; 3],
        operations: Option<&[GrantedOperation]>,
    ) -> Result<Grants, Error> {
        let granted = |what, ids: &Option<Vec<String>>, id: fn(&InstanceConfig) -> &String| {
            let known: HashSet<&String> = self.instances.iter().map(id).collect();
            if let Some(id) = ids.iter().flatten().find(|id| !known.contains(id)) {
                let setting = format!("{what} of {of:?}");
                let rule = "no instance has this id";
                return Err(Error::invalid_setting(&setting, id, rule));
            }
            Ok(ids.as_ref().map(|ids| ids.iter().cloned().collect()))
        };
        let setting = format!("topics of {of:?}");
        let patterns = topics
            .as_ref()
            .map(|topics| TopicPattern::all(&setting, topics));
        Ok(Grants {
            projects: granted("projects", projects, |instance| &instance.project_id)?,
            instances: granted("instances", instances, |instance| &instance.id)?,
            topics: patterns.transpose()?,
            operations: operations.map(<[_]>::to_vec),
        })
    }

    fn check_instances(&self) -> Result<(), Error> {
        if let Some(faults) = &self.faults {
            faults.check()?;
        }
        if self.instances.is_empty() {
            let rule = "there is none, so there is nothing to serve";
            return Err(Error::invalid_setting("instance", "", rule));
        }
        let mut seen = HashSet::new();
        for instance in &self.instances {
            names::check_id("id of an instance", &instance.id)?;
            names::check_id("project_id of an instance", &instance.project_id)?;
            if !seen.insert(&instance.id) {
                let rule = "it is listed twice";
                return Err(Error::invalid_setting("instance", &instance.id, rule));
            }
            if let Some(topic) = &instance.nudge_topic {
                let refuse = |rule| Err(Error::invalid_setting("nudge_topic", topic, rule));
                if instance.kafka.is_none() {
                    return refuse("only an instance with a table kafka can have one");
                }
                if !names::is_topic(topic) {
                    return refuse("it is not the name of a topic");
                }
            }
            if self.anonymous && instance.kafka.is_some() {
                let rule =
                    "without authentication, every instance must be in memory; remove anonymous";
                return Err(Error::invalid_setting("instance", &instance.id, rule));
            }
            for (setting, present) in [
                ("the table [faults]", self.faults.is_some()),
                ("the setting control_listen", self.control_listen.is_some()),
            ] {
                if present && instance.memory.is_none() {
                    let rule = format!("{setting} requires that every instance is in memory");
                    return Err(Error::invalid_setting("instance", &instance.id, &rule));
                }
            }
        }
        Ok(())
    }
}

impl AccessKeyConfig {
    /// The key pair, and the security token of a temporary key. Errors name the `table` of the configuration.
    pub(crate) fn credentials(
        &self,
        table: &str,
        environment: Environment<'_>,
    ) -> Result<Credentials, Error> {
        let refuse = |error| Error::credentials(&self.access_key, error);
        let read =
            |source: &SecretSource, name| source.read(&format!("{name} in {table}"), environment);
        let secret_key = read(&self.secret_key, "secret_key")?;
        let credentials =
            Credentials::new(&self.access_key, secret_key.as_str()).map_err(refuse)?;
        match &self.security_token {
            None => Ok(credentials),
            Some(token) => {
                let token = read(token, "security_token")?;
                credentials
                    .with_security_token(token.as_str())
                    .map_err(refuse)
            }
        }
    }
}

fn backend(
    config: &InstanceConfig,
    environment: Environment<'_>,
) -> Result<Arc<dyn Backend>, Error> {
    match (&config.memory, &config.kafka) {
        (Some(memory), None) => Ok(Arc::new(MemoryBackend::new(
            &memory.topics,
            &memory.groups,
        )?)),
        (None, Some(kafka)) => kafka_backend(config, &kafka.properties(&config.id, environment)?),
        _ => Err(Error::invalid_setting(
            "instance",
            &config.id,
            "it must have either a table kafka or a table memory",
        )),
    }
}

#[cfg(feature = "kafka")]
fn kafka_backend(
    config: &InstanceConfig,
    properties: &[Property],
) -> Result<Arc<dyn Backend>, Error> {
    let nudge_topic = config.nudge_topic.as_deref();
    let backend = crate::backend::kafka::KafkaBackend::new(&config.id, properties, nudge_topic)?;
    Ok(Arc::new(backend))
}

#[cfg(not(feature = "kafka"))]
fn kafka_backend(config: &InstanceConfig, _: &[Property]) -> Result<Arc<dyn Backend>, Error> {
    let rule = "this program was built without Kafka; build it with the feature kafka, or give the instance a table memory";
    Err(Error::invalid_setting("instance", &config.id, rule))
}
