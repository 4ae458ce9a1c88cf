//! Server cases: what is sent, and what must come back and be left.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::source::{self, Suite, not_empty};

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
    /// Whether it deletes records, or a faulty server might.
    #[serde(default)]
    pub destructive: bool,
    /// How many partitions the topic must have.
    #[serde(default)]
    pub partitions: usize,
    /// How many records each of these must hold; partition 0 alone when none are asked for.
    #[serde(default)]
    pub records: i64,
    /// Whether nothing is left to delete afterwards.
    #[serde(default)]
    pub runs_last: bool,
    /// One request after the other.
    #[serde(rename = "step", deserialize_with = "not_empty")]
    pub steps: Vec<Step>,
}

impl source::Case for Case {
    const SUITE: Suite = Suite::Server;

    fn name(&self) -> &str {
        &self.name
    }
}

/// One request and what must become of it. Texts may hold placeholders; see [`super::Values`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The method.
    #[serde(default = "post")]
    pub method: String,
    /// The path.
    #[serde(default = "uri")]
    pub path: String,
    /// What stands behind `?`.
    #[serde(default)]
    pub query: String,
    /// The body as text.
    pub body: Option<String>,
    /// The body as bytes, for what is no text.
    pub body_bytes: Option<Vec<u8>>,
    /// Headers with their values, in place of those that every request has; no value takes the header away.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    /// Who signs, and when.
    #[serde(default)]
    pub signing: Signing,
    /// What is changed after signing.
    #[serde(default)]
    pub then: Changes,
    /// The whole request as text, for what is no HTTP; lines may end as they like. Nothing above counts then.
    pub raw: Option<String>,
    /// What must become of it.
    pub expect: Expect,
}

fn post() -> String {
    "POST".to_owned()
}

fn uri() -> String {
    "<uri>".to_owned()
}

/// Who signs a request, and when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// Whose key signs.
    #[serde(default)]
    pub key: Key,
    /// How many minutes after now.
    #[serde(default)]
    pub minutes: i64,
    /// The headers that are signed, in order; the vendor's usual ones when absent.
    pub headers: Option<Vec<String>>,
}

/// Whose key signs a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The one that the kit was given.
    #[default]
    Own,
    /// The access key that the kit was given, with a secret key that does not belong to it.
    WrongSecret,
    /// A key that was made up.
    Unknown,
    /// None.
    Nobody,
}

/// What is changed after signing.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// The method.
    pub method: Option<String>,
    /// The path.
    pub path: Option<String>,
    /// What stands behind `?`.
    pub query: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// Headers with their values; no value takes the header away.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
}

/// What must become of a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Status codes that are right, such as `200`, `4XX` or `401 403`.
    pub status: String,
    /// The error code.
    pub code: Option<String>,
    /// The items of the answer in any order, each `PARTITION RESULT CODE`: the result `success`, or `fail` for any other
    /// word; the code `0` also when it is null or absent, `*` for any.
    pub rows: Option<Vec<String>>,
    /// Headers that the answer must have.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Values in the answer's body by JSON pointer.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The log start offset of partitions afterwards; of the others it must be as it was.
    #[serde(default)]
    pub log_start: BTreeMap<String, String>,
    /// Whether closing the connection is an answer too.
    #[serde(default)]
    pub may_close: bool,
}

impl Step {
    /// Whether it is sent under the access key that the kit was given: the kind of request that locks a key when too many
    /// in a row are refused for their signatures.
    pub(super) fn names_own_key(&self) -> bool {
        self.raw.is_none() && matches!(self.signing.key, Key::Own | Key::WrongSecret)
    }
}
