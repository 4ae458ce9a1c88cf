//! Turns the captured response and the result of the generated client into a value or an error.

use std::error::Error as StdError;
use std::iter;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dms_kafka_client::{self as raw, CapturedResponse, Completeness};
use http::header::{CONTENT_ENCODING, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode};
use huaweicloud_auth::signing::X_REQUEST_ID;
use huaweicloud_auth::text;

use crate::error::{Error, ResponseDetails, SHOWN_ID};
use crate::error_kind::ErrorKind;
use crate::outcome::Outcome;
use crate::service_error::ServiceError;

/// The maximum number of characters of the body in an error.
const SHOWN_BODY: usize = 4096;

/// With the value `not-applied`, a refusal says that nothing was deleted.
const OUTCOME: HeaderName = HeaderName::from_static("x-dms-kafka-outcome");

pub(crate) type RawResult<T> = Result<raw::ResponseValue<T>, RawError>;
type RawError = raw::Error<raw::types::ErrorResponse>;

/// Evaluates a captured response and the result of the call. The secret may be repeated in the response, and is never shown.
pub(crate) type Evaluate<R, T> =
    fn(Option<CapturedResponse>, R, Option<&str>) -> Result<ValidResponse<T>, Error>;

/// A complete and valid response.
pub(crate) struct ValidResponse<T> {
    pub(crate) value: T,
    pub(crate) status: u16,
    pub(crate) request_id: Option<String>,
}

/// Evaluates the response to an operation of the contract: a 200 of its type.
pub(crate) fn evaluate<T>(
    response: Option<CapturedResponse>,
    result: RawResult<T>,
    secret: Option<&str>,
) -> Result<ValidResponse<T>, Error> {
    let Some(response) = response else {
        return Err(no_response(result.err()));
    };
    if response.status != StatusCode::OK || response.redirected_to.is_some() {
        return Err(with_details(None, &response, secret));
    }
    let decoded = decode(&response, result).and_then(|value| {
        let error = ServiceError::within_success(&response.body);
        error.map_or(Ok(value), |error| Err(error_in_success(error)))
    });
    match decoded {
        Ok(value) => Ok(valid(value, &response, secret)),
        Err(error) => Err(with_details(Some(error), &response, secret)),
    }
}

/// Evaluates the response to another operation: any success.
pub(crate) fn evaluate_other(
    response: Option<CapturedResponse>,
    result: Result<(), RawError>,
    secret: Option<&str>,
) -> Result<ValidResponse<http::Response<Bytes>>, Error> {
    let Some(response) = response else {
        return Err(no_response(result.err()));
    };
    if !response.status.is_success() || response.redirected_to.is_some() {
        return Err(with_details(None, &response, secret));
    }
    if response.completeness != Completeness::Complete {
        let error = incomplete(&response, result.err());
        return Err(with_details(Some(error), &response, secret));
    }
    let mut value = http::Response::new(response.body.clone());
    *value.status_mut() = response.status;
    *value.headers_mut() = response.headers.clone();
    Ok(valid(value, &response, secret))
}

fn valid<T>(value: T, response: &CapturedResponse, secret: Option<&str>) -> ValidResponse<T> {
    let sanitized = |id: String| text::sanitize(&id, secret.as_slice(), SHOWN_ID).into_owned();
    ValidResponse {
        value,
        status: response.status.as_u16(),
        request_id: request_id(&response.headers).map(sanitized),
    }
}

/// Adds the details of the response to the error, or to a new error for the status.
fn with_details(error: Option<Error>, response: &CapturedResponse, secret: Option<&str>) -> Error {
    let body = if response.status == StatusCode::OK {
        ServiceError::within_success(&response.body).unwrap_or_default()
    } else {
        ServiceError::parse(&response.body)
    };
    let from_status = || {
        let message = body.message.unwrap_or_else(|| default_message(response));
        let not_applied = says_not_applied(response);
        Error::from_status(response.status, body.code.as_deref(), not_applied, message)
    };
    let details = ResponseDetails {
        status: Some(response.status),
        code: body.code.clone(),
        request_id: request_id(&response.headers).or(body.request_id),
        retry_after: retry_after(&response.headers),
        body: (!response.body.is_empty()).then(|| {
            let text = String::from_utf8_lossy(&response.body);
            text::sanitize(&text, secret.as_slice(), SHOWN_BODY).into_owned()
        }),
        encoded_authorization_message: body.encoded_authorization_message,
    };
    // The status of another server says nothing of this one.
    let followed = response.redirected_to.as_ref().map(followed);
    followed
        .or(error)
        .unwrap_or_else(from_status)
        .with_response(details, secret)
}

