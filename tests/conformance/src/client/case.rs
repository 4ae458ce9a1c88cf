//! Client cases: a call, the expected request, the responses, and the expected result. README.md explains the fields.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::Deserialize;

use crate::script::ScriptedResponse;
use crate::suite::{Suite, SuiteCase, not_empty};
use crate::values::Target;

/// A case of the client suite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCase {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) proves: Vec<String>,
    #[serde(default = "Subject::all", deserialize_with = "not_empty")]
    pub(crate) clients: Vec<Subject>,
    pub(super) given: Given,
    /// Absent when nothing may be sent.
    pub(super) request: Option<ExpectedRequest>,
    /// In order; the last one is repeated.
    #[serde(default, rename = "response")]
    pub(super) responses: Vec<ScriptedResponse>,
    pub(super) expect: ExpectedResult,
}

impl SuiteCase for ClientCase {
    const SUITE: Suite = Suite::Client;

    fn parse(text: &str) -> Result<Vec<Self>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            case: Vec<ClientCase>,
        }
        Ok(toml::from_str::<File>(text)?.case)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl ClientCase {
    /// The name of the verdict for one of the clients.
    pub(crate) fn verdict_name(&self, subject: Subject) -> String {
        format!("{} ({subject})", self.name)
    }
}

/// The client that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// The bare generated client.
    Raw,
    Facade,
}

impl Subject {
    fn all() -> Vec<Self> {
        vec![Self::Raw, Self::Facade]
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Facade => "facade",
        })
    }
}

/// The arguments of the call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    #[serde(default = "project_id")]
    pub(super) project_id: String,
    #[serde(default = "instance_id")]
    pub(super) instance_id: String,
    #[serde(default = "topic")]
    pub(super) topic: String,
    pub(super) partitions: Vec<GivenPartition>,
    #[serde(default)]
    pub(super) credentials: CredentialsKind,
    /// The retries of the facade.
    #[serde(default)]
    pub(super) retries: u32,
}

fn project_id() -> String {
    "0123456789abcdef0123456789abcdef".to_owned()
}

fn instance_id() -> String {
    "11111111-2222-3333-4444-555555555555".to_owned()
}

fn topic() -> String {
    "orders".to_owned()
}

/// A partition and its deletion target.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenPartition {
    pub(super) partition: i32,
    /// Absent with `everything`.
    pub(super) before: Option<i64>,
    #[serde(default)]
    pub(super) everything: bool,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialsKind {
    #[default]
    Key,
    TemporaryKey,
    Token,
}

/// The expected request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedRequest {
    /// Byte for byte.
    #[serde(default = "path")]
    pub(super) path: String,
    /// A JSON value; the order of keys is free.
    pub(super) body: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default = "once")]
    pub(super) times: usize,
}

/// That of the default project, instance and topic.
fn path() -> String {
    Target::new(&project_id(), &instance_id(), &topic()).deletion_path()
}

fn once() -> usize {
    1
}

/// The expected result.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedResult {
    #[serde(default = "none")]
    pub(super) error: String,
    #[serde(default = "none")]
    pub(super) code: String,
    pub(super) outcome: String,
    #[serde(default)]
    pub(super) statuses: Vec<String>,
    /// The shortest time that the call may take, in milliseconds.
    #[serde(default)]
    pub(super) takes_ms: u64,
    #[serde(default)]
    pub(super) raw_decodes: bool,
}

/// In place of an absent error or code.
pub(super) fn none() -> String {
    "none".to_owned()
}
