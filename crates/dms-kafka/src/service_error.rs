//! Reads the error bodies that the service and the gateways before it send.

use serde_json::{Map, Value};

/// What an error body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceError {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// How deep nested objects are searched.
const MAX_DEPTH: usize = 8;

impl ServiceError {
    /// Finds code and message: the pair of the top level before one of a nested object.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let mut found = find_pair(&object, MAX_DEPTH).unwrap_or_default();
        found.request_id = text(object.get("request_id"));
        found
    }
}

fn find_pair(object: &Map<String, Value>, depth: usize) -> Option<ServiceError> {
    const PAIRS: [(&str, &str); 3] = [
        ("error_code", "error_msg"),
        ("errorCode", "errorMsg"),
        ("code", "message"),
    ];
    for (code, message) in PAIRS {
        let (code, message) = (text(object.get(code)), text(object.get(message)));
        if code.is_some() {
            return Some(ServiceError {
                code,
                message,
                request_id: None,
            });
        }
    }
    let depth = depth.checked_sub(1)?;
    object.values().find_map(|value| match value {
        Value::Object(nested) => find_pair(nested, depth),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_object)
            .find_map(|nested| find_pair(nested, depth)),
        _ => None,
    })
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
