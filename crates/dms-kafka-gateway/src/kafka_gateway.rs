//! A gateway in front of one Kafka cluster, for the program that starts it.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use huaweicloud_auth::Credentials;

use crate::{
    backend::Backend,
    config::{AccessKeyConfig, BOOTSTRAP_SERVERS, Config, InstanceConfig, KafkaConfig, Property},
    error::Error,
    holds::Holds,
    service::Service,
};

/// The project of the instance: a cluster has none.
const PROJECT: &str = "kafka";

/// Brokers that respond do so much earlier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running gateway in front of one Kafka cluster, for the program that starts it: on a free port of 127.0.0.1, with a key
/// pair that is generated for this run.
///
/// The id of its instance is the id of the cluster, so it does not change with the port or the bootstrap servers. It serves
/// until it is dropped.
#[derive(Debug)]
pub struct KafkaGateway {
    service: Service,
    instance_id: String,
    credentials: Credentials,
}

impl KafkaGateway {
    /// Connects to the cluster and starts serving on the current tokio runtime. `environment` looks up one environment
    /// variable. `timeout` is that of the cluster's part of each request, and of connecting, which takes at most 10 seconds.
    ///
    /// # Errors
    /// [`Error`] when a property is invalid, the cluster cannot be reached or has no id, or this program was built without
    /// the feature `kafka`.
    pub async fn start(
        kafka: &KafkaConfig,
        environment: &dyn Fn(&str) -> Option<String>,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let properties = kafka.properties(PROJECT, environment)?;
        let deadline = Instant::now() + timeout.min(CONNECT_TIMEOUT);
        let (instance_id, backend) = connect(&properties, deadline).await?;
        let key = AccessKeyConfig::generated();
        let credentials = key.credentials("[[access_key]]", environment)?;
        let mut config = Config::new((Ipv4Addr::LOCALHOST, 0).into());
        config.limits.backend_timeout = timeout;
        config.access_keys.push(key);
        config.instances.push(InstanceConfig {
            id: instance_id.clone(),
            project_id: PROJECT.to_owned(),
            nudge_topic: None,
            kafka: Some(kafka.clone()),
            memory: None,
            holds: Holds::default(),
        });
        let checked = config.check_with_backends(vec![backend], environment)?;
        Ok(Self {
            service: checked.start().await?,
            instance_id,
            credentials,
        })
    }

    /// Returns the URL for requests, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        self.service.endpoint()
    }

    /// Returns the project of the instance, which is the same for every cluster.
    pub fn project_id(&self) -> &'static str {
        PROJECT
    }

    /// Returns the id of the only instance: the id of the cluster.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Returns the key pair for signing requests.
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }
}

/// The cluster and its id.
#[cfg(feature = "kafka")]
async fn connect(
    properties: &[Property],
    deadline: Instant,
) -> Result<(String, Arc<dyn Backend>), Error> {
    let backend = crate::backend::kafka::KafkaBackend::new(PROJECT, properties, None)?;
    match backend.cluster_id(deadline).await {
        Ok(id) => Ok((id, Arc::new(backend))),
        Err(error) => Err(Error::cluster(servers(properties), error)),
    }
}

#[cfg(not(feature = "kafka"))]
#[expect(clippy::unused_async, reason = "the other one awaits")]
async fn connect(properties: &[Property], _: Instant) -> Result<(String, Arc<dyn Backend>), Error> {
    let rule = "this program was built without Kafka; build it with the feature kafka";
    Err(Error::cluster(servers(properties), rule))
}

fn servers(properties: &[Property]) -> &str {
    let servers = properties
        .iter()
        .find(|(name, _)| name == BOOTSTRAP_SERVERS);
    servers.map_or("", |(_, servers)| servers)
}
