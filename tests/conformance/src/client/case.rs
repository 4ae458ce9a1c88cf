//! Client cases: what the client is asked for, what must stand on the wire, what the service answers and what the
//! client must make of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::source::{self, Suite, not_empty};
use crate::wire::ScriptedResponse;

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The name.
    pub name: String,
    /// What the case shows, in a line.
    pub title: String,
    /// The rows of the vendor's page that it proves.
    pub proves: Vec<String>,
    /// The clients that can be asked for it; all when absent.
    #[serde(default = "Subject::all", deserialize_with = "not_empty")]
    pub clients: Vec<Subject>,
    /// What the caller asks for.
    pub given: Given,
    /// What must stand on the wire; absent when nothing may be sent.
    pub request: Option<Request>,
    /// What the service answers, one after the other; the last one again and again.
    #[serde(default, rename = "answer")]
    pub answers: Vec<ScriptedResponse>,
    /// What the client must make of it.
    pub expect: Expect,
}

impl source::Case for Case {
    const SUITE: Suite = Suite::Client;

    fn name(&self) -> &str {
        &self.name
    }
}

impl Case {
    /// The name of the verdict for one of the clients.
    pub fn verdict_name(&self, subject: Subject) -> String {
        format!("{} ({subject})", self.name)
    }
}

/// The client that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The bare generated client.
    Raw,
    /// The facade.
    Facade,
}

impl Subject {
    /// All of them.
    pub fn all() -> Vec<Self> {
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

/// What the caller asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Project id.
    #[serde(default = "project_id")]
    pub project_id: String,
    /// Instance id.
    #[serde(default = "instance_id")]
    pub instance_id: String,
    /// Topic.
    #[serde(default = "topic")]
    pub topic: String,
    /// Partitions in the order in which they are named.
    pub partitions: Vec<Partition>,
    /// What the request is authorized with.
    #[serde(default)]
    pub credentials: Kind,
    /// How often the facade may try again.
    #[serde(default)]
    pub retries: u32,
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

/// A partition and how far to delete in it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The partition's number.
    pub partition: i32,
    /// Delete below this offset; absent with `everything`.
    pub before: Option<i64>,
    /// Delete everything.
    #[serde(default)]
    pub everything: bool,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Access key and secret key.
    #[default]
    Key,
    /// The same with a security token.
    TemporaryKey,
    /// A token.
    Token,
}

/// What must stand on the wire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The path, byte for byte.
    #[serde(default = "path")]
    pub path: String,
    /// The body's JSON value; the order of keys is free.
    pub body: String,
    /// Headers with their values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How often it is sent.
    #[serde(default = "once")]
    pub times: usize,
}

/// That of the project, instance and topic that are given when the case gives none.
fn path() -> String {
    "/v2/0123456789abcdef0123456789abcdef/kafka/instances/11111111-2222-3333-4444-555555555555/topics/orders/messages/delete".to_owned()
}

fn once() -> usize {
    1
}

/// What the client must make of the answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The facade's error kind, when the call must fail.
    pub error: Option<String>,
    /// The facade's error code, when the service gave one.
    pub code: Option<String>,
    /// What the facade says of the records: `applied`, `not_applied`, `partial` or `unknown`.
    pub outcome: String,
    /// The facade's status of each partition asked for, in order.
    #[serde(default)]
    pub statuses: Vec<String>,
    /// The shortest time that the call may take, in milliseconds.
    #[serde(default)]
    pub takes_ms: u64,
    /// Whether the bare generated client must return a value; its own weaknesses are not hidden.
    #[serde(default)]
    pub raw_decodes: bool,
}
