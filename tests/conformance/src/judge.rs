//! Judges a request of a client: validates it against the contract, and verifies its signature.

use std::collections::BTreeSet;

use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{X_AUTH_TOKEN, X_PROJECT_ID, X_SECURITY_TOKEN};
use openapiv3::Operation;
use serde::Deserialize;

use crate::contract::{Contract, QueryFault, is_topic, query_faults, request_schema};
use crate::wire::Request;

/// A header that generators add. The API does not define it.
const GENERATOR_HEADER: &str = "api-version";

impl Request {
    /// Verifies that the request is signed with the key, or carries the token, of `credentials`.
    ///
    /// # Errors
    /// What is wrong.
    pub fn authenticate(&self, credentials: &Credentials) -> Result<(), String> {
        if let Some(token) = credentials.auth_token() {
            return match self.text(X_AUTH_TOKEN.as_str()) {
                Some(sent) if sent == token => Ok(()),
                Some(_) => Err("X-Auth-Token has another token".to_owned()),
                None => Err("no X-Auth-Token header".to_owned()),
            };
        }
        let authorization = self.verify(credentials).map_err(|error| match error {
            Some(error) => format!("signature: {error}"),
            None => "signed with another access key".to_owned(),
        })?;
        let header = X_SECURITY_TOKEN;
        let name = header.as_str();
        if self.text(name) != credentials.security_token() {
            return Err("X-Security-Token does not belong to the key".to_owned());
        }
        if credentials.security_token().is_some() && !authorization.signed_headers().contains(name)
        {
            return Err("X-Security-Token is not signed".to_owned());
        }
        Ok(())
    }
}

/// A fault of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestFault {
    pub(crate) text: String,
    /// The status with which a correct service refuses the request; `None` when it accepts it.
    pub(crate) status: Option<u16>,
}

/// The faults of the request; empty when it is valid.
pub(crate) fn faults(
    contract: &Contract,
    request: &Request,
    credentials: &Credentials,
) -> Vec<RequestFault> {
    let mut faults = Vec::new();
    let mut fault = |status, text| faults.push(RequestFault { text, status });
    match contract.operation(request.method.as_str(), &request.path) {
        None => {
            let is_known = contract.path_values(&request.path).is_some();
            let status = if is_known { 405 } else { 404 };
            fault(
                Some(status),
                format!("the contract has no operation {request}"),
            );
        }
        Some(operation) => {
            for of_query in query_faults(operation, &request.query) {
                match of_query {
                    QueryFault::Unknown(text) => fault(None, text),
                    QueryFault::Invalid(text) => fault(Some(400), text),
                }
            }
            for text in body_faults(contract, operation, request) {
                // A body is ignored where none is expected.
                fault(request_schema(operation).map(|_| 400), text);
            }
        }
    }
    for text in path_faults(contract, request) {
        fault(Some(400), text);
    }
    if let Some(text) = project_fault(request) {
        fault(Some(401), text);
    }
    if request.text(GENERATOR_HEADER).is_some() {
        let text = "the header api-version was sent, which the API does not have";
        fault(None, text.to_owned());
    }
    if contains_secret(request, credentials) {
        fault(None, "the secret key was sent".to_owned());
    }
    if let Err(text) = request.authenticate(credentials) {
        fault(Some(401), text);
    }
    faults
}

fn body_faults(contract: &Contract, operation: &Operation, request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(schema) = request_schema(operation) else {
        if !request.body.is_empty() {
            faults.push("a body was sent, and the operation has none".to_owned());
        }
        return faults;
    };
    let media = request.text("content-type").unwrap_or_default();
    if !is_utf8_json(media) {
        faults.push(format!(
            "content-type is {media:?} instead of application/json"
        ));
    }
    if let Some(coding) = request.text("content-encoding")
        && !coding.eq_ignore_ascii_case("identity")
    {
        faults.push(format!("content-encoding is {coding:?}"));
    }
    match serde_json::from_slice(&request.body) {
        Ok(body) => faults.extend(contract.faults(schema, &body)),
        Err(error) => faults.push(format!("the body is not JSON: {error}")),
    }
    if faults.is_empty() {
        faults.extend(deletion_fault(&request.body));
    }
    faults
}

/// What JSON Schema cannot say of a deletion: every field is needed and no other is known, a name occurs once, a number has
/// the spelling and the range of an integer, and a partition is named once.
fn deletion_fault(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Deletion {
        partitions: Vec<Row>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        partition: i32,
        offset: i64,
    }
    let rows = match serde_json::from_slice::<Deletion>(body) {
        Ok(Deletion { partitions }) => partitions,
        Err(error) => return Some(format!("the body is not a deletion: {error}")),
    };
    if rows.is_empty() {
        return Some("the body names no partition".to_owned());
    }
    let mut seen = BTreeSet::new();
    rows.into_iter().find_map(|Row { partition, offset }| {
        if partition < 0 {
            return Some(format!("partition {partition} is negative"));
        }
        if offset < -1 {
            return Some(format!("offset {offset} is less than -1"));
        }
        (!seen.insert(partition)).then(|| format!("partition {partition} is named twice"))
    })
}

fn path_faults(contract: &Contract, request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let segments = request.path.split('/').skip(1);
    if segments.into_iter().any(|it| matches!(it, "." | ".." | "")) {
        faults.push(format!(
            "the path {} has an empty or a dot segment",
            request.path
        ));
    }
    for (name, value) in contract.path_values(&request.path).unwrap_or_default() {
        let is_valid = match name {
            "topic" => is_topic(&value),
            "partition" => {
                value.bytes().all(|it| it.is_ascii_digit()) && value.parse::<i32>().is_ok()
            }
            _ => true,
        };
        if !is_valid {
            faults.push(format!("{value:?} is not a valid {name}"));
        }
    }
    faults
}

/// The project is named twice.
fn project_fault(request: &Request) -> Option<String> {
    let header = request.text(X_PROJECT_ID.as_str())?;
    let mut segments = request
        .path
        .split('/')
        .skip(2)
        .skip_while(|segment| *segment == "kafka");
    let project = segments.next()?;
    (header != project).then(|| format!("X-Project-Id is {header}, but the path has {project}"))
}

fn contains_secret(request: &Request, credentials: &Credentials) -> bool {
    let head = [&request.path, &request.query].map(String::as_bytes);
    let values = request.headers.values().map(http::HeaderValue::as_bytes);
    let mut parts = head.into_iter().chain(values).chain([&request.body[..]]);
    credentials
        .secret_key()
        .is_some_and(|secret| parts.any(|part| holds(part, secret)))
}

/// Whether a media type is JSON, and in UTF-8.
pub(crate) fn is_utf8_json(media: &str) -> bool {
    let is_utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let value = value.trim().trim_matches('"').to_ascii_lowercase();
        !name.trim().eq_ignore_ascii_case("charset") || matches!(&*value, "utf-8" | "utf8")
    };
    let mut parts = media.split(';');
    let name = parts.next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json") && parts.all(is_utf8)
}

/// Whether `text` contains `secret`.
pub(crate) fn holds(text: &[u8], secret: &str) -> bool {
    !secret.is_empty()
        && text
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
}