/// Whether a refusal says that nothing was deleted. A success cannot say so.
fn says_not_applied(response: &CapturedResponse) -> bool {
    let mut said = response.headers.get_all(OUTCOME).iter();
    let is_refusal = response.status.is_client_error() || response.status.is_server_error();
    is_refusal && said.next().is_some_and(|value| value == "not-applied") && said.next().is_none()
}

/// Names the URL without its query, which may contain secrets.
fn followed(url: &reqwest::Url) -> Error {
    invalid(&format!(
        "the HTTP client followed a redirect to {}://{}{}, which may have received the request: configure it not to follow redirects",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    ))
}

fn error_in_success(error: ServiceError) -> Error {
    let message = error.message.map(|message| format!(": {message}"));
    invalid(&format!(
        "the service returned 200 with an error{}",
        message.unwrap_or_default()
    ))
}

fn decode<T>(response: &CapturedResponse, result: RawResult<T>) -> Result<T, Error> {
    if response.completeness != Completeness::Complete {
        return Err(incomplete(response, result.err()));
    }
    // The decoder does not check the encoding of fields that it skips. `is_ascii` is fast and nearly always true.
    let is_text = response.body.is_ascii() || std::str::from_utf8(&response.body).is_ok();
    match result {
        Ok(value) if is_text => Ok(value.into_inner()),
        result => Err(match (content_coding(response), result) {
            (Some(coding), _) => invalid(&in_coding(&coding)),
            (None, Err(error)) if is_text => undecodable(&response.body, &error),
            (None, _) => invalid("the response body is not UTF-8"),
        }),
    }
}

/// The content codings of a body, which the client neither accepts nor decodes.
fn content_coding(response: &CapturedResponse) -> Option<String> {
    let headers = [CONTENT_ENCODING, TRANSFER_ENCODING].map(|name| response.headers.get_all(name));
    let values = headers
        .iter()
        .flatten()
        .filter_map(|value| value.to_str().ok());
    let codings: Vec<&str> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|coding| {
            !["", "identity", "chunked"]
                .iter()
                .any(|plain| coding.eq_ignore_ascii_case(plain))
        })
        .collect();
    (!codings.is_empty() && !response.body.is_empty()).then(|| codings.join(", "))
}

fn incomplete(response: &CapturedResponse, error: Option<RawError>) -> Error {
    if response.completeness == Completeness::OverLimit {
        return invalid("the response body is longer than the limit");
    }
    let truncated = invalid("the connection closed before the end of the response body");
    match error {
        Some(raw::Error::CommunicationError(cause)) => truncated.with_source(cause.without_url()),
        _ => truncated,
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidAnswer, Outcome::Unknown, message)
}

/// The cause becomes part of the message, which is sanitized later: it quotes the response, which may repeat a secret.
fn undecodable(body: &[u8], error: &RawError) -> Error {
    match error {
        _ if body.is_empty() => invalid("the response has status 200 and no body"),
        raw::Error::InvalidResponsePayload(_, cause) => {
            invalid(&format!("the response body is not valid: {cause}"))
        }
        _ => invalid("the response cannot be read"),
    }
}

/// The message for a response that has none.
fn default_message(response: &CapturedResponse) -> String {
    let status = response.status;
    if status.is_redirection() {
        return redirected(&response.headers);
    }
    let reason = status.canonical_reason().map(|reason| format!(" {reason}"));
    let coding = content_coding(response).map(|coding| format!("; {}", in_coding(&coding)));
    format!(
        "the service returned {}{}{}",
        status.as_u16(),
        reason.unwrap_or_default(),
        coding.unwrap_or_default()
    )
}

