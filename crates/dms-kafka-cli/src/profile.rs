//! Profiles: named settings in a file, which flags override. Variables override those of a profile that a variable names.
//!
//! The file never contains a key.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dms_kafka::auth::{Endpoint, Region};
use dms_kafka::{InstanceId, ProjectId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::{Spanned, Value};

use crate::settings::{InvalidSettings, Level, Setting};

/// The settings of a profile. In the default, nothing is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    pub(crate) name: Option<Setting<String>>,
    pub(crate) endpoint: Option<Setting<Endpoint>>,
    pub(crate) region: Option<Setting<Region>>,
    pub(crate) project_id: Option<Setting<ProjectId>>,
    pub(crate) instance_id: Option<Setting<InstanceId>>,
    /// The section of the credentials file.
    pub(crate) credentials: Option<Setting<String>>,
    pub(crate) ca_cert: Option<Setting<PathBuf>>,
    pub(crate) kafka: Option<Setting<BootstrapServers>>,
    pub(crate) kafka_config: Option<Setting<PathBuf>>,
    /// Whether `--yes` alone does not confirm a deletion.
    pub(crate) protected: bool,
}

#[derive(Deserialize)]
struct ProfilesFile {
    #[serde(default)]
    profile: BTreeMap<String, ProfileTable>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProfileTable {
    #[serde(deserialize_with = "parsed")]
    endpoint: Option<Endpoint>,
    #[serde(deserialize_with = "parsed")]
    region: Option<Region>,
    #[serde(deserialize_with = "parsed")]
    project_id: Option<ProjectId>,
    #[serde(deserialize_with = "parsed")]
    instance_id: Option<InstanceId>,
    credentials: Option<String>,
    ca_cert: Option<PathBuf>,
    #[serde(deserialize_with = "parsed")]
    kafka: Option<BootstrapServers>,
    kafka_config: Option<PathBuf>,
    protected: bool,
}

/// The keys of a [`ProfileTable`]. Those of a service and those of a Kafka cluster exclude each other.
const OF_SERVICE: [&str; 6] = [
    "endpoint",
    "region",
    "project_id",
    "instance_id",
    "credentials",
    "ca_cert",
];
const OF_KAFKA: [&str; 2] = ["kafka", "kafka_config"];
const OF_BOTH: [&str; 1] = ["protected"];

/// The keys of each profile, with their positions in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileKeys {
    #[serde(default)]
    profile: BTreeMap<String, BTreeMap<Spanned<String>, Value>>,
}

impl ProfileKeys {
    /// The position of the first wrong key, and what is wrong. Values are not shown: they may be secrets.
    fn wrong(&self) -> Option<(usize, String)> {
        self.profile.values().find_map(|table| {
            let mut keys = table.keys();
            let wrong = keys.find_map(|key| Some((key.span().start, unknown_key(key.as_ref())?)));
            wrong.or_else(|| {
                let set =
                    |of: &[&str]| table.keys().find(|key| of.contains(&key.as_ref().as_str()));
                let (one, other) = set(&OF_KAFKA).zip(set(&OF_SERVICE))?;
                let (one, other, at) = (one.as_ref(), other.as_ref(), one.span().start);
                Some((
                    at,
                    format!("{one} cannot be used with {other}: remove one of them"),
                ))
            })
        })
    }
}

/// What is wrong with a key, unless it is known.
fn unknown_key(key: &str) -> Option<String> {
    const LEAST: f64 = 0.8;
    let known = [&OF_SERVICE[..], &OF_KAFKA, &OF_BOTH].concat();
    if known.contains(&key) {
        return None;
    }
    let lower = key.to_lowercase();
    let is_secret = lower
        .split(['_', '-', '.'])
        .any(|word| ["ak", "sk"].contains(&word))
        || ["key", "secret", "token", "password"]
            .iter()
            .any(|word| lower.contains(word));
    let scored = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known, &lower), known));
    let similar = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    let advice = match similar {
        _ if is_secret => {
            "keys do not belong in this file: write them to ~/.huaweicloud/credentials, and the name of their section here, \
             such as credentials = \"basic\""
                .to_owned()
        }
        Some((score, known)) if score >= LEAST => format!("did you mean {known:?}?"),
        _ => format!("the keys are {}", known.join(", ")),
    };
    Some(format!("unknown key {key:?}: {advice}"))
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let parsed = String::deserialize(deserializer)?.parse();
    parsed.map(Some).map_err(D::Error::custom)
}

