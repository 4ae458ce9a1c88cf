//! Requests for keys and tokens, and the parser of the responses.

use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode, Uri, header};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    context::ProviderContext,
    transport::{TransportError, TransportErrorKind},
};
use crate::{Credentials, ProviderError, text};

/// For IAM and STS.
pub(super) const CLOUD_TIMEOUT: Duration = Duration::from_secs(30);

const MAX_MESSAGE: usize = 300;

/// Builds a POST request with a JSON body for IAM or STS.
pub(super) fn post_json(url: String, body: &Value) -> Result<Request<Vec<u8>>, ProviderError> {
    Request::post(url)
        .header(header::CONTENT_TYPE, "application/json;charset=UTF-8")
        .body(body.to_string().into_bytes())
        .map_err(|error| ProviderError::invalid("the request cannot be built").with_source(error))
}

/// Bodies contain keys and tokens, so they are wiped.
pub(super) type HttpResponse = Response<Zeroizing<Vec<u8>>>;

pub(super) async fn send(
    context: &ProviderContext,
    request: Request<Vec<u8>>,
    timeout: Duration,
) -> Result<HttpResponse, TransportError> {
    let response = context.transport.send(request, timeout).await?;
    Ok(response.map(Zeroizing::new))
}

/// Sends a request; any status but 2xx is an error. The error quotes the message of the service without the given secrets.
pub(super) async fn fetch(
    context: &ProviderContext,
    request: Request<Vec<u8>>,
    timeout: Duration,
    secrets: &[&str],
) -> Result<HttpResponse, ProviderError> {
    let address = address(request.uri());
    let response = send(context, request, timeout)
        .await
        .map_err(|error| no_response(&address, error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(error_response(&address, &response, secrets))
}

/// Fetches a temporary key. `fix` says what to do when the service refuses the request.
pub(super) async fn fetch_key(
    context: &ProviderContext,
    request: Request<Vec<u8>>,
    timeout: Duration,
    secret: &str,
    fix: &str,
) -> Result<Credentials, ProviderError> {
    let address = address(request.uri());
    let response = fetch(context, request, timeout, &[secret])
        .await
        .map_err(|error| error.with_fix(fix))?;
    parse_key(response.body()).map_err(|error| error.at(address))
}

/// The URL without its query, which may contain a secret.
fn address(uri: &Uri) -> String {
    let mut url = uri.to_string();
    url.truncate(url.find('?').unwrap_or(url.len()));
    url
}

pub(super) fn no_response(address: &str, error: TransportError) -> ProviderError {
    let message = format!("{address} {error}");
    let no_response = match error.kind() {
        TransportErrorKind::Misconfigured => ProviderError::invalid(message),
        _ => ProviderError::unavailable(message),
    };
    no_response.caused_by(error.into_source())
}

/// After some statuses, a retry may succeed.
pub(super) fn error_response(
    address: &str,
    response: &HttpResponse,
    secrets: &[&str],
) -> ProviderError {
    let status = response.status();
    let message = message(response.body(), secrets)
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    let text = format!("{address} returned {status}{message}");
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            ProviderError::unavailable(text)
        }
        _ if status.is_server_error() => ProviderError::unavailable(text),
        _ => ProviderError::invalid(text),
    }
}

