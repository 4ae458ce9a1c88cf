//! Judges what came back: the captured answer first, the generated client's result second.

use std::time::{Duration, SystemTime};

use dms_kafka_client::{self as raw, Answer, Completeness};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::error::{Error, ErrorKind};
use crate::outcome::Outcome;
use crate::service_error::ServiceError;

const SHOWN_BODY: usize = 4096;

/// What a generated method returns.
pub(crate) type RawResult<T> = Result<raw::ResponseValue<T>, raw::Error<raw::types::ErrorResponse>>;

/// A trusted 200.
pub(crate) struct Trusted<T> {
    pub(crate) value: T,
    pub(crate) request_id: Option<String>,
}

/// Turns one attempt into a value that can be trusted, or an error that says what may have happened.
pub(crate) fn judge<T>(
    answer: Option<Answer>,
    result: RawResult<T>,
    redact: Option<&str>,
) -> Result<Trusted<T>, Error> {
    let Some(answer) = answer else {
        return Err(without_answer(result.err()));
    };
    let request_id = request_id(&answer.headers);
    let error = match check(&answer, result) {
        Ok(value) => return Ok(Trusted { value, request_id }),
        Err(error) => error,
    };
    let from_body = ServiceError::parse(&answer.body).request_id;
    Err(error
        .with_status(answer.status)
        .with_request_id(request_id.or(from_body))
        .with_retry_after(retry_after(&answer.headers))
        .with_body(excerpt(&answer.body, redact))
        .redact(redact))
}

fn check<T>(answer: &Answer, result: RawResult<T>) -> Result<T, Error> {
    if answer.status != StatusCode::OK {
        return Err(refused(answer));
    }
    match answer.completeness {
        Completeness::Complete => {}
        Completeness::OverLimit => {
            return Err(untrusted("the answer's body is longer than the limit"));
        }
        _ => {
            return Err(untrusted(
                "the connection ended before the answer's body did",
            ));
        }
    }
    let value = result.map_err(|error| undecodable(&answer.body, error))?;
    if has_array_for_object(&answer.body) {
        return Err(untrusted(
            "the answer has an array where the contract has an object",
        ));
    }
    Ok(value.into_inner())
}

fn untrusted(message: &str) -> Error {
    Error::new(ErrorKind::InvalidAnswer, Outcome::Unknown, message)
}

fn undecodable(body: &[u8], error: raw::Error<raw::types::ErrorResponse>) -> Error {
    let cause = match error {
        _ if body.is_empty() => return untrusted("the answer has status 200 and no body"),
        raw::Error::InvalidResponsePayload(_, error) => error,
        _ => return untrusted("the answer cannot be read"),
    };
    untrusted(&format!(
        "the answer is not what the contract allows: {cause}"
    ))
    .with_source(cause)
}

/// An answer that is not 200.
fn refused(answer: &Answer) -> Error {
    let said = ServiceError::parse(&answer.body);
    let status = answer.status;
    let message = match said.message {
        Some(message) => escaped(message.chars().take(SHOWN_BODY)),
        None if status.is_redirection() => {
            "the service answered with a redirect, which is not followed".to_owned()
        }
        None => match status.canonical_reason() {
            Some(reason) => format!("the service answered {} {reason}", status.as_u16()),
            None => format!("the service answered {}", status.as_u16()),
        },
    };
    Error::refused(status, said.code, message)
}

/// No status line came.
fn without_answer(error: Option<raw::Error<raw::types::ErrorResponse>>) -> Error {
    let error = match error {
        Some(raw::Error::CommunicationError(error)) => error.without_url(),
        Some(raw::Error::Custom(message) | raw::Error::InvalidRequest(message)) => {
            return Error::invalid_input(message);
        }
        _ => return untrusted("the answer was not captured"),
    };
    if error.is_connect() {
        let message = format!("no connection to the service: {}", root_cause(&error));
        return Error::new(ErrorKind::Connect, Outcome::NotApplied, message).with_source(error);
    }
    if error.is_builder() {
        return Error::invalid_input(format!("the request cannot be built: {error}"))
            .with_source(error);
    }
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Timeout,
            Outcome::Unknown,
            "the service did not answer in time",
        )
        .with_source(error);
    }
    let message = format!(
        "the connection broke before an answer came: {}",
        root_cause(&error)
    );
    Error::new(ErrorKind::Connection, Outcome::Unknown, message).with_source(error)
}

/// The attempt's time ran out; its status and request id are kept if they came.
pub(crate) fn late(answer: Option<Answer>, allowed: Duration) -> Error {
    let stage = if answer.is_some() {
        "the answer was not complete"
    } else {
        "no answer came"
    };
    let message = format!("{stage} within {:.1} s", allowed.as_secs_f64());
    let error = Error::new(ErrorKind::Timeout, Outcome::Unknown, message);
    match answer {
        Some(answer) => error
            .with_status(answer.status)
            .with_request_id(request_id(&answer.headers)),
        None => error,
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Whether an array stands anywhere but as the value of a key, in text known to be JSON.
///
/// serde takes an array for a struct, field by field, so `[["0", 0, "success"]]` would look deleted.
fn has_array_for_object(json: &[u8]) -> bool {
    let mut before = None;
    let mut bytes = json.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' if before != Some(b':') => return true,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = Some(byte);
        }
    }
    false
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    (!id.is_empty()).then(|| id.chars().take(128).collect())
}

/// `Retry-After` in either of its forms: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn excerpt(body: &[u8], redact: Option<&str>) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    // Redact before the cut, so that no half of a secret survives at its end.
    let text = redacted(&String::from_utf8_lossy(body), redact);
    Some(escaped(text.chars().take(SHOWN_BODY)))
}

/// Control characters spelled out: the text may go to a terminal or a log.
fn escaped(text: impl Iterator<Item = char>) -> String {
    let mut shown = String::new();
    for character in text {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// `text` with the secret replaced wherever it occurs.
pub(crate) fn redacted(text: &str, secret: Option<&str>) -> String {
    match secret {
        Some(secret) if !secret.is_empty() => text.replace(secret, "[redacted]"),
        _ => text.to_owned(),
    }
}
