//! Judges a request of a client: validates it against the contract, and verifies its signature.

use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{X_AUTH_TOKEN, X_PROJECT_ID, X_SECURITY_TOKEN};
use openapiv3::Operation;

use crate::contract::{Contract, query_faults, request_schema};
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

/// The faults of the request; empty when it is valid.
pub(crate) fn faults(
    contract: &Contract,
    request: &Request,
    credentials: &Credentials,
) -> Vec<String> {
    let mut faults = Vec::new();
    match contract.operation(request.method.as_str(), &request.path) {
        None => faults.push(format!("the contract has no operation {request}")),
        Some(operation) => {
            faults.extend(query_faults(operation, &request.query));
            faults.extend(body_faults(contract, operation, request));
        }
    }
    faults.extend(path_faults(request));
    if request.text(GENERATOR_HEADER).is_some() {
        faults.push("the header api-version was sent, which the API does not have".to_owned());
    }
    if contains_secret(request, credentials) {
        faults.push("the secret key was sent".to_owned());
    }
    faults.extend(request.authenticate(credentials).err());
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
    if !is_json(media) {
        faults.push(format!(
            "content-type is {media:?} instead of application/json"
        ));
    }
    match serde_json::from_slice(&request.body) {
        Ok(body) => faults.extend(contract.faults(schema, &body)),
        Err(error) => faults.push(format!("the body is not JSON: {error}")),
    }
    faults
}

/// Whether a media type is JSON, whatever parameters it has.
pub(crate) fn is_json(media: &str) -> bool {
    let name = media.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json")
}

fn path_faults(request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    if segments
        .iter()
        .any(|segment| matches!(*segment, "." | ".." | ""))
    {
        faults.push(format!(
            "the path {} has an empty or a dot segment",
            request.path
        ));
    }
    let project = segments.get(1).copied();
    if let (Some(header), Some(project)) = (request.text(X_PROJECT_ID.as_str()), project)
        && header != project
    {
        faults.push(format!(
            "X-Project-Id is {header}, but the path has {project}"
        ));
    }
    faults
}

fn contains_secret(request: &Request, credentials: &Credentials) -> bool {
    let head = [&request.path, &request.query].map(String::as_bytes);
    let values = request.headers.values().map(http::HeaderValue::as_bytes);
    let mut parts = head.into_iter().chain(values).chain([&request.body[..]]);
    credentials
        .secret_key()
        .is_some_and(|secret| parts.any(|part| holds(part, secret)))
}

/// Whether `text` contains `secret`.
pub(crate) fn holds(text: &[u8], secret: &str) -> bool {
    !secret.is_empty()
        && text
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
}
