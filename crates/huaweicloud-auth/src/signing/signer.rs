//! From credentials to headers.

use std::{borrow::Cow, fmt, time::SystemTime};

use http::{HeaderMap, HeaderValue, header};

use super::{
    ALGORITHM, Payload, RequestTarget, SigningRequest, UNSIGNED_PAYLOAD,
    canonical::{CanonicalRequest, canonical_request, is_secret, string_to_sign},
    date::{self, header_date},
    headers::{SignedHeaders, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256, X_SDK_DATE, X_SECURITY_TOKEN},
    signature::Signature,
};
use crate::{Credentials, credentials::Identity, text::REDACTED};

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

/// Does what [`authorize`] does, to a copy of the headers, and keeps what it did.
///
/// # Errors
///
/// Those of [`authorize`].
pub fn explain(
    credentials: &Credentials,
    target: RequestTarget<'_>,
    headers: &HeaderMap,
    payload: Payload<'_>,
    now: SystemTime,
) -> Result<Explanation, SigningError> {
    Signer::new(credentials, now).explain(target, headers, payload)
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
struct Stages {
    canonical_request: CanonicalRequest,
    string_to_sign: String,
    signature: Signature,
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
        let pair = match self.credentials.identity() {
            Identity::KeyPair(pair) => pair,
            Identity::Token(token) => {
                headers.insert(X_AUTH_TOKEN, sensitive(token));
                return Ok(None);
            }
        };
        require_host(target.host)?;
        let date = date_to_use(headers, self.now)?;
        if let Some(token) = &pair.security_token {
            headers.insert(X_SECURITY_TOKEN, sensitive(token));
        }
        if let Payload::Unsigned = payload {
            let unsigned = HeaderValue::from_static(UNSIGNED_PAYLOAD);
            headers.entry(X_SDK_CONTENT_SHA256).or_insert(unsigned);
        }
        headers.entry(X_SDK_DATE).or_insert_with(|| plain(&date));
        let listed = self.signed_headers.clone();
        let signed_headers = listed.unwrap_or_else(|| SignedHeaders::standard(headers));
        let request = SigningRequest {
            target,
            headers,
            payload,
        };
        let canonical_request = canonical_request(&request, &signed_headers);
        let string_to_sign = string_to_sign(&date, &canonical_request);
        let signature = pair.signing_key.sign(&string_to_sign);
        let authorization = sensitive(&authorization(
            &pair.access_key,
            &signed_headers,
            &signature,
        ));
        headers.insert(header::AUTHORIZATION, authorization);
        Ok(Some(Stages {
            canonical_request,
            string_to_sign,
            signature,
        }))
    }
}

/// How a request was signed, stage by stage, to compare with what a service says it computed.
///
/// No way of printing it shows the secret key, a security token or an authentication token.
///
/// ```
/// use std::time::SystemTime;
/// use http::{HeaderMap, Method};
/// use huaweicloud_auth::{Credentials, signing::{self, Payload, RequestTarget}};
///
/// let credentials = Credentials::new("AccessKey", "SecretKey")?.with_security_token("very-secret")?;
/// let target = RequestTarget { method: &Method::GET, host: "example.com", path: "/v1/vpcs", query: "limit=2" };
/// let explanation = signing::explain(&credentials, target, &HeaderMap::new(), Payload::Bytes(b""), SystemTime::now())?;
/// let canonical_request = explanation.canonical_request().unwrap().to_string();
/// assert!(canonical_request.starts_with("GET\n/v1/vpcs/\nlimit=2\nhost:example.com\n"));
/// assert!(!explanation.to_string().contains("very-secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Explanation {
    stages: Option<Stages>,
    headers: HeaderMap,
}

impl Explanation {
    /// The first stage; `None` when nothing was signed: token credentials, or an `Authorization` header of the caller's.
    pub fn canonical_request(&self) -> Option<&CanonicalRequest> {
        self.stages.as_ref().map(|stages| &stages.canonical_request)
    }

    /// The second stage; `None` when nothing was signed.
    pub fn string_to_sign(&self) -> Option<&str> {
        self.stages
            .as_ref()
            .map(|stages| stages.string_to_sign.as_str())
    }

    /// The third stage; `None` when nothing was signed.
    pub fn signature(&self) -> Option<&Signature> {
        self.stages.as_ref().map(|stages| &stages.signature)
    }

    /// The headers as they would be sent, `Host` aside. Tokens are shown as `<redacted>`; `Authorization` is shown when it
    /// was made here, since a signature gives no secret away.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.headers.iter().map(|(name, value)| {
            let made_here = self.stages.is_some() && name == header::AUTHORIZATION;
            let hidden = !made_here && (value.is_sensitive() || is_secret(name.as_str()));
            let shown = if hidden {
                REDACTED.into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (name.as_str(), shown)
        })
    }
}

/// The stages under their names, then the headers.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stages {
            Some(stages) => {
                writeln!(f, "Canonical request\n{}\n", stages.canonical_request)?;
                writeln!(f, "String to sign\n{}\n", stages.string_to_sign)?;
                writeln!(f, "Signature\n{}\n", stages.signature)?;
            }
            None => writeln!(
                f,
                "Nothing is signed: the request carries a token or its own Authorization.\n"
            )?,
        }
        writeln!(f, "Headers")?;
        self.headers()
            .try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("signature", &self.signature())
            .finish_non_exhaustive()
    }
}

/// Why a request could not be signed. Its headers are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SigningError {
    kind: SigningErrorKind,
    message: String,
}

/// What kept a request from being signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningErrorKind {
    /// The request has an `X-Sdk-Date` already, and it cannot be used.
    InvalidDate,
    /// The host is empty or holds a character that no `Host` header may carry.
    InvalidHost,
    /// The clock stands outside the years 0 to 9999, which `X-Sdk-Date` can say.
    ClockOutOfRange,
}

impl SigningError {
    fn new(kind: SigningErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> SigningErrorKind {
        self.kind
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
        Err(fault) => Err(SigningError::new(SigningErrorKind::InvalidDate, fault)),
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
