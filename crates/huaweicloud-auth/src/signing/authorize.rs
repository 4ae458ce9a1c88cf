//! From credentials to headers.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};

use super::{
    ALGORITHM, CanonicalRequest, Payload, RequestTarget, Signature, SignedHeaders, SigningError,
    SigningErrorKind, SigningRequest, UNSIGNED_PAYLOAD, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256,
    X_SDK_DATE, X_SECURITY_TOKEN, canonical_request, date, header_date, string_to_sign,
};
use crate::{Credentials, credentials::Identity};

/// Makes a request pass as sent by the owner of the credentials: the last thing to do before sending it.
///
/// * A key pair inserts `X-Sdk-Date` (an existing one is kept), `X-Security-Token` when it has one, and `Authorization`.
///   The signature covers [`SignedHeaders::standard`], so `Content-Type` and `X-Project-Id` must be there already.
/// * A token inserts `X-Auth-Token` and signs nothing.
/// * A request that has an `Authorization` header is left alone.
///
/// `now` is the client's clock; the service allows it to be 15 minutes off. Secret headers are marked
/// [sensitive](HeaderValue::is_sensitive). Sign every attempt anew, from headers without `Authorization` and `X-Sdk-Date`.
///
/// # Errors
///
/// The kinds of [`SigningErrorKind`]; the headers then are as they were.
pub fn authorize(
    credentials: &Credentials,
    target: RequestTarget<'_>,
    headers: &mut HeaderMap,
    payload: Payload<'_>,
    now: SystemTime,
) -> Result<(), SigningError> {
    authorize_in_stages(credentials, target, headers, payload, now).map(drop)
}

/// What signing went through.
pub(super) struct Stages {
    pub(super) canonical_request: CanonicalRequest,
    pub(super) string_to_sign: String,
    pub(super) signature: Signature,
}

pub(super) fn authorize_in_stages(
    credentials: &Credentials,
    target: RequestTarget<'_>,
    headers: &mut HeaderMap,
    payload: Payload<'_>,
    now: SystemTime,
) -> Result<Option<Stages>, SigningError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let (access_key, signing_key, security_token) = match credentials.identity() {
        Identity::Token(token) => {
            headers.insert(X_AUTH_TOKEN, sensitive(token));
            return Ok(None);
        }
        Identity::KeyPair {
            access_key,
            signing_key,
            security_token,
            ..
        } => (access_key, signing_key, security_token),
    };
    require_host(target.host)?;
    let date = date_to_use(headers, now)?;
    if let Some(token) = security_token {
        headers.insert(X_SECURITY_TOKEN, sensitive(token));
    }
    if let Payload::Unsigned = payload {
        let unsigned = HeaderValue::from_static(UNSIGNED_PAYLOAD);
        headers.entry(X_SDK_CONTENT_SHA256).or_insert(unsigned);
    }
    headers.entry(X_SDK_DATE).or_insert_with(|| plain(&date));
    let signed_headers = SignedHeaders::standard(headers);
    let canonical_request = canonical_request(
        &SigningRequest {
            target,
            headers,
            payload,
        },
        &signed_headers,
    );
    let string_to_sign = string_to_sign(&date, &canonical_request);
    let signature = signing_key.sign(&string_to_sign);
    let authorization = sensitive(&authorization(access_key, &signed_headers, &signature));
    headers.insert(header::AUTHORIZATION, authorization);
    Ok(Some(Stages {
        canonical_request,
        string_to_sign,
        signature,
    }))
}

fn authorization(
    access_key: &str,
    signed_headers: &SignedHeaders<'_>,
    signature: &Signature,
) -> String {
    [
        ALGORITHM,
        " Access=",
        access_key,
        ", SignedHeaders=",
        signed_headers.as_str(),
        ", Signature=",
        signature.as_str(),
    ]
    .concat()
}

fn require_host(host: &str) -> Result<(), SigningError> {
    if !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(SigningError::new(
        SigningErrorKind::InvalidHost,
        format!(
            "the host {host:?} cannot be signed: it must be visible ASCII, as in the Host header"
        ),
    ))
}

fn date_to_use(headers: &HeaderMap, now: SystemTime) -> Result<String, SigningError> {
    match header_date(headers) {
        Ok(Some((date, _))) => Ok(date.to_owned()),
        Ok(None) => date::format(now).ok_or_else(|| {
            SigningError::new(
                SigningErrorKind::ClockOutOfRange,
                "the clock stands outside the years 0 to 9999, which X-Sdk-Date can say: set it right",
            )
        }),
        Err(fault) => Err(SigningError::new(SigningErrorKind::InvalidDate, fault.to_string())),
    }
}

#[expect(
    clippy::expect_used,
    reason = "credentials hold visible ASCII only, and so do header names and hexadecimal digits"
)]
fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible ASCII fits a header")
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = plain(text);
    value.set_sensitive(true);
    value
}
