//! The configuration of a gateway.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    backend::{memory::TopicSettings, memory_groups::GroupSettings},
    error::Error,
    faults::Faults,
    grants::GrantedOperation,
    holds::Holds,
    limits::Limits,
    protection::{LockOut, RateLimit},
    wire::ErrorCodeStyle,
};

/// The configuration of a gateway: address, instances, keys and tokens, limits.
///
/// It is read from TOML; `dms-kafka-gateway.example.toml` in the crate's folder explains every setting. The gateway listens
/// and connects to clusters only after [`crate::CheckedConfig::start`].
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
///     secret_key = { env = "GATEWAY_SK" }
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
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Address and port of the control API, which changes topics and faults for tests: a loopback address, and only when
    /// every instance is in memory. Without it, there is no control API.
    #[serde(default, deserialize_with = "address")]
    pub control_listen: Option<SocketAddr>,
    /// Address and port for `/healthz`, `/readyz` and `/metrics`, without TLS. They are then not served at `listen`, and
    /// are answered even if all of its connections are taken.
    #[serde(default, deserialize_with = "address")]
    pub operations_listen: Option<SocketAddr>,
    /// Whether `error_code` is `"text"`, which every official SDK decodes, or an `"integer"` as in the example of the
    /// vendor's page.
    #[serde(default)]
    pub error_code: ErrorCodeStyle,
    /// Serves requests without a signature: on a loopback address, to programs on this machine, and with topics in memory
    /// only.
    #[serde(default)]
    pub anonymous: bool,
    /// Accepts signatures that do not cover `Host`, such as those of the vendor's Go SDK. With the same key, such a request
    /// can be sent to another gateway too.
    #[serde(default)]
    pub accept_unsigned_host: bool,
    /// Serves HTTPS instead of HTTP.
    pub tls: Option<TlsFiles>,
    /// Limits for requests and connections.
    #[serde(default)]
    pub limits: Limits,
    /// The rate limit of each key or token; without it, there is no limit.
    pub rate_limit: Option<RateLimit>,
    /// The lockout of keys; without it, no key is locked.
    pub lock_out: Option<LockOut>,
    /// Records of any instance that no key may delete.
    #[serde(default)]
    pub holds: Holds,
    /// The audit log; without it, there is none.
    pub audit: Option<AuditFile>,
    /// Injected faults: for developers' tests, and only when every instance is in memory.
    pub faults: Option<Faults>,
    /// `[[instance]]`: the instances whose topics are served.
    #[serde(rename = "instance", default)]
    pub instances: Vec<InstanceConfig>,
    /// `[[access_key]]`: the keys that may sign requests.
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
    /// The server's certificate and the intermediate ones.
    pub certificate_chain_file: PathBuf,
    /// The certificate's private key.
    pub private_key_file: PathBuf,
}

/// The table `[audit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AuditFile {
    /// Lines of JSON are appended here, before a deletion and after it. To rotate it, rename it: the next line is written to
    /// a new file.
    pub file: PathBuf,
    /// Which lines are on the disk before the gateway continues.
    #[serde(default)]
    pub sync: AuditSync,
}

/// Which lines of the audit log survive a power failure. Every line survives a crash of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditSync {
    /// Those that the operating system has written by then.
    #[default]
    Never,
    /// Also the line before a deletion that contains the offset -1.
    Everything,
    /// All.
    Always,
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
    /// A topic of the cluster for one purpose: while deletions wait for followers, the gateway appends a record of one byte
    /// every 10 ms to those of its partitions that have the same leader. This wakes the followers. Without it, nothing is
    /// written.
    pub nudge_topic: Option<String>,
    /// Topics in memory instead of a Kafka cluster.
    pub memory: Option<MemoryConfig>,
    /// Records of this instance that no key may delete.
    #[serde(default)]
    pub holds: Holds,
}

/// The table `memory` of an instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// The topics that exist when the gateway starts.
    pub topics: Vec<TopicSettings>,
    /// The consumer groups that exist when the gateway starts.
    pub groups: Vec<GroupSettings>,
}

/// One table `[[access_key]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessKeyConfig {
    /// The access key (AK), which is not secret.
    pub access_key: String,
    /// Where the secret key (SK) is.
    pub secret_key: SecretSource,
    /// For a temporary key, where its security token is: requests must carry it in `X-Security-Token`, and sign it. Requests
    /// with a permanent key must not carry one.
    pub security_token: Option<SecretSource>,
    /// Projects that the key may use; without it, all projects.
    pub projects: Option<Vec<String>>,
    /// Instances that the key may use; without it, all instances of its projects.
    pub instances: Option<Vec<String>>,
    /// Patterns of topics that the key may use, in which `*` is any number of characters; without it, all topics.
    pub topics: Option<Vec<String>>,
    /// What the key may do; without it, everything.
    pub operations: Option<Vec<GrantedOperation>>,
    #[serde(default, rename = "secret_key_env", alias = "secret_key_file")]
    pub(crate) _former: RemovedSetting,
}

