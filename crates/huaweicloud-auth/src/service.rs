//! Asking a service, and telling what it refused.

use std::{error::Error as _, iter, time::Duration};

use http::{Request, Response, StatusCode, header};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{CredentialsError, HttpTransport, TransportError, text};

/// For IAM and STS.
pub(crate) const CLOUD_TIMEOUT: Duration = Duration::from_secs(30);

const MAX_MESSAGE: usize = 300;

/// A POST of JSON, as IAM and STS want it. `url` is an endpoint and a path, both checked before.
pub(crate) fn post_json(url: String, body: &Value) -> Result<Request<Vec<u8>>, CredentialsError> {
    Request::post(url)
        .header(header::CONTENT_TYPE, "application/json;charset=UTF-8")
        .body(body.to_string().into_bytes())
        .map_err(|error| {
            CredentialsError::invalid("the request cannot be built").with_source(error)
        })
}

/// Answers hold keys and tokens, so they are wiped.
pub(crate) type Answer = Response<Zeroizing<Vec<u8>>>;

/// Sends once.
pub(crate) async fn send(
    transport: &dyn HttpTransport,
    request: Request<Vec<u8>>,
    timeout: Duration,
) -> Result<Answer, TransportError> {
    let answer = transport.send(request, timeout).await?;
    Ok(answer.map(Zeroizing::new))
}

/// Sends, and makes an error of every status but 2xx. What the service says about it is quoted without the given secrets.
pub(crate) async fn ask(
    transport: &dyn HttpTransport,
    request: Request<Vec<u8>>,
    timeout: Duration,
    secrets: &[&str],
) -> Result<Answer, CredentialsError> {
    let address = request.uri().to_string();
    let answer = send(transport, request, timeout)
        .await
        .map_err(|error| unanswered(&address, &error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(refused(&address, &answer, secrets))
}

pub(crate) fn unanswered(address: &str, error: &TransportError) -> CredentialsError {
    let cause = iter::successors(error.source(), |&cause| cause.source())
        .last()
        .map(|root| format!(": {root}"))
        .unwrap_or_default();
    CredentialsError::unavailable(format!("{address} {error}{cause}")).with_source(error.clone())
}

/// Statuses that another try may change are not the caller's fault.
pub(crate) fn refused(address: &str, answer: &Answer, secrets: &[&str]) -> CredentialsError {
    let status = answer.status();
    let message = message(answer.body(), secrets)
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    let text = format!("{address} answered {status}{message}");
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    if may_pass {
        CredentialsError::unavailable(text)
    } else {
        CredentialsError::invalid(text)
    }
}

/// The code and message of an error body, in the shapes that IAM, STS and the gateway use.
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
    let message = match (
        field(["error_code", "code"]),
        field(["error_msg", "message"]),
    ) {
        (Some(code), Some(message)) => format!("{code} {message}"),
        (code, message) => code.or(message)?,
    };
    Some(text::sanitize(&message, secrets, MAX_MESSAGE).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_quoted_without_secrets_and_without_end() {
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
}
