//! From credentials to headers.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};

use super::{
    ALGORITHM, CanonicalRequest, Explanation, Payload, RequestTarget, Signature, SignedHeaders,
    SigningError, SigningErrorKind, SigningRequest, UNSIGNED_PAYLOAD, X_AUTH_TOKEN,
    X_SDK_CONTENT_SHA256, X_SDK_DATE, X_SECURITY_TOKEN, canonical_request, date, header_date,
    string_to_sign,
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
/// A [`Signer`] can sign other headers.
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
    Signer::new(credentials, now).authorize(target, headers, payload)
}

/// What to sign with and which headers, apart from the request that it is applied to.
///
/// ```
/// use std::time::SystemTime;
/// use http::{HeaderMap, HeaderValue, Method, header};
/// use huaweicloud_auth::{Credentials, signing::{Payload, RequestTarget, SignedHeaders, Signer}};
///
/// let credentials = Credentials::new("AccessKey", "SecretKey")?;
/// let listed = SignedHeaders::parse("accept;host;x-sdk-date").ok_or("not a list")?;
/// let signer = Signer::new(&credentials, SystemTime::now()).with_signed_headers(listed);
///
/// let mut headers = HeaderMap::new();
/// headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
/// let target = RequestTarget { method: &Method::GET, host: "example.com", path: "/", query: "" };
/// signer.authorize(target, &mut headers, Payload::Bytes(b""))?;
/// assert!(headers["authorization"].to_str()?.contains("SignedHeaders=accept;host;x-sdk-date,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signer<'a> {
    credentials: &'a Credentials,
    now: SystemTime,
    signed_headers: Option<SignedHeaders<'a>>,
}

/// What signing went through.
pub(super) struct Stages {
    pub(super) canonical_request: CanonicalRequest,
    pub(super) string_to_sign: String,
    pub(super) signature: Signature,
}

impl<'a> Signer<'a> {
    /// Signs [`SignedHeaders::standard`] with the credentials. `now` is the date of a request that has none.
    pub fn new(credentials: &'a Credentials, now: SystemTime) -> Self {
        Self {
            credentials,
            now,
            signed_headers: None,
        }
    }

    /// Signs the listed headers instead, whatever they are: a verifier refuses a list without `x-sdk-date` or with a header
    /// that the request lacks.
    #[must_use]
    pub fn with_signed_headers(mut self, signed_headers: SignedHeaders<'a>) -> Self {
        self.signed_headers = Some(signed_headers);
        self
    }

    /// Does what [`authorize`] does.
    ///
    /// # Errors
    ///
    /// Those of [`authorize`].
    pub fn authorize(
        &self,
        target: RequestTarget<'_>,
        headers: &mut HeaderMap,
        payload: Payload<'_>,
    ) -> Result<(), SigningError> {
        self.sign(target, headers, payload).map(drop)
    }

    /// Does the same to a copy of the headers, and keeps every stage.
    ///
    /// # Errors
    ///
    /// Those of [`authorize`].
    pub fn explain(
        &self,
        target: RequestTarget<'_>,
        headers: &HeaderMap,
        payload: Payload<'_>,
    ) -> Result<Explanation, SigningError> {
        let mut headers = headers.clone();
        let stages = self.sign(target, &mut headers, payload)?;
        Ok(Explanation { stages, headers })
    }

    fn sign(
        &self,
        target: RequestTarget<'_>,
        headers: &mut HeaderMap,
        payload: Payload<'_>,
    ) -> Result<Option<Stages>, SigningError> {
        if headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        let (access_key, signing_key, security_token) = match self.credentials.identity() {
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
        let date = date_to_use(headers, self.now)?;
        if let Some(token) = security_token {
            headers.insert(X_SECURITY_TOKEN, sensitive(token));
        }
        if let Payload::Unsigned = payload {
            let unsigned = HeaderValue::from_static(UNSIGNED_PAYLOAD);
            headers.entry(X_SDK_CONTENT_SHA256).or_insert(unsigned);
        }
        headers.entry(X_SDK_DATE).or_insert_with(|| plain(&date));
        let standard;
        let signed_headers = match &self.signed_headers {
            Some(listed) => listed,
            None => {
                standard = SignedHeaders::standard(headers);
                &standard
            }
        };
        let request = SigningRequest {
            target,
            headers,
            payload,
        };
        let canonical_request = canonical_request(&request, signed_headers);
        let string_to_sign = string_to_sign(&date, &canonical_request);
        let signature = signing_key.sign(&string_to_sign);
        let authorization = sensitive(&authorization(access_key, signed_headers, &signature));
        headers.insert(header::AUTHORIZATION, authorization);
        Ok(Some(Stages {
            canonical_request,
            string_to_sign,
            signature,
        }))
    }
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
