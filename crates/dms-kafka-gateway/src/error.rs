//! Why a gateway did not start.

use std::{
    borrow::Cow,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use huaweicloud_auth::{ProviderError, text};

/// The most characters of a message about a configuration, which may quote the name of a setting.
const MESSAGE_LIMIT: usize = 1000;

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration is not TOML, has an unknown setting or lacks a required one.
    Configuration,
    /// A setting breaks its rule or contradicts another one.
    InvalidSetting,
    /// A file cannot be opened or read.
    File,
    /// The gateway cannot listen on the address.
    Listen,
    /// A Kafka cluster cannot be used, for example because it cannot be reached.
    Cluster,
    /// The backend of an instance does not respond, or refuses what the gateway needs.
    Connect,
}

/// Why a gateway did not start.
///
/// ```
/// use dms_kafka_gateway::{ErrorKind, Gateway};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Gateway::memory().topic("a/b", 1, 0).start().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidSetting);
/// assert!(error.to_string().contains("a/b"));
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Cause);

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{name}, line {line}: {message}")]
    Configuration {
        name: String,
        line: usize,
        message: String,
    },
    #[error("invalid {setting}: {rule}")]
    InvalidSetting {
        /// Its name, and its value unless that may be a secret.
        setting: String,
        rule: String,
        source: Option<Source>,
    },
    #[error("cannot open or read the file {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot open or read the file of {setting}")]
    SecretFile { setting: String, source: io::Error },
    #[error("cannot use the Kafka cluster at {servers}")]
    Cluster { servers: String, source: Source },
    #[error("instance {instance:?}: {check} failed")]
    Connect {
        instance: String,
        check: String,
        source: Source,
    },
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
}

impl Error {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Cause::Configuration { .. } => ErrorKind::Configuration,
            Cause::InvalidSetting { .. } => ErrorKind::InvalidSetting,
            Cause::File { .. } | Cause::SecretFile { .. } => ErrorKind::File,
            Cause::Listen { .. } => ErrorKind::Listen,
            Cause::Cluster { .. } => ErrorKind::Cluster,
            Cause::Connect { .. } => ErrorKind::Connect,
        }
    }

    /// Names the file and the line, but does not quote the line: it may contain a secret by mistake.
    pub(crate) fn toml(name: impl fmt::Display, toml: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| toml.get(..span.start));
        Self(Cause::Configuration {
            name: name.to_string(),
            line: before.map_or(1, |before| 1 + before.matches('\n').count()),
            message: text::sanitize(&without_value(error.message()), &[], MESSAGE_LIMIT)
                .into_owned(),
        })
    }

    pub(crate) fn invalid_setting(name: &str, value: impl fmt::Debug, rule: &str) -> Self {
        Self::setting(format!("{name} {value:?}"), rule, None)
    }

    /// An invalid setting, with the error of the library that refused it.
    pub(crate) fn refused_setting(
        name: &str,
        value: impl fmt::Debug,
        rule: &str,
        source: impl Into<Source>,
    ) -> Self {
        Self::setting(format!("{name} {value:?}"), rule, Some(source.into()))
    }

    /// An invalid setting whose value is not shown: it may be a secret by mistake.
    pub(crate) fn invalid_secret(setting: &str, rule: &str, source: Option<Source>) -> Self {
        Self::setting(setting.to_owned(), rule, source)
    }

    fn setting(setting: String, rule: &str, source: Option<Source>) -> Self {
        Self(Cause::InvalidSetting {
            setting,
            rule: rule.to_owned(),
            source,
        })
    }

    pub(crate) fn credentials(name: &str, source: ProviderError) -> Self {
        Self::refused_setting("credentials", name, "they cannot be used", source)
    }

    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self(Cause::File {
            path: path.to_owned(),
            source,
        })
    }

    /// The path is not shown: it may be a secret by mistake.
    pub(crate) fn secret_file(setting: &str, source: io::Error) -> Self {
        Self(Cause::SecretFile {
            setting: setting.to_owned(),
            source,
        })
    }

    pub(crate) fn cluster(servers: &str, source: impl Into<Source>) -> Self {
        Self(Cause::Cluster {
            servers: servers.to_owned(),
            source: source.into(),
        })
    }

    pub(crate) fn connect(instance: &str, check: &str, source: impl Into<Source>) -> Self {
        Self(Cause::Connect {
            instance: instance.to_owned(),
            check: check.to_owned(),
            source: source.into(),
        })
    }

    pub(crate) fn listen(address: SocketAddr, source: io::Error) -> Self {
        Self(Cause::Listen { address, source })
    }
}

/// Removes the value that serde quotes in a message about a wrong type or value.
fn without_value(message: &str) -> Cow<'_, str> {
    let parts = message.rsplit_once(", expected ");
    let parts = parts.filter(|(found, _)| found.starts_with("invalid "));
    match parts.and_then(|(found, expected)| Some((found.split_once(['"', '`'])?.0, expected))) {
        Some((kind, expected)) => Cow::Owned(format!("{}, expected {expected}", kind.trim_end())),
        None => Cow::Borrowed(message),
    }
}