/// The names in the file, for completions. There are none if the file cannot be read.
pub(crate) fn names() -> Vec<String> {
    let text = path().and_then(|path| fs::read_to_string(path).ok());
    let file: Option<ProfilesFile> = text.and_then(|text| toml::from_str(&text).ok());
    file.map_or_else(Vec::new, |file| file.profile.into_keys().collect())
}

impl Profile {
    /// Reads the file, and returns the profile with this name.
    pub(crate) fn read(name: Setting<String>) -> Result<Self, InvalidSettings> {
        let Setting { value, source, .. } = &name;
        let path = path().ok_or_else(|| {
            format!("{source}: the home directory is not known: set HOME or XDG_CONFIG_HOME")
        })?;
        let text = fs::read_to_string(&path).map_err(|error| {
            let message = format!("{source} {value}: {}: {error}", path.display());
            if error.kind() == io::ErrorKind::NotFound {
                let fix = format!("{message}: write [profile.{value}] to this file");
                return InvalidSettings::Invalid(fix);
            }
            InvalidSettings::Unreadable(message)
        })?;
        let at = |offset: usize, message: &str| {
            let before = text.get(..offset).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            InvalidSettings::Invalid(format!("{}, line {line}: {message}", path.display()))
        };
        let invalid = |error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start);
            at(start, error.message())
        };
        let keys: ProfileKeys = toml::from_str(&text).map_err(invalid)?;
        if let Some((start, message)) = keys.wrong() {
            return Err(at(start, &message));
        }
        let file: ProfilesFile = toml::from_str(&text).map_err(invalid)?;
        let mut profiles = file.profile;
        let Some(table) = profiles.remove(value) else {
            let known: Vec<_> = profiles.keys().map(|name| format!("{name:?}")).collect();
            let known = match &known[..] {
                [] => "none".to_owned(),
                known => known.join(", "),
            };
            let message = format!(
                "{source}: {} has no profile {value:?}; it has {known}",
                path.display()
            );
            return Err(message.into());
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let in_folder = |path: PathBuf| folder.join(path);
        Ok(Self {
            endpoint: of(&name, table.endpoint),
            region: of(&name, table.region),
            project_id: of(&name, table.project_id),
            instance_id: of(&name, table.instance_id),
            credentials: of(&name, table.credentials),
            ca_cert: of(&name, table.ca_cert.map(in_folder)),
            kafka: of(&name, table.kafka),
            kafka_config: of(&name, table.kafka_config.map(in_folder)),
            protected: table.protected,
            name: Some(name),
        })
    }
}

fn of<T>(profile: &Setting<String>, value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting {
        value,
        source: format!("profile {}", profile.value),
        level: match profile.level {
            Level::Flag => Level::TypedProfile,
            _ => Level::Profile,
        },
    })
}

fn path() -> Option<PathBuf> {
    let folder = |variable: &str| {
        let folder = env::var_os(variable).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder(home)?.join(".config")));
    Some(config?.join("dms-kafka").join("config.toml"))
}

/// The text of `bootstrap.servers`.
#[derive(Clone, Debug)]
pub(crate) struct BootstrapServers(pub(crate) String);

impl FromStr for BootstrapServers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_server = |server: &str| !server.is_empty() && !server.contains(['/', ' ']);
        if text.split(',').all(is_server) {
            return Ok(Self(text.to_owned()));
        }
        Err("expected HOST:PORT,..., such as broker-1:9092,broker-2:9092")
    }
}