/// Returns code and message of an error body of IAM, STS or an API gateway.
fn message(body: &[u8], secrets: &[&str]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body
        .get("error")
        .filter(|error| error.is_object())
        .unwrap_or(&body);
    let field = |names: [&str; 2]| {
        names.iter().find_map(|name| match error.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    };
    let code = field(["error_code", "code"]);
    let message = match (code, field(["error_msg", "message"])) {
        (Some(code), Some(message)) => format!("{code} {message}"),
        (code, message) => code.or(message)?,
    };
    Some(text::sanitize(&message, secrets, MAX_MESSAGE).into_owned())
}

/// Parses `{"credential":{"access","secret","securitytoken","expires_at"}}` in the spellings that the official SDKs accept.
///
/// Errors do not quote the response, which is secret.
pub(super) fn parse_key(response: &[u8]) -> Result<Credentials, ProviderError> {
    let response: Value = serde_json::from_slice(response)
        .map_err(|error| ProviderError::invalid("the response is not JSON").with_source(error))?;
    let mut key = unwrap(response)
        .ok_or_else(|| ProviderError::invalid("the response is not a JSON object"))?;
    let access_key = require(&mut key, ["access", "accessKeyId", "access_key_id"])?;
    let secret_key = require(&mut key, ["secret", "secretAccessKey", "secret_access_key"])?;
    let token = require(
        &mut key,
        ["securitytoken", "securityToken", "security_token"],
    )?;
    let expires_at = require(&mut key, ["expires_at", "expiration"])?;
    let expires_at = parse_time(&expires_at)
        .ok_or_else(|| ProviderError::invalid("the expires_at of the response is not a time"))?;
    Ok(Credentials::new(access_key.as_str(), secret_key.as_str())?
        .with_security_token(token.as_str())?
        .with_expires_at(expires_at))
}

fn unwrap(response: Value) -> Option<Map<String, Value>> {
    let Value::Object(mut response) = response else {
        return None;
    };
    let key = response.remove("credential");
    match key.or_else(|| response.remove("credentials")) {
        None => Some(response),
        Some(Value::Object(key)) => Some(key),
        Some(_) => None,
    }
}

fn require<const N: usize>(
    key: &mut Map<String, Value>,
    names: [&str; N],
) -> Result<Zeroizing<String>, ProviderError> {
    let value = names.iter().find_map(|name| match key.remove(*name) {
        Some(Value::String(text)) if !text.is_empty() => Some(Zeroizing::new(text)),
        _ => None,
    });
    value.ok_or_else(|| ProviderError::invalid(format!("the response has no {}", names[0])))
}

/// Parses RFC 3339. The default time zone is UTC.
fn parse_time(text: &str) -> Option<SystemTime> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.into());
    }
    let date_time: civil::DateTime = text.parse().ok()?;
    Some(date_time.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_quoted_without_secrets_and_cut_off() {
        for (body, expected) in [
            (
                r#"{"error_code":"IAM.0001","error_msg":"no"}"#.to_owned(),
                Some("IAM.0001 no"),
            ),
            (
                r#"{"error":{"code":401,"message":"bad canary\n!"}}"#.to_owned(),
                Some(r"401 bad <redacted>\n!"),
            ),
            (r#"{"code":"x","message":{}}"#.to_owned(), Some("x")),
            (
                r#"{"message":"Access=A, Signature=0aF9|Signature="}"#.to_owned(),
                Some("Access=A, Signature=<redacted>|Signature="),
            ),
            (r#"{"message":"only"}"#.to_owned(), Some("only")),
            ("<html>".to_owned(), None),
            ("[1]".to_owned(), None),
            ("{}".to_owned(), None),
        ] {
            assert_eq!(
                message(body.as_bytes(), &["", "canary"]).as_deref(),
                expected,
                "{body}"
            );
        }
        let long = format!(r#"{{"code":"{}"}}"#, "é".repeat(1000));
        assert_eq!(
            message(long.as_bytes(), &[]).unwrap(),
            "é".repeat(MAX_MESSAGE) + "…"
        );
    }

    #[test]
    fn keys_are_parsed_in_every_spelling() {
        let names = [
            ["access", "secret", "securitytoken", "expires_at"],
            [
                "accessKeyId",
                "secretAccessKey",
                "securityToken",
                "expiration",
            ],
            [
                "access_key_id",
                "secret_access_key",
                "security_token",
                "expires_at",
            ],
        ];
        for [access, secret, token, expiry] in names {
            let key = format!(
                r#"{{"{access}":"A","{secret}":"S","{token}":"T","{expiry}":"2026-01-02T03:04:05.000000Z","x":1}}"#
            );
            for response in [
                key.clone(),
                format!(r#"{{"credential":{key}}}"#),
                format!(r#"{{"credentials":{key}}}"#),
            ] {
                let credentials = parse_key(response.as_bytes()).unwrap();
                assert_eq!(credentials.access_key(), Some("A"));
                assert_eq!(credentials.secret_key(), Some("S"));
                assert_eq!(credentials.security_token(), Some("T"));
                let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
                assert_eq!(credentials.expires_at(), Some(expiry));
            }
        }
    }

    #[test]
    fn times_without_an_offset_are_utc() {
        let expected = parse_time("2026-01-02T03:04:05Z");
        assert!(expected.is_some());
        for text in [
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05",
            "2026-01-02T11:04:05+08:00",
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
        assert_eq!(parse_time("soon"), None);
    }

    #[test]
    fn errors_do_not_quote_the_response() {
        for (response, reason) in [
            ("", "not JSON"),
            ("<html>canary</html>", "not JSON"),
            (r#"["canary"]"#, "not a JSON object"),
            (r#"{"credential":null}"#, "not a JSON object"),
            (r#"{"credential":["canary"]}"#, "not a JSON object"),
            (r#"{"credential":{}}"#, "no access"),
            (r#"{"access":1}"#, "no access"),
            (r#"{"access":""}"#, "no access"),
            (r#"{"access":"A","secret":null}"#, "no secret"),
            (r#"{"access":"A","secret":"canary"}"#, "no securitytoken"),
            (
                r#"{"access":"A","secret":"canary","securitytoken":"canary"}"#,
                "no expires_at",
            ),
            (
                r#"{"access":"A","secret":"S","securitytoken":"T","expires_at":"canary"}"#,
                "not a time",
            ),
            (
                r#"{"access":"A","secret":"canary\n","securitytoken":"T","expires_at":"2026-01-02T03:04:05Z"}"#,
                "secret key",
            ),
        ] {
            let error = parse_key(response.as_bytes()).unwrap_err();
            assert!(error.is_invalid());
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(reason), "{response}: {shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
