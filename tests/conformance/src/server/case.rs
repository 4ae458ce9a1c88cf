//! Server cases: the requests, the expected responses, and the expected offsets afterwards. README.md explains the fields.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::suite::{Suite, SuiteCase, not_empty};

/// A case of the server suite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerCase {
    /// The name.
    pub name: String,
    pub(crate) title: String,
    /// The rows of the vendor's page that it proves.
    pub proves: Vec<String>,
    /// Whether it deletes records, or would with a faulty server.
    #[serde(default)]
    pub destructive: bool,
    /// How many partitions the topic must have.
    #[serde(default)]
    pub(super) partitions: usize,
    /// How many records each of these must have, or partition 0 when `partitions` is absent.
    #[serde(default)]
    pub(super) records: i64,
    #[serde(default)]
    pub(super) runs_last: bool,
    /// Absent when `random` is there.
    #[serde(rename = "step", default, deserialize_with = "not_empty")]
    pub(super) steps: Vec<Step>,
    /// How many random requests are compared with a model of the service.
    pub(super) random: Option<usize>,
}

impl SuiteCase for ServerCase {
    const SUITE: Suite = Suite::Server;

    fn name(&self) -> &str {
        &self.name
    }

    fn checks_something(&self) -> bool {
        self.steps.is_empty() == self.random.is_some_and(|count| count > 0)
    }
}

impl ServerCase {
    /// Whether it sends plain text in place of HTTP requests.
    pub fn is_raw(&self) -> bool {
        self.steps.iter().any(|step| step.raw.is_some())
    }
}

/// One request and the response to it. Texts may contain placeholders; see [`crate::values::Values`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(default = "post")]
    pub(super) method: String,
    #[serde(default = "uri")]
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: String,
    pub(super) body: Option<String>,
    /// In place of `body`, for bytes that are not text.
    pub(super) body_bytes: Option<Vec<u8>>,
    /// In place of those that every request has; an empty list removes the header.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) signing: Signing,
    /// What is changed after signing.
    #[serde(default)]
    pub(super) then: ChangesAfterSigning,
    /// The whole request as text, for malformed HTTP, in place of all of the above.
    pub(super) raw: Option<String>,
    pub(super) expect: ExpectedResponse,
}

fn post() -> String {
    "POST".to_owned()
}

fn uri() -> String {
    "<uri>".to_owned()
}

/// Who signs a request, and when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Signing {
    pub(super) key: Key,
    /// How many minutes after now.
    pub(super) minutes: i64,
    /// The headers that are signed, in order; the vendor's usual ones when absent.
    pub(super) headers: Option<Vec<String>>,
}

/// Whose key signs a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Key {
    #[default]
    Own,
    /// The key of the kit, with a wrong secret key.
    WrongSecret,
    Unknown,
    /// An unknown key, with an empty secret key.
    EmptySecret,
    None,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChangesAfterSigning {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) query: Option<String>,
    pub(super) body: Option<String>,
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) signature: Option<SignatureChange>,
}

/// How the 64 digits of a signature are changed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SignatureChange {
    /// The digit at this position is another one.
    Digit(usize),
    /// Only this many are sent.
    Digits(usize),
}

/// The response to a request, and its effect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedResponse {
    /// The expected status codes, such as `200`, `4XX` or `401 403`.
    pub(super) status: String,
    pub(super) code: Option<String>,
    /// The items of the response in any order, each `PARTITION RESULT CODE`: the result `success`, or `fail` for any other
    /// word; the code `0` also when it is null or absent, `*` for any.
    pub(super) rows: Option<Vec<String>>,
    /// Headers that the response must have.
    #[serde(default)]
    pub(super) headers: Vec<String>,
    /// Values in the response body by JSON pointer.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, String>,
    /// The log start offsets afterwards; those of other partitions must not change.
    #[serde(default)]
    pub(super) log_start: BTreeMap<String, String>,
    /// Whether the server may close the connection without a response.
    #[serde(default)]
    pub(super) may_close: bool,
}

impl Step {
    /// Whether it names the access key of the kit: too many refused signatures in a row lock the key.
    pub(super) fn names_own_key(&self) -> bool {
        self.raw.is_none() && matches!(self.signing.key, Key::Own | Key::WrongSecret)
    }
}
