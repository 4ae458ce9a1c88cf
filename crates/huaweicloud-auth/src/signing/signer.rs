//! Signs requests: inserts the headers that the credentials require.

use std::{borrow::Cow, fmt, time::SystemTime};

use http::{HeaderMap, HeaderValue, header};

use super::{
    ALGORITHM, Payload, RequestTarget, SigningRequest, UNSIGNED_PAYLOAD,
    canonical_request::{CanonicalRequest, canonical_request, is_secret, string_to_sign},
    date::{self, header_date},
    headers::{SignedHeaders, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256, X_SDK_DATE, X_SECURITY_TOKEN},
    signature::Signature,
};
use crate::{Credentials, credentials::Identity, text::REDACTED};

/// Authorizes a request with credentials. Call it last, just before sending.
///
/// * For a key pair, it inserts `X-Sdk-Date` unless present, `X-Security-Token` when there is a security token, and
///   `Authorization`. The signature covers [`SignedHeaders::standard`], so insert `Content-Type` and `X-Project-Id` before.
/// * For a token, it inserts `X-Auth-Token` and signs nothing.
///
/// It refuses a request that has an `Authorization` header: the old signature would be sent, which the service refuses after
/// 15 minutes. [`Signer::replacing_authorization`] signs such a request anew.
///
/// `now` is the time of the client, which may differ from that of the service by 15 minutes. Secret headers are marked
/// [sensitive](HeaderValue::is_sensitive). Sign each attempt anew. A [`Signer`] can sign other headers.
///
/// # Errors
///
/// The kinds of [`SigningErrorKind`]. The headers are then unchanged.
pub fn authorize(
    credentials: &Credentials,
    target: RequestTarget<'_>,
    headers: &mut HeaderMap,
    payload: Payload<'_>,
    now: SystemTime,
) -> Result<(), SigningError> {
    Signer::new(credentials, now).authorize(target, headers, payload)
}

/// Does the same as [`authorize`] with a copy of the headers, and returns every stage.
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

/// The credentials, the time and the list of headers to sign requests with.
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
    replaces_authorization: bool,
}

struct Stages {
    canonical_request: CanonicalRequest,
    string_to_sign: String,
    signature: Signature,
}

impl<'a> Signer<'a> {
    /// Creates a signer for [`SignedHeaders::standard`]. `now` is the date of requests without `X-Sdk-Date`.
    pub fn new(credentials: &'a Credentials, now: SystemTime) -> Self {
        Self {
            credentials,
            now,
            signed_headers: None,
            replaces_authorization: false,
        }
    }

    /// Sets the headers to sign. A verifier refuses a list without `x-sdk-date` or with a header that the request does not
    /// have.
    #[must_use]
    pub fn with_signed_headers(mut self, signed_headers: SignedHeaders<'a>) -> Self {
        self.signed_headers = Some(signed_headers);
        self
    }

    /// Removes the headers of an earlier signature, `Authorization`, `X-Sdk-Date`, `X-Security-Token` and `X-Auth-Token`,
    /// before it signs.
    #[must_use]
    pub fn replacing_authorization(mut self) -> Self {
        self.replaces_authorization = true;
        self
    }

    /// Does the same as [`authorize`].
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
        self.sign_anew(target, headers, payload).map(drop)
    }

    /// Does the same with a copy of the headers, and returns every stage.
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
        let stages = self.sign_anew(target, &mut headers, payload)?;
        Ok(Explanation { stages, headers })
    }

    fn sign_anew(
        &self,
        target: RequestTarget<'_>,
        headers: &mut HeaderMap,
        payload: Payload<'_>,
    ) -> Result<Option<Stages>, SigningError> {
        if !self.replaces_authorization {
            return self.sign(target, headers, payload);
        }
        let mut bare = headers.clone();
        for name in [
            header::AUTHORIZATION,
            X_SDK_DATE,
            X_SECURITY_TOKEN,
            X_AUTH_TOKEN,
        ] {
            bare.remove(name);
        }
        let stages = self.sign(target, &mut bare, payload)?;
        *headers = bare;
        Ok(stages)
    }

    fn sign(
        &self,
        target: RequestTarget<'_>,
        headers: &mut HeaderMap,
        payload: Payload<'_>,
    ) -> Result<Option<Stages>, SigningError> {
        if headers.contains_key(header::AUTHORIZATION) {
            return Err(SigningError::new(
                SigningErrorKind::AlreadyAuthorized,
                "the request has an Authorization header: use Signer::replacing_authorization, which also replaces its date and tokens",
            ));
        }
        let pair = match self.credentials.identity() {
            Identity::KeyPair(pair) => pair,
            Identity::Token(token) => {
                headers.insert(X_AUTH_TOKEN, sensitive(token));
                return Ok(None);
            }
        };
        require_valid(target, headers)?;
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

/// The stages of a signature, to compare with those that a service computed.
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) do not show the secret key or tokens.
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
    /// Returns the canonical request; `None` when nothing was signed, because the credentials are a token.
    pub fn canonical_request(&self) -> Option<&CanonicalRequest> {
        self.stages.as_ref().map(|stages| &stages.canonical_request)
    }

    /// Returns the string to sign; `None` when nothing was signed.
    pub fn string_to_sign(&self) -> Option<&str> {
        self.stages
            .as_ref()
            .map(|stages| stages.string_to_sign.as_str())
    }

    /// Returns the signature; `None` when nothing was signed.
    pub fn signature(&self) -> Option<&Signature> {
        self.stages.as_ref().map(|stages| &stages.signature)
    }

    /// Returns the headers to send, except `Host`. Tokens are shown as `<redacted>`. An `Authorization` header that signing
    /// inserted is shown, because a signature does not reveal the secret key.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.headers.iter().map(|(name, value)| {
            let is_inserted = self.stages.is_some() && name == header::AUTHORIZATION;
            let hidden = !is_inserted && (value.is_sensitive() || is_secret(name.as_str()));
            let shown = if hidden {
                REDACTED.into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (name.as_str(), shown)
        })
    }
}