fn in_coding(coding: &str) -> String {
    format!("the response body has the content coding {coding}, which this client does not accept")
}

/// Names the location, which may show a wrong endpoint or a login page, without its query, which may contain secrets.
fn redirected(headers: &HeaderMap) -> String {
    let location = headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|location| location.split(['?', '#']).next())
        .map(|location| format!(" to {location}"))
        .unwrap_or_default();
    format!("the service returned a redirect{location}, which is not followed: check the endpoint")
}

fn no_response(error: Option<RawError>) -> Error {
    let error = match error {
        Some(raw::Error::CommunicationError(error)) => error.without_url(),
        Some(raw::Error::Custom(message) | raw::Error::InvalidRequest(message)) => {
            return Error::invalid_input(message);
        }
        _ => return invalid("the response was not captured"),
    };
    if error.is_connect() {
        let message = "cannot connect to the service";
        return Error::new(ErrorKind::Connect, Outcome::NotApplied, message).with_source(error);
    }
    if error.is_builder() {
        return Error::invalid_input("the request cannot be built").with_source(error);
    }
    if let Some(rule) = broken_rule(&error) {
        return invalid(rule).with_source(error);
    }
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Timeout,
            Outcome::Unknown,
            "the service did not respond in time",
        )
        .with_source(error);
    }
    let message = "the connection broke before a response was received";
    Error::new(ErrorKind::Connection, Outcome::Unknown, message).with_source(error)
}

/// The rule that a response broke, for a response that cannot be read, and for redirects without end.
fn broken_rule(error: &reqwest::Error) -> Option<&'static str> {
    if error.is_redirect() {
        return Some(
            "the HTTP client followed redirects, whose targets may have received the request: configure it not to follow redirects",
        );
    }
    let mut causes = iter::successors(error.source(), |&cause| cause.source());
    causes.find_map(|cause| {
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Some(
                "the response cannot be read: it must be valid HTTP with at most 100 header lines and 400 KiB of headers",
            );
        }
        let http2 = cause.downcast_ref::<h2::Error>();
        http2.is_some_and(h2::Error::is_library).then_some(
            "the response cannot be read: it must be valid HTTP/2 with at most 16 KiB of headers",
        )
    })
}

/// The error of an attempt that timed out. A status that was received counts: a 401 remains a 401.
pub(crate) fn timed_out(
    response: Option<CapturedResponse>,
    timeout: Duration,
    secret: Option<&str>,
) -> Error {
    let timed_out = |what: &str| {
        let message = format!("{what} within {:.1} s", timeout.as_secs_f64());
        Error::new(ErrorKind::Timeout, Outcome::Unknown, message)
    };
    match response {
        None => timed_out("no response was received"),
        Some(response) => {
            let is_ok = response.status == StatusCode::OK;
            let error = is_ok.then(|| timed_out("the response was not complete"));
            with_details(error, &response, secret)
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// Reads `Retry-After`, which is a number of seconds or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        // A number that is too large does not permit an immediate retry.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().ok()?);
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(parsed("0"), Some(Duration::ZERO));
        assert_eq!(parsed(" 120 "), Some(Duration::from_secs(120)));
        let endless = Some(Duration::from_secs(u64::MAX));
        assert_eq!(parsed("99999999999999999999999"), endless);
        let past = "Fri, 31 Dec 1999 23:59:59 GMT";
        assert_eq!(parsed(past), Some(Duration::ZERO));
        let hour = Duration::from_secs(3600);
        let wait = parsed(&httpdate::fmt_http_date(SystemTime::now() + hour));
        assert!(
            wait.is_some_and(|wait| wait <= hour && wait > hour / 2),
            "{wait:?}"
        );
    }

    #[test]
    fn an_invalid_retry_after_is_ignored() {
        for value in ["", "-1", "+1", "1.5", "soon", "1e3"] {
            assert_eq!(parsed(value), None, "{value}");
        }
    }
}
