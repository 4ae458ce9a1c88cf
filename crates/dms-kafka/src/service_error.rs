//! Parses the error bodies of the service and its gateways.

use serde_json::{Map, Value};

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceError {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) encoded_authorization_message: Option<String>,
}

/// The field names of code and message, in order of precedence.
const PAIRS: [(&str, &str); 3] = [
    ("error_code", "error_msg"),
    ("errorCode", "errorMsg"),
    ("code", "message"),
];

/// The depth to which nested objects are searched.
const MAX_DEPTH: usize = 8;

/// A longer body is not parsed: parsing takes many times its size in memory.
const MAX_BODY: usize = 1024 * 1024;

impl ServiceError {
    /// Finds code and message. Outer objects have precedence over nested ones, and pairs with a code over messages without
    /// one.
    pub(crate) fn parse(body: &[u8]) -> Self {
        if body.len() > MAX_BODY {
            return Self::default();
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        Self::find(&object)
    }

    /// Finds the error in the body of a success. Its partitions have codes of their own, which do not count.
    pub(crate) fn within_success(body: &[u8]) -> Option<Self> {
        if body.len() > MAX_BODY || has_only_partitions(body) {
            return None;
        }
        let Ok(Value::Object(mut object)) = serde_json::from_slice(body) else {
            return None;
        };
        let partitions = object.remove("partitions");
        let has_partitions = partitions
            .as_ref()
            .and_then(Value::as_array)
            .is_some_and(|items| !items.is_empty());
        if has_partitions {
            // Other fields may have codes that are no errors.
            object.retain(|name, value| {
                !(value.is_object() || value.is_array()) || name.to_lowercase().contains("error")
            });
        }
        let found = Self::find(&object);
        let is_error = match &found.code {
            Some(code) => !means_success(code),
            None => found.message.is_some() && !has_partitions,
        };
        is_error.then_some(found)
    }

    fn find(object: &Map<String, Value>) -> Self {
        let mut objects = Vec::new();
        collect(object, MAX_DEPTH, &mut objects);
        let pairs = || objects.iter().copied().filter_map(pair);
        let coded = pairs().find(|(code, _)| code.is_some());
        let (code, message) = coded.or_else(|| pairs().next()).unwrap_or_default();
        let mut explained = objects.iter().copied();
        Self {
            code,
            message,
            request_id: text(object, "request_id"),
            encoded_authorization_message: explained
                .find_map(|object| text(object, "encoded_authorization_message")),
        }
    }
}

/// Whether the body is that of nearly every success, which is not parsed twice: the list is all that it contains.
fn has_only_partitions(body: &[u8]) -> bool {
    let items = body
        .strip_prefix(br#"{"partitions":[{"#)
        .and_then(|body| body.strip_suffix(b"}]}"));
    items.is_some_and(|items| !items.contains(&b']'))
}

/// Some services add such a code to every success.
fn means_success(code: &str) -> bool {
    code == "200"
        || code.bytes().all(|digit| digit == b'0')
        || ["ok", "success"]
            .iter()
            .any(|word| code.eq_ignore_ascii_case(word))
}

fn pair(object: &Map<String, Value>) -> Option<(Option<String>, Option<String>)> {
    PAIRS
        .iter()
        .map(|(code, message)| (text(object, code), text(object, message)))
        .find(|(code, message)| code.is_some() || message.is_some())
}

/// Collects the object and its nested objects, outer ones first.
fn collect<'a>(
    object: &'a Map<String, Value>,
    depth: usize,
    found: &mut Vec<&'a Map<String, Value>>,
) {
    found.push(object);
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    for value in object.values() {
        let nested = match value {
            Value::Array(items) => items,
            value => std::slice::from_ref(value),
        };
        for nested in nested.iter().filter_map(Value::as_object) {
            collect(nested, depth, found);
        }
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_are_found_in_every_shape() {
        // `code|message`, empty if there is none.
        for (body, expected) in [
            (r#"{"error_code":"A","error_msg":"m"}"#, "A|m"),
            (r#"{"errorCode":"A","errorMsg":"m"}"#, "A|m"),
            (r#"{"code":"A","message":"m"}"#, "A|m"),
            (r#"{"code":404,"message":"m"}"#, "404|m"),
            (r#"{"error_code":"A"}"#, "A|"),
            (r#"{"error_msg":"m"}"#, "|m"),
            (r#"{"error_code":"","error_msg":"m"}"#, "|m"),
            (r#"{"error_code":null,"error_msg":"m"}"#, "|m"),
            (r#"{"error":{"code":"A","message":"m"}}"#, "A|m"),
            (r#"{"x":{"y":{"error_code":"A"}}}"#, "A|"),
            (r#"{"details":[1,{"code":"A","message":"m"}]}"#, "A|m"),
            (
                r#"{"message":"top","details":[{"code":"A","message":"m"}]}"#,
                "A|m",
            ),
            (r#"{"a":{"code":"in"},"code":"out"}"#, "out|"),
            (r#"{"code":"generic","error_code":"own"}"#, "own|"),
            (r#"{"error_code":{"nested":1}}"#, "|"),
            (r#"["error_code","A"]"#, "|"),
            (r#""error_code""#, "|"),
            (r#"{"error_code":"A""#, "|"),
            ("<html>", "|"),
            ("", "|"),
        ] {
            let found = ServiceError::parse(body.as_bytes());
            assert!(found.code.as_deref() != Some("") && found.message.as_deref() != Some(""));
            let (code, message) = (
                found.code.unwrap_or_default(),
                found.message.unwrap_or_default(),
            );
            assert_eq!(format!("{code}|{message}"), expected, "{body}");
        }
    }

    #[test]
    fn the_authorization_message_is_found_at_any_level() {
        for body in [
            r#"{"error_code":"A","encoded_authorization_message":"E"}"#,
            r#"{"error_code":"A","encoded_authorization_message":null,"details":[{"encoded_authorization_message":"E"}]}"#,
        ] {
            let found = ServiceError::parse(body.as_bytes());
            assert_eq!(
                found.encoded_authorization_message.as_deref(),
                Some("E"),
                "{body}"
            );
        }
    }

    #[test]
    fn depth_and_size_are_limited() {
        let mut deep = r#"{"code":"A"}"#.to_owned();
        for _ in 0..100 {
            deep = format!(r#"{{"e":{deep}}}"#);
        }
        assert_eq!(
            ServiceError::parse(deep.as_bytes()),
            ServiceError::default()
        );
        let long = format!(r#"{{"code":"A","message":"{}"}}"#, "m".repeat(MAX_BODY));
        assert_eq!(
            ServiceError::parse(long.as_bytes()),
            ServiceError::default()
        );
    }
}
