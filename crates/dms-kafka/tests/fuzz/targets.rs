//! The bodies of the fuzz targets. `cargo test` runs them on the seeds.

use std::collections::BTreeMap;

use dms_kafka::{DeletionTarget, ErrorKind, Outcome, PartitionId, internals};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;
use serde_json::value::RawValue;

const TOKEN: &str = "canary-token/with=signs";

/// Any bytes as the body of a 200: a partition is deleted only if the response reports it once and as a success.
///
/// Returns the deleted partitions.
pub(crate) fn response(body: &[u8]) -> Vec<i32> {
    let requested = [
        (0, DeletionTarget::before(400).unwrap()),
        (1, DeletionTarget::Everything),
        (i32::MAX, DeletionTarget::before(i64::MAX).unwrap()),
    ]
    .map(|(partition, target)| (PartitionId::new(partition).unwrap(), target));
    let deletion = match internals::evaluate(&requested, Response::new(body.to_vec()), TOKEN) {
        Ok(deletion) => deletion,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
            assert_eq!(error.outcome(), Outcome::Unknown);
            return Vec::new();
        }
    };
    assert_eq!(deletion.partitions().len(), requested.len());
    let items = items(body);
    let deleted = deletion.partitions().iter().filter(|row| row.is_deleted());
    let deleted: Vec<i32> = deleted.map(|row| row.partition().get()).collect();
    for partition in &deleted {
        let about: Vec<_> = items
            .iter()
            .filter(|item| field(item, "partition") == *partition)
            .collect();
        assert!(about.len() == 1 && is_success(about[0]), "{about:?}");
    }
    let whole = items.len() == requested.len() && deletion.failures().count() == 0;
    assert_eq!(deletion.into_result().is_ok(), whole);
    deleted
}

/// Any status, headers and body: an error shows no secret, no long text and no control characters, and is "not applied"
/// only if that is certain.
///
/// The input is a status of three digits, one line for each of three headers, and the body.
pub(crate) fn error(input: &[u8]) {
    const NAMES: [&str; 3] = ["x-request-id", "retry-after", "location"];
    let Some((status, rest)) = input.split_at_checked(3) else {
        return;
    };
    let Ok(status) = StatusCode::from_bytes(status) else {
        return;
    };
    let mut parts = rest.splitn(NAMES.len() + 1, |byte| *byte == b'\n');
    let mut response = Response::builder().status(status);
    for name in NAMES {
        if let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) {
            response = response.header(HeaderName::from_static(name), value);
        }
    }
    let body = parts.next().unwrap_or_default().to_vec();
    let response = response.body(body).unwrap();
    let requested = [(PartitionId::new(0).unwrap(), DeletionTarget::Everything)];
    let error = match internals::evaluate(&requested, response, TOKEN) {
        Err(error) => error,
        Ok(deletion) => {
            assert_eq!(status, StatusCode::OK);
            let Err(error) = deletion.into_result() else {
                return;
            };
            error
        }
    };
    assert_eq!(error.status(), Some(status.as_u16()));
    if error.outcome() != Outcome::Unknown && error.kind() != ErrorKind::PartitionsFailed {
        assert!(status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT);
    }
    if matches!(status.as_u16(), 401 | 403) {
        assert!(!error.is_retryable(), "a retry would lock the key");
    }
    let body = error.body().unwrap_or_default();
    let text = error.to_string();
    let shown = format!(
        "{text} {error:?} {body} {:?}",
        error.encoded_authorization_message()
    );
    assert!(!shown.contains(TOKEN), "{shown}");
    assert!(!text.chars().chain(body.chars()).any(char::is_control));
    assert!(shown.len() < 1024 * 1024);
}

/// Unparsed fields: an ignored field may contain a number that fits no type.
type Object = BTreeMap<String, Box<RawValue>>;

/// The items of the response, parsed without types of the client.
fn items(body: &[u8]) -> Vec<Object> {
    let response: Object = serde_json::from_slice(body).unwrap();
    let items = response.get("partitions");
    items.map_or_else(Vec::new, |items| serde_json::from_str(items.get()).unwrap())
}

fn field(item: &Object, name: &str) -> Value {
    let value = item.get(name);
    value.map_or(Value::Null, |value| {
        serde_json::from_str(value.get()).unwrap()
    })
}

fn is_success(item: &Object) -> bool {
    let code = field(item, "error_code");
    field(item, "result") == "success" && (code.is_null() || code == "0" || code == 0)
}