impl AccessKeyConfig {
    /// A random key pair that may do everything.
    pub(crate) fn generated() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        let mut access_key = random().to_uppercase();
        access_key.truncate(20);
        Self {
            access_key,
            secret_key: SecretSource::given(random() + &random()),
            security_token: None,
            projects: None,
            instances: None,
            topics: None,
            operations: None,
            _former: RemovedSetting,
        }
    }
}

/// One table `[[token]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenConfig {
    /// The token's name in logs.
    pub name: String,
    /// Where the token is.
    pub token: SecretSource,
    /// Projects that the token may use; without it, all projects.
    pub projects: Option<Vec<String>>,
    /// Instances that the token may use; without it, all instances of its projects.
    pub instances: Option<Vec<String>>,
    /// Patterns of topics that the token may use, in which `*` is any number of characters; without it, all topics.
    pub topics: Option<Vec<String>>,
    /// What the token may do; without it, everything.
    pub operations: Option<Vec<GrantedOperation>>,
    #[serde(default, rename = "token_env", alias = "token_file")]
    pub(crate) _former: RemovedSetting,
}

fn address<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<SocketAddr>,
{
    let text = String::deserialize(deserializer)?;
    let parsed = text.parse().map(SocketAddr::into);
    parsed.map_err(|_| D::Error::custom("expected an IP address and port, such as 127.0.0.1:8080"))
}

impl Config {
    pub(crate) fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            control_listen: None,
            operations_listen: None,
            error_code: ErrorCodeStyle::default(),
            anonymous: false,
            accept_unsigned_host: false,
            tls: None,
            limits: Limits::default(),
            rate_limit: None,
            lock_out: None,
            holds: Holds::default(),
            audit: None,
            faults: None,
            instances: Vec::new(),
            access_keys: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Error`] with the line when the text is not TOML, a setting is unknown or a required one is missing.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::toml("the configuration", text, &error))
    }

    /// Reads a configuration file. Relative paths in it are relative to the current folder.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be read, and as [`Config::from_toml`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_toml(path)
    }
}

fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::file(path, source))?;
    toml::from_str(&text).map_err(|error| Error::toml(path.display(), &text, &error))
}

pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where a secret is: `{ env = "NAME" }` is an environment variable, `{ file = "PATH" }` a file. The file contains only the
/// secret, with or without a line break at its end. The configuration itself contains no secret.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretSource(SecretPlace);

#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a secret must not be in this file: write { env = \"NAME\" } or { file = \"PATH\" }"
)]
enum SecretPlace {
    Variable {
        env: String,
    },
    File {
        file: PathBuf,
    },
    #[serde(skip)]
    Value(Zeroizing<String>),
}

impl SecretSource {
    /// A secret that does not come from a configuration file.
    pub(crate) fn given(value: impl Into<String>) -> Self {
        Self(SecretPlace::Value(Zeroizing::new(value.into())))
    }

    /// Reads the secret of a setting. Errors name the setting, not the variable or file: that may be the secret itself.
    pub(crate) fn read(
        &self,
        setting: &str,
        environment: Environment<'_>,
    ) -> Result<Zeroizing<String>, Error> {
        let refuse = |rule| Error::invalid_secret(setting, rule, None);
        let secret = match &self.0 {
            SecretPlace::Variable { env } => environment(env)
                .map(Zeroizing::new)
                .ok_or_else(|| refuse("its environment variable is not set"))?,
            SecretPlace::File { file } => {
                let text = fs::read_to_string(file).map(Zeroizing::new);
                let text = text.map_err(|source| Error::secret_file(setting, source))?;
                Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            SecretPlace::Value(value) => value.clone(),
        };
        if secret.is_empty() {
            return Err(refuse("it is empty"));
        }
        Ok(secret)
    }
}

/// Shows neither the secret nor where it is, which may be the secret by mistake.
impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            SecretPlace::Variable { .. } => "environment variable",
            SecretPlace::File { .. } => "file",
            SecretPlace::Value(_) => "memory",
        })
    }
}

/// A setting of earlier versions. Its error says what to write instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct RemovedSetting;

impl<'de> Deserialize<'de> for RemovedSetting {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(
            "secret_key_env, secret_key_file, token_env and token_file are now written secret_key = { env = \"NAME\" }, \
             secret_key = { file = \"PATH\" }, token = { env = \"NAME\" } and token = { file = \"PATH\" }",
        ))
    }
}

pub(crate) const BOOTSTRAP_SERVERS: &str = "bootstrap.servers";

/// Name and value.
pub(crate) type Property = (String, Zeroizing<String>);

/// Properties that the gateway depends on, and sets itself.
const FIXED: [(&str, &str); 2] = [
    // A request for a topic that does not exist must not create it.
    ("allow.auto.create.topics", "false"),
    // The end of a partition is its high watermark, not its last stable offset.
    ("isolation.level", "read_uncommitted"),
];

/// Defaults that differ from librdkafka's.
const DEFAULTS: [(&str, &str); 1] = [
    // librdkafka uses a broker that hangs for this long; its default of 60 s is longer than the timeout of any request.
    ("socket.timeout.ms", "5000"),
];

/// The endings of names of properties that are a password or a private key.
const SECRET_SUFFIXES: [&str; 4] = ["password", "passphrase", "secret", "key.pem"];

/// The table `kafka` of an instance: librdkafka's properties, under their own names in quotes.
///
/// `bootstrap.servers` is required; librdkafka's `CONFIGURATION.md` lists all of them. A value is a string, a number or a
/// boolean; for a password or private key it is `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct KafkaConfig {
    properties: BTreeMap<String, PropertyValue>,
}

#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a property of librdkafka is a name in quotes and a string, a number, a boolean, { env = \"NAME\" } or { file = \"PATH\" }"
)]
enum PropertyValue {
    Text(String),
    Number(i64),
    Boolean(bool),
    Secret(SecretSource),
}