/// Shows the stages with their names, then the headers.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stages {
            Some(stages) => {
                writeln!(f, "Canonical request\n{}\n", stages.canonical_request)?;
                writeln!(f, "String to sign\n{}\n", stages.string_to_sign)?;
                writeln!(f, "Signature\n{}\n", stages.signature)?;
            }
            None => writeln!(f, "Nothing is signed: the request has a token.\n")?,
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

/// Why a request could not be signed. Its headers are unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SigningError {
    kind: SigningErrorKind,
    message: String,
}

/// The kinds of [`SigningError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningErrorKind {
    /// The request has an invalid `X-Sdk-Date`, or several.
    InvalidDate,
    /// The host is empty, is a URL, contains another character that the `Host` header does not allow, or differs from the
    /// `Host` header of the request.
    InvalidHost,
    /// The path does not start with `/`, or it contains a query or a fragment.
    InvalidPath,
    /// The query starts with `?`, or it contains a fragment.
    InvalidQuery,
    /// The request has an `Authorization` header, and the signer does not replace it.
    AlreadyAuthorized,
    /// The time is outside the years 0 to 9999, which `X-Sdk-Date` can represent.
    ClockOutOfRange,
}

impl SigningError {
    fn new(kind: SigningErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Returns the kind, for code that must distinguish errors.
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

/// Refuses a target that cannot be sent as it is: the service would compute another signature. Messages do not quote a path
/// or query, which may contain anything.
fn require_valid(target: RequestTarget<'_>, headers: &HeaderMap) -> Result<(), SigningError> {
    let RequestTarget {
        host, path, query, ..
    } = target;
    let is_in_host =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'@');
    if host.is_empty() || !host.bytes().all(is_in_host) {
        return Err(SigningError::new(
            SigningErrorKind::InvalidHost,
            format!(
                "the host {host:?} is invalid: it must be a host and perhaps a port, as in the Host header, without scheme or path"
            ),
        ));
    }
    let mut sent = headers.get_all(header::HOST).iter();
    if sent.any(|sent| sent.as_bytes().trim_ascii() != host.as_bytes()) {
        return Err(SigningError::new(
            SigningErrorKind::InvalidHost,
            format!(
                "the Host header is not the host to sign, {host:?}: remove it or make them equal"
            ),
        ));
    }
    let is_absolute = path.is_empty() || path.starts_with('/');
    if !is_absolute || path.bytes().any(|byte| matches!(byte, b'?' | b'#')) {
        return Err(SigningError::new(
            SigningErrorKind::InvalidPath,
            "the path is invalid: it must be empty or start with /, without a query or fragment",
        ));
    }
    if query.starts_with('?') || query.contains('#') {
        return Err(SigningError::new(
            SigningErrorKind::InvalidQuery,
            "the query is invalid: write it without the ? before it and without a fragment",
        ));
    }
    Ok(())
}

fn date_to_use(headers: &HeaderMap, now: SystemTime) -> Result<String, SigningError> {
    match header_date(headers) {
        Ok(Some((date, _))) => Ok(date.to_owned()),
        Ok(None) => date::format(now).ok_or_else(|| {
            SigningError::new(
                SigningErrorKind::ClockOutOfRange,
                "the clock is outside the years 0 to 9999, which X-Sdk-Date can represent: set the clock",
            )
        }),
        Err(fault) => Err(SigningError::new(SigningErrorKind::InvalidDate, fault)),
    }
}

#[expect(
    clippy::expect_used,
    reason = "credentials, header names and hexadecimal digits are visible ASCII"
)]
fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible ASCII is a valid header value")
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = plain(text);
    value.set_sensitive(true);
    value
}
