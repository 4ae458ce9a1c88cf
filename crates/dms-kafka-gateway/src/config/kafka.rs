//! The table `kafka` of an instance.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::secrets::{self, Environment};
use crate::error::Error;

/// A property of librdkafka, with its value in clear.
pub(super) type Property = (String, Zeroizing<String>);

/// What the gateway depends on, and sets itself.
const FIXED: [(&str, &str); 2] = [
    // A topic that somebody asks about by mistake must not come into being.
    ("allow.auto.create.topics", "false"),
    // The end of a partition is its high watermark, not its last stable offset.
    ("isolation.level", "read_uncommitted"),
];

/// What the gateway would have otherwise than librdkafka.
const DEFAULTS: [(&str, &str); 1] = [
    // A broker that hangs keeps its connection, and keeps being asked, for this long; 60 s is longer than any request
    // may take.
    ("socket.timeout.ms", "5000"),
];

/// How the names of properties end that hold a password or a private key.
const SECRETS: [&str; 4] = ["password", "passphrase", "secret", "key.pem"];

/// The table `kafka` of an instance: librdkafka's properties, under their own names in quotes.
///
/// `bootstrap.servers` is needed; the list of them all is librdkafka's `CONFIGURATION.md`. A value is a string, a number or
/// a boolean; that of a password or key is a table that says where it is, `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct KafkaConfig {
    properties: BTreeMap<String, Value>,
}

#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a property of librdkafka is a name in quotes and a string, a number, a boolean, { env = \"NAME\" } or { file = \"PATH\" }"
)]
enum Value {
    Text(String),
    Number(i64),
    Boolean(bool),
    Secret(Place),
}

/// Where a secret is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    env: Option<String>,
    file: Option<PathBuf>,
}

/// The names alone: a value may be a secret in the wrong place.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.properties.keys()).finish()
    }
}

impl KafkaConfig {
    /// Every property with its value, the gateway's own included.
    ///
    /// # Errors
    /// When `bootstrap.servers` is missing, a property is the gateway's own, a secret is not where it should be or is in
    /// the file of the configuration itself.
    pub(super) fn properties(
        &self,
        instance: &str,
        environment: Environment<'_>,
    ) -> Result<Vec<Property>, Error> {
        if !self.properties.contains_key("bootstrap.servers") {
            let rule = "it needs the property \"bootstrap.servers\"";
            return Err(Error::invalid_setting("kafka of instance", instance, rule));
        }
        let read = self.properties.iter().map(|(name, value)| {
            check_name(name, value)?;
            Ok((name.clone(), value.read(name, environment)?))
        });
        let absent = |(name, _): &(&str, &str)| !self.properties.contains_key(*name);
        let added = DEFAULTS.into_iter().filter(absent).chain(FIXED);
        let added =
            added.map(|(name, value)| Ok((name.to_owned(), Zeroizing::new(value.to_owned()))));
        read.chain(added).collect()
    }
}

fn check_name(name: &str, value: &Value) -> Result<(), Error> {
    let refuse = |rule| Err(Error::invalid_setting("property", name, rule));
    if FIXED.iter().any(|(fixed, _)| *fixed == name) {
        return refuse("the gateway sets it itself; take it away");
    }
    let secret = SECRETS.iter().any(|ending| name.ends_with(ending));
    if secret && !matches!(value, Value::Secret(_)) {
        return refuse(
            "it is a secret: say where it is, { env = \"NAME\" } or { file = \"PATH\" }",
        );
    }
    Ok(())
}

impl Value {
    fn read(&self, name: &str, environment: Environment<'_>) -> Result<Zeroizing<String>, Error> {
        match self {
            Self::Text(text) => Ok(Zeroizing::new(text.clone())),
            Self::Number(number) => Ok(Zeroizing::new(number.to_string())),
            Self::Boolean(boolean) => Ok(Zeroizing::new(boolean.to_string())),
            Self::Secret(Place { env, file }) => {
                secrets::read(name, env.as_deref(), file.as_deref(), environment)
            }
        }
    }
}
