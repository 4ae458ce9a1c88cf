//! Judges what came back: the captured answer first, the generated client's result second.

use std::time::{Duration, SystemTime};

use dms_kafka_client::{self as raw, Answer, Completeness};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use huaweicloud_auth::signing::X_REQUEST_ID;
use huaweicloud_auth::text;

use crate::error::{Error, Response, SHOWN_ID};
use crate::error_kind::ErrorKind;
use crate::outcome::Outcome;
use crate::service_error::ServiceError;

/// The start of the body that an error keeps.
const SHOWN_BODY: usize = 4096;

/// What a generated method returns.
pub(crate) type RawResult<T> = Result<raw::ResponseValue<T>, RawError>;
type RawError = raw::Error<raw::types::ErrorResponse>;

/// A trusted 200.
pub(crate) struct Trusted<T> {
    pub(crate) value: T,
    pub(crate) request_id: Option<String>,
}

/// Turns one attempt into a value that can be trusted, or an error that says what may have happened.
pub(crate) fn judge<T>(
    answer: Option<Answer>,
    result: RawResult<T>,
    secret: Option<&str>,
) -> Result<Trusted<T>, Error> {
    let Some(answer) = answer else {
        return Err(without_answer(result.err()));
    };
    if answer.status != StatusCode::OK {
        return Err(described(None, &answer, secret));
    }
    match decoded(&answer, result) {
        Ok(value) => Ok(Trusted {
            value,
            request_id: request_id(&answer.headers)
                .map(|id| text::sanitize(&id, secret.as_slice(), SHOWN_ID).into_owned()),
        }),
        Err(untrusted) => Err(described(Some(untrusted), &answer, secret)),
    }
}

/// The error, or that the service refused the request, with what the answer says.
fn described(error: Option<Error>, answer: &Answer, secret: Option<&str>) -> Error {
    let said = ServiceError::parse(&answer.body);
    let refusal = || {
        let message = said.message.unwrap_or_else(|| unexplained(answer));
        Error::refused(answer.status, said.code.as_deref(), message)
    };
    let response = Response {
        status: Some(answer.status),
        code: said
            .code
            .clone()
            .filter(|_| answer.status != StatusCode::OK),
        request_id: request_id(&answer.headers).or(said.request_id),
        retry_after: retry_after(&answer.headers),
        body: (!answer.body.is_empty()).then(|| {
            let body = String::from_utf8_lossy(&answer.body);
            text::sanitize(&body, secret.as_slice(), SHOWN_BODY).into_owned()
        }),
        encoded_authorization_message: said.encoded_authorization_message,
    };
    error
        .unwrap_or_else(refusal)
        .with_response(response, secret)
}

fn decoded<T>(answer: &Answer, result: RawResult<T>) -> Result<T, Error> {
    match answer.completeness {
        Completeness::Complete => {}
        Completeness::OverLimit => {
            return Err(untrusted("the answer's body is longer than the limit"));
        }
        _ => return Err(truncated(result.err())),
    }
    // The decoder does not look into the text of fields that it skips. Nearly every answer is ASCII, which is told faster.
    if !answer.body.is_ascii() && std::str::from_utf8(&answer.body).is_err() {
        return Err(untrusted("the answer is not JSON: it is not UTF-8"));
    }
    result
        .map(raw::ResponseValue::into_inner)
        .map_err(|error| undecodable(&answer.body, &error))
}

fn truncated(error: Option<RawError>) -> Error {
    let truncated = untrusted("the connection ended before the answer's body did");
    match error {
        Some(raw::Error::CommunicationError(cause)) => truncated.with_source(cause.without_url()),
        _ => truncated,
    }
}

fn untrusted(message: &str) -> Error {
    Error::new(ErrorKind::InvalidAnswer, Outcome::Unknown, message)
}

/// The cause becomes text, not a source: it quotes the answer, which may repeat a secret.
fn undecodable(body: &[u8], error: &RawError) -> Error {
    match error {
        _ if body.is_empty() => untrusted("the answer has status 200 and no body"),
        raw::Error::InvalidResponsePayload(_, cause) => untrusted(&format!(
            "the answer is not what the contract allows: {cause}"
        )),
        _ => untrusted("the answer cannot be read"),
    }
}

/// The message for a status without one.
fn unexplained(answer: &Answer) -> String {
    let status = answer.status;
    match status.canonical_reason() {
        _ if status.is_redirection() => redirected(&answer.headers),
        Some(reason) => format!("the service answered {} {reason}", status.as_u16()),
        None => format!("the service answered {}", status.as_u16()),
    }
}

/// Names the place, for it tells a wrong endpoint or a login page; its query may hold secrets.
fn redirected(headers: &HeaderMap) -> String {
    let place = headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|place| place.split(['?', '#']).next())
        .map(|place| format!(" to {place}"))
        .unwrap_or_default();
    format!(
        "the service answered with a redirect{place}, which is not followed: check the endpoint"
    )
}

/// No status line came.
fn without_answer(error: Option<RawError>) -> Error {
    let error = match error {
        Some(raw::Error::CommunicationError(error)) => error.without_url(),
        Some(raw::Error::Custom(message) | raw::Error::InvalidRequest(message)) => {
            return Error::invalid_input(message);
        }
        _ => return untrusted("the answer was not captured"),
    };
    if error.is_connect() {
        let message = "no connection to the service";
        return Error::new(ErrorKind::Connect, Outcome::NotApplied, message).with_source(error);
    }
    if error.is_builder() {
        return Error::invalid_input("the request cannot be built").with_source(error);
    }
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Timeout,
            Outcome::Unknown,
            "the service did not answer in time",
        )
        .with_source(error);
    }
    let message = "the connection broke before an answer came";
    Error::new(ErrorKind::Connection, Outcome::Unknown, message).with_source(error)
}

/// The attempt's time ran out. A status that came is judged: a 401 stays one, whatever its body does.
pub(crate) fn late(answer: Option<Answer>, allowed: Duration, secret: Option<&str>) -> Error {
    let timeout = |stage: &str| {
        let message = format!("{stage} within {:.1} s", allowed.as_secs_f64());
        Error::new(ErrorKind::Timeout, Outcome::Unknown, message)
    };
    match answer {
        None => timeout("no answer came"),
        Some(answer) => {
            let is_ok = answer.status == StatusCode::OK;
            let error = is_ok.then(|| timeout("the answer was not complete"));
            described(error, &answer, secret)
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// `Retry-After` in either of its forms: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        // More seconds than can be counted are still no leave to come back at once.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().ok()?);
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("0"), Some(Duration::ZERO));
        assert_eq!(asked(" 120 "), Some(Duration::from_secs(120)));
        let endless = Some(Duration::from_secs(u64::MAX));
        assert_eq!(asked("99999999999999999999999"), endless);
        let past = "Fri, 31 Dec 1999 23:59:59 GMT";
        assert_eq!(asked(past), Some(Duration::ZERO));
        let hour = Duration::from_secs(3600);
        let wait = asked(&httpdate::fmt_http_date(SystemTime::now() + hour));
        assert!(
            wait.is_some_and(|wait| wait <= hour && wait > hour / 2),
            "{wait:?}"
        );
    }

    #[test]
    fn any_other_retry_after_is_none() {
        for value in ["", "-1", "+1", "1.5", "soon", "1e3"] {
            assert_eq!(asked(value), None, "{value}");
        }
    }
}
