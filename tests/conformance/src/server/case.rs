//! Server cases: the requests, the expected responses, and the expected offsets afterwards. README.md explains the fields.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::suite::not_empty;

/// A case of the server suite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerCase {
    /// The name.
    pub name: String,
    pub(crate) title: String,
    /// The rows of the vendor's page that it proves.
    pub proves: Vec<String>,
    /// What it needs and is.
    #[serde(skip)]
    pub traits: Traits,
    /// Whether it is part of a quick run.
    #[serde(skip)]
    pub quick: bool,
    /// Absent when `random` is there.
    #[serde(rename = "step", default, deserialize_with = "not_empty")]
    pub(super) steps: Vec<Step>,
    /// How many random requests are compared with a model of the service.
    pub(super) random: Option<usize>,
}

/// What a case needs of the service, and when it is run.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent fields of a file"
)]
pub struct Traits {
    /// Whether it deletes records, or would with a faulty server.
    pub destructive: bool,
    /// Whether only this project's gateway promises it.
    pub extension: bool,
    /// Whether the response depends on what the service has, and not on the request alone.
    pub(super) state: bool,
    pub(super) runs_last: bool,
    /// Whether the requests are sent at the same time.
    pub(super) at_once: bool,
    /// How many partitions the topic must have.
    pub(super) partitions: usize,
    /// How many records each of these must have, or partition 0 when `partitions` is absent.
    pub(super) records: i64,
}

impl ServerCase {
    /// Whether every service refuses its requests, whatever topics it has.
    pub fn is_always_refused(&self) -> bool {
        let mut steps = self.steps.iter();
        !self.traits.state
            && self.random.is_none()
            && steps.all(|step| step.expect.status.starts_with('4'))
    }

    /// The rule that it checks: its name up to the first slash.
    pub fn rule(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    pub(crate) fn only_reads(&self) -> bool {
        self.steps.iter().all(|step| step.method == "GET")
    }

    /// Whether it sends plain text in place of HTTP requests.
    pub fn is_raw(&self) -> bool {
        self.steps.iter().any(|step| step.raw.is_some())
    }
}

/// One request and the response to it. Texts may contain placeholders; see [`crate::values::Values`].
#[derive(Clone, Debug, Default, Deserialize)]
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
    /// Bytes in a chunk; the body is then sent in chunks.
    pub(super) chunk: Option<usize>,
    /// The whole request as text, for malformed HTTP. `<signed>` are the headers of the request that the other fields describe,
    /// `<body>` its body and `<length>` how long it is.
    pub(super) raw: Option<String>,
    /// Whether the text ends before the request does, so that the sending side is closed after it.
    #[serde(default)]
    pub(super) cut_off: bool,
    pub(super) expect: ExpectedResponse,
    /// The response when the same bytes are sent again, after the last step.
    pub(super) again: Option<ExpectedResponse>,
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
    /// How many seconds after now.
    pub(super) seconds: i64,
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
    /// How many digits of the signature are sent.
    pub(super) digits: Option<usize>,
    /// A header, a text in it, and the number of the digit after that text which is replaced by another one.
    pub(super) flip: Option<(String, String, usize)>,
    /// A header, a text in it, and what the text is replaced by.
    pub(super) replace: Option<(String, String, String)>,
    /// Whether the changed request gets the right signature.
    pub(super) signed_again: bool,
}

/// The response to a request, and its effect.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedResponse {
    /// The expected status codes, such as `200`, `4XX` or `401 403`.
    pub(super) status: String,
    pub(super) code: Option<String>,
    /// The items of the response in any order, each `PARTITION RESULT CODE`: the result `success`, or `fail` for any other
    /// word; the code `0` also when it is null or absent, `*` for any.
    pub(super) rows: Option<Vec<String>>,
    /// An item of the response, whatever others there are.
    pub(super) row: Option<String>,
    /// Headers that the response must have.
    #[serde(default)]
    pub(super) headers: Vec<String>,
    /// Values in the response body by JSON pointer.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, String>,
    /// An item that a list in the response must have, with these fields: the JSON pointer of the list, and the item.
    pub(super) item: Option<(String, String)>,
    /// The log start offsets afterwards; those of other partitions must not change.
    #[serde(default)]
    pub(super) log_start: BTreeMap<String, String>,
    /// Whether the server may close the connection without a response.
    #[serde(default)]
    pub(super) may_close: bool,
}

impl ExpectedResponse {
    pub(super) fn new(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            ..Self::default()
        }
    }
}

impl Step {
    pub(super) fn new(method: &str, path: &str, query: &str, expect: ExpectedResponse) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            expect,
            ..Self::default()
        }
    }

    /// A request that a correct service accepts.
    pub(super) fn get(path: &str, query: &str) -> Self {
        Self::new("GET", path, query, ExpectedResponse::new("200"))
    }

    /// Whether the request has the headers of a signed one.
    pub(super) fn is_signed(&self) -> bool {
        self.raw
            .as_ref()
            .is_none_or(|text| text.contains("<signed>"))
    }
}
