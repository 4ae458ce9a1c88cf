//! The answer by which services hand out temporary keys.

use std::time::SystemTime;

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{Credentials, CredentialsError};

/// Reads `{"credential":{"access","secret","securitytoken","expires_at"}}` in the spellings that the official SDKs accept.
///
/// Nothing of the answer gets into an error: it is all secret.
pub(super) fn parse(answer: &[u8]) -> Result<Credentials, CredentialsError> {
    let answer: Value = serde_json::from_slice(answer)
        .map_err(|error| CredentialsError::invalid("the answer is not JSON").with_source(error))?;
    let mut key = unwrap(answer)
        .ok_or_else(|| CredentialsError::invalid("the answer is not a JSON object"))?;
    let access_key = require(&mut key, ["access", "accessKeyId", "access_key_id"])?;
    let secret_key = require(&mut key, ["secret", "secretAccessKey", "secret_access_key"])?;
    let token = require(
        &mut key,
        ["securitytoken", "securityToken", "security_token"],
    )?;
    let expires_at = require(&mut key, ["expires_at", "expiration"])?;
    let expires_at = parse_time(&expires_at)
        .ok_or_else(|| CredentialsError::invalid("the answer's expires_at is not a time"))?;
    Ok(Credentials::new(access_key.as_str(), secret_key.as_str())?
        .with_security_token(token.as_str())?
        .with_expires_at(expires_at))
}

fn unwrap(answer: Value) -> Option<Map<String, Value>> {
    let Value::Object(mut answer) = answer else {
        return None;
    };
    match answer
        .remove("credential")
        .or_else(|| answer.remove("credentials"))
    {
        None => Some(answer),
        Some(Value::Object(key)) => Some(key),
        Some(_) => None,
    }
}

fn require<const N: usize>(
    key: &mut Map<String, Value>,
    names: [&str; N],
) -> Result<Zeroizing<String>, CredentialsError> {
    let value = names.iter().find_map(|name| match key.remove(*name) {
        Some(Value::String(text)) if !text.is_empty() => Some(Zeroizing::new(text)),
        _ => None,
    });
    value.ok_or_else(|| CredentialsError::invalid(format!("the answer has no {}", names[0])))
}

/// RFC 3339; without an offset it is UTC.
fn parse_time(text: &str) -> Option<SystemTime> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.into());
    }
    let date_time: civil::DateTime = text.parse().ok()?;
    Some(date_time.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_spelling_of_the_official_sdks() {
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
            for answer in [
                key.clone(),
                format!(r#"{{"credential":{key}}}"#),
                format!(r#"{{"credentials":{key}}}"#),
            ] {
                let credentials = parse(answer.as_bytes()).unwrap();
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
    fn an_unusable_answer_is_described_without_quoting_it() {
        for (answer, reason) in [
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
            let error = parse(answer.as_bytes()).unwrap_err();
            assert!(error.is_invalid());
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(reason), "{answer}: {shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
