//! Any status and body: an error tells no secret, no endless or unprintable text, and "not applied" only when that is sure.
#![no_main]

use dms_kafka::{DeletionTarget, ErrorKind, Outcome, internals};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use libfuzzer_sys::fuzz_target;

const TOKEN: &str = "canary-token/with=signs";
const NAMES: [&str; 3] = ["x-request-id", "retry-after", "location"];

// Three digits of status, a line for each of three headers, then the body.
fuzz_target!(|input: &[u8]| {
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
    let response = response.body(body).expect("status and headers are checked");
    let asked = [(0, DeletionTarget::Everything)];
    let error = match internals::judge(&asked, response, TOKEN) {
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
        assert!(!error.is_retryable(), "a key would be locked");
    }
    let body = error.body().unwrap_or_default();
    let shown = format!(
        "{error} {error:?} {body} {:?}",
        error.encoded_authorization_message()
    );
    assert!(!shown.contains(TOKEN), "{shown}");
    assert!(
        !error
            .to_string()
            .chars()
            .chain(body.chars())
            .any(char::is_control)
    );
    assert!(shown.len() < 1024 * 1024);
});
