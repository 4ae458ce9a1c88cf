//! Bodies of requests, and responses by status.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::openapi::{Fault, Node};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const BYTES: &str = "application/octet-stream";
const TEXTS: [&str; 2] = ["text/plain", "text/x-markdown"];

/// Translates a request body. If it may have several forms and one of them is JSON, the client sends JSON.
pub(crate) fn request(
    schemas: &mut Schemas,
    body: &Node<'_>,
    operation: &str,
) -> Result<Value, Fault> {
    let content = body.get("content");
    if let Some(media_type) = json_of(&content) {
        let schema = schema(schemas, &media_type, &format!("{operation}-body"))?;
        return Ok(json!({"required": true, "content": {JSON: {"schema": schema}}}));
    }
    let mut kinds = content.keys();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return Err(body.fault("a request body needs one media type, or JSON among several"));
    };
    let media_type = content.get(kind);
    let schema = match kind {
        FORM => form(schemas, &media_type, operation)?,
        BYTES => json!({"type": "string", "format": "binary"}),
        kind if TEXTS.contains(&kind) => json!({"type": "string"}),
        kind => {
            let cause = format!(
                "a request body of `{kind}` is not supported; JSON, a form, text or bytes are"
            );
            return Err(media_type.fault(cause));
        }
    };
    Ok(json!({"required": true, "content": {kind: {"schema": schema}}}))
}

/// A form is an object with plain values: an encoding of others is not defined.
fn form(schemas: &mut Schemas, media_type: &Node<'_>, operation: &str) -> Result<Value, Fault> {
    let form = schema(schemas, media_type, &format!("{operation}-body"))?;
    let at = media_type.get("schema");
    let object = schemas
        .object_of(&form)
        .ok_or_else(|| at.fault("a form needs properties"))?;
    let properties = object["properties"].as_object().into_iter().flatten();
    let additional = object.get_key_value("additionalProperties");
    for (name, property) in properties.chain(additional) {
        if !is_scalar(property) {
            return Err(at.fault(format_args!(
                "field `{name}` of a form is not a plain value"
            )));
        }
    }
    Ok(form)
}

/// Whether a translated schema is a string, a number or a boolean.
pub(crate) fn is_scalar(schema: &Value) -> bool {
    let kind = schema["type"].as_str();
    kind.is_some_and(|kind| ["boolean", "integer", "number", "string"].contains(&kind))
}

/// Translates the responses of an operation. A method returns one type for all successes and one for all errors.
pub(crate) fn responses(
    schemas: &mut Schemas,
    responses: &Node<'_>,
    method: &str,
    operation: &str,
) -> Result<Value, Fault> {
    let mut content = |response: &Node<'_>, kind: &str| match method {
        // It has the headers of a response to GET, but no body.
        "head" => Ok(json!({})),
        _ => content(schemas, response, &format!("{operation}-{kind}")),
    };
    let mut successes = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for status in responses.keys().filter(|key| !key.starts_with("x-")) {
        let response = responses.get(status);
        let group = match (status.as_bytes(), status) {
            (_, "default") => continue,
            ([b'2', rest @ ..], _) if is_status(rest) => &mut successes,
            ([b'4' | b'5', rest @ ..], _) if is_status(rest) => &mut errors,
            ([b'1' | b'3', rest @ ..], _) if is_status(rest) => {
                let cause = format!(
                    "status `{status}` is neither a success nor an error, so no method can return it"
                );
                return Err(response.fault(cause));
            }
            _ => {
                return Err(response.fault(format_args!(
                    "`{status}` is not a status, such as `200`, `4XX` or `default`"
                )));
            }
        };
        let suffix = if status.starts_with('2') {
            "response"
        } else {
            "error"
        };
        let bodies = response.get("content");
        if ["204", "205"].contains(&status) && bodies.keys().next().is_some() {
            let cause = format!("a response with status `{status}` has no body; remove `content`");
            return Err(bodies.fault(cause));
        }
        let content = content(&response, suffix)?;
        group.insert(status.to_owned(), (response, content));
    }
    // The default has the statuses that are not listed. If no success is listed, it has those too.
    if let Some(default) = responses.find("default") {
        let suffix = if successes.is_empty() {
            "response"
        } else {
            "error"
        };
        let content = content(&default, suffix)?;
        let rest = (default, content);
        if successes.is_empty() {
            successes.insert("2XX".to_owned(), rest.clone());
        }
        for range in ["4XX", "5XX"] {
            errors
                .entry(range.to_owned())
                .or_insert_with(|| rest.clone());
        }
    }
    if successes.is_empty() {
        return Err(responses.fault("no response has a success status (`2XX` or `default`)"));
    }
    // An error that has no body is an unexpected response with its status.
    let has_body = errors.values().any(|(_, content)| *content != json!({}));
    let covered = |status: &str| errors.contains_key(&format!("{}XX", &status[..1]));
    let bare: Vec<String> = errors
        .iter()
        .filter(|(status, (_, content))| has_body && *content == json!({}) && !covered(status))
        .map(|(status, _)| status.clone())
        .collect();
    errors.retain(|status, _| !bare.contains(status));
    let mut translated = Map::new();
    for group in [successes, errors] {
        let ranges: Vec<String> = group
            .keys()
            .filter(|it| it.ends_with("XX"))
            .cloned()
            .collect();
        let mut first: Option<(String, Value)> = None;
        for (status, (response, content)) in group {
            // The status as the contract has it.
            let written = response.pointer.rsplit('/').next().unwrap_or_default();
            if let Some((other, expected)) = &first
                && *expected != content
            {
                let cause = format!(
                    "statuses `{other}` and `{written}` have different bodies, but a method returns one type; \
                     give both the same schema or remove one"
                );
                return Err(response.fault(cause));
            }
            first.get_or_insert_with(|| (written.to_owned(), content.clone()));
            let is_covered =
                !status.ends_with("XX") && ranges.iter().any(|it| it[..1] == status[..1]);
            if !is_covered {
                translated.insert(status, json!({"description": "", "content": content}));
            }
        }
    }
    Ok(Value::Object(translated))
}

/// Whether this is the rest of a status after its first digit.
fn is_status(rest: &[u8]) -> bool {
    rest == b"XX" || rest.len() == 2 && rest.iter().all(u8::is_ascii_digit)
}

/// The body of a response: JSON, bytes or none. A service with several forms sends JSON, which the client accepts.
fn content(schemas: &mut Schemas, response: &Node<'_>, name: &str) -> Result<Value, Fault> {
    let content = response.get("content");
    if let Some(media_type) = json_of(&content) {
        return Ok(json!({JSON: {"schema": schema(schemas, &media_type, name)?}}));
    }
    Ok(match content.keys().next() {
        None => json!({}),
        Some(_) => json!({BYTES: {}}),
    })
}

fn json_of<'a>(content: &Node<'a>) -> Option<Node<'a>> {
    let is_json = |kind: &&str| {
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(JSON)
    };
    content.keys().find(is_json).map(|kind| content.get(kind))
}

/// A media type without a schema has any JSON.
fn schema(schemas: &mut Schemas, media_type: &Node<'_>, name: &str) -> Result<Value, Fault> {
    if let Some(encoding) = media_type
        .find("encoding")
        .filter(|it| it.keys().next().is_some())
    {
        return Err(encoding.fault("`encoding` is not supported"));
    }
    match media_type.find("schema") {
        Some(schema) => schemas.translate(&schema, name),
        None => Ok(json!({})),
    }
}