/// Shows only the names: a value may be a secret by mistake.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.properties.keys()).finish()
    }
}

impl KafkaConfig {
    /// Reads a file with properties, one on each line, as in the table `kafka` of an instance.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be read, and with the line when it is not TOML or has no such form.
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_toml(path)
    }

    /// Sets `bootstrap.servers`.
    #[must_use]
    pub fn with_bootstrap_servers(mut self, servers: impl Into<String>) -> Self {
        let servers = PropertyValue::Text(servers.into());
        self.properties
            .insert(BOOTSTRAP_SERVERS.to_owned(), servers);
        self
    }

    /// Every property with its value, including those that the gateway sets.
    pub(crate) fn properties(
        &self,
        instance: &str,
        environment: Environment<'_>,
    ) -> Result<Vec<Property>, Error> {
        if !self.properties.contains_key(BOOTSTRAP_SERVERS) {
            let rule = "the property \"bootstrap.servers\" is missing";
            return Err(Error::invalid_setting("kafka of instance", instance, rule));
        }
        let read = self.properties.iter().map(|(name, value)| {
            check_name(name, value)?;
            let setting = format!("property {name:?} of instance {instance:?}");
            Ok((name.clone(), value.read(&setting, environment)?))
        });
        let absent = |(name, _): &(&str, &str)| !self.properties.contains_key(*name);
        let added = DEFAULTS.into_iter().filter(absent).chain(FIXED);
        let added =
            added.map(|(name, value)| Ok((name.to_owned(), Zeroizing::new(value.to_owned()))));
        read.chain(added).collect()
    }
}

fn check_name(name: &str, value: &PropertyValue) -> Result<(), Error> {
    let refuse = |rule| Err(Error::invalid_setting("property", name, rule));
    if FIXED.iter().any(|(fixed, _)| *fixed == name) {
        return refuse("the gateway sets it itself; remove it");
    }
    let secret = SECRET_SUFFIXES.iter().any(|ending| name.ends_with(ending));
    if secret && !matches!(value, PropertyValue::Secret(_)) {
        return refuse("it is a secret: write { env = \"NAME\" } or { file = \"PATH\" }");
    }
    Ok(())
}

impl PropertyValue {
    fn read(
        &self,
        setting: &str,
        environment: Environment<'_>,
    ) -> Result<Zeroizing<String>, Error> {
        match self {
            Self::Text(text) => Ok(Zeroizing::new(text.clone())),
            Self::Number(number) => Ok(Zeroizing::new(number.to_string())),
            Self::Boolean(boolean) => Ok(Zeroizing::new(boolean.to_string())),
            Self::Secret(secret) => secret.read(setting, environment),
        }
    }
}
