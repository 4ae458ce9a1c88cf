//! The configuration of a gateway as a service: what the file may say.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    backend::TopicSettings,
    error::Error,
    faults::Faults,
    limits::Limits,
    protection::{LockOut, RateLimit},
    toml_text,
    wire::ErrorCodeStyle,
};

mod check;
mod kafka;
mod secrets;

pub use check::CheckedConfig;
pub use kafka::KafkaConfig;

/// What a gateway serves, to whom, and within which bounds.
///
/// It is read from TOML; `dms-kafka-gateway.example.toml` in the crate's folder shows and explains every setting. Nothing
/// is listened on and no cluster is asked before [`CheckedConfig::start`].
///
/// ```
/// use dms_kafka_gateway::Config;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dms_kafka_gateway::Error> {
/// let config = Config::from_toml(r#"
///     listen = "127.0.0.1:0"
///
///     [[instance]]
///     id = "orders-cluster"
///     project_id = "test"
///     memory.topics = [{ name = "orders", partitions = 3, records = 1000 }]
///
///     [[access_key]]
///     access_key = "AK"
///     secret_key_env = "GATEWAY_SK"
///     projects = ["test"]
/// "#)?;
/// let environment = |name: &str| (name == "GATEWAY_SK").then(|| "secret".to_owned());
/// let service = config.check(&environment)?.start().await?;
/// println!("serving at {}", service.endpoint());
/// service.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Address and port to listen on; port 0 is any free port.
    pub listen: SocketAddr,
    /// Whether `error_code` is `"text"`, which every official SDK decodes, or an `"integer"` as in the vendor page's
    /// example.
    #[serde(default)]
    pub error_code: ErrorCodeStyle,
    /// Serves everybody without a signature, on a loopback address only.
    #[serde(default)]
    pub anonymous: bool,
    /// Serves HTTPS instead of HTTP.
    pub tls: Option<TlsFiles>,
    /// Bounds for requests and connections.
    #[serde(default)]
    pub limits: Limits,
    /// How many requests each key or token may send; any number when absent.
    pub rate_limit: Option<RateLimit>,
    /// When a key is locked for a while; never when absent.
    pub lock_out: Option<LockOut>,
    /// Where deletions are put on record; nowhere when absent.
    pub audit: Option<AuditFile>,
    /// Requests that are to go wrong: for developers' tests, and only when every instance is in memory.
    pub faults: Option<Faults>,
    /// `[[instance]]`: what can be deleted from.
    #[serde(rename = "instance", default)]
    pub instances: Vec<InstanceConfig>,
    /// `[[access_key]]`: who may sign requests.
    #[serde(rename = "access_key", default)]
    pub access_keys: Vec<AccessKeyConfig>,
    /// `[[token]]`: tokens that requests may carry in `X-Auth-Token` instead of a signature.
    #[serde(rename = "token", default)]
    pub tokens: Vec<TokenConfig>,
}

/// The table `[tls]`: PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The server's certificate and those between it and a root.
    pub certificate_chain_file: PathBuf,
    /// The certificate's private key.
    pub private_key_file: PathBuf,
}

/// The table `[audit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AuditFile {
    /// Lines of JSON are appended here: before a deletion and after it. Rotate it by copying and truncating.
    pub file: PathBuf,
}

/// One table `[[instance]]`: it has either a table `kafka` or a table `memory`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct InstanceConfig {
    /// The `instance_id` of requests: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub id: String,
    /// The `project_id` of requests: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub project_id: String,
    /// The Kafka cluster (feature `kafka`).
    pub kafka: Option<KafkaConfig>,
    /// Topics in memory instead of a Kafka cluster.
    pub memory: Option<MemoryConfig>,
}

/// The table `memory` of an instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// The topics there are when the gateway starts.
    pub topics: Vec<TopicSettings>,
}

/// One table `[[access_key]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessKeyConfig {
    /// The access key (AK), which is not secret.
    pub access_key: String,
    /// The environment variable that holds the secret key (SK).
    pub secret_key_env: Option<String>,
    /// The file that holds the secret key (SK), and nothing else but perhaps a line break.
    pub secret_key_file: Option<PathBuf>,
    /// Projects that the key may touch; every one when absent.
    pub projects: Option<Vec<String>>,
    /// Instances that the key may touch; every one of its projects when absent.
    pub instances: Option<Vec<String>>,
}

/// One table `[[token]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenConfig {
    /// What logs call the token.
    pub name: String,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token, and nothing else but perhaps a line break.
    pub token_file: Option<PathBuf>,
    /// Projects that the token may touch; every one when absent.
    pub projects: Option<Vec<String>>,
    /// Instances that the token may touch; every one of its projects when absent.
    pub instances: Option<Vec<String>>,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Error`] with the line when the text is not TOML, has a setting that does not exist or lacks one.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml_text::parse("the configuration", text)
    }

    /// Reads a configuration file. Relative paths in it are relative to the current folder.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be read, and as [`Config::from_toml`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::file(path, source))?;
        toml_text::parse(&path.display().to_string(), &text)
    }
}
