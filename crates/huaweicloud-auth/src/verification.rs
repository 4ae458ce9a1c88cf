//! Verifies `SDK-HMAC-SHA256` signatures on a server.
//!
//! [`Authorization::from_headers`] returns the access key of a request, the caller finds its secret key, and
//! [`Verifier::verify`] checks that the request was signed with it.
//!
//! ```
//! use std::time::SystemTime;
//! use http::{HeaderMap, Method};
//! use huaweicloud_auth::{Credentials, signing::{self, Payload, RequestTarget, SigningRequest}, verification::{Authorization, Verifier}};
//!
//! # let now = SystemTime::now();
//! # let credentials = Credentials::new("AccessKey", "SecretKey")?;
//! # let mut headers = HeaderMap::new();
//! let target = RequestTarget { method: &Method::GET, host: "example.com", path: "/v1/vpcs", query: "limit=2" };
//! # signing::authorize(&credentials, target, &mut headers, Payload::Bytes(b""), now)?;
//! let request = SigningRequest { target, headers: &headers, payload: Payload::Bytes(b"") };
//! let authorization = Authorization::from_headers(&headers)?;
//! assert_eq!(authorization.access_key(), "AccessKey");
//! Verifier::default().verify(&authorization, &request, "SecretKey", now)?;
//! assert!(Verifier::default().verify(&authorization, &request, "another key", now).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the caller must check
//!
//! * **Replay.** A valid request can be sent again, unchanged, until its date is 15 minutes old. The algorithm has no
//!   nonce: if repeated requests do harm, refuse signatures that were used before.
//! * **Headers that are not listed** are not covered. Trust only headers for which
//!   [`SignedHeaders::contains`](crate::signing::SignedHeaders::contains) returns `true`.
//! * **The security token.** Check that `X-Security-Token` belongs to the access key.
//! * **Unknown access keys.** To hide which keys exist, verify with a random secret key before refusing.
//! * **`%2F`** in a path is signed as `/`: see [`signing`](crate::signing).

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};

use crate::signing::{
    ALGORITHM, CanonicalRequest, SignedHeaders, SigningRequest, UNSIGNED_PAYLOAD,
    X_SDK_CONTENT_SHA256, X_SDK_DATE, canonical_request_with, header_date, signature,
    string_to_sign,
};

use VerificationErrorKind as Kind;

const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Verifies signatures. By default a date may differ by 15 minutes, as in the cloud, and the signature must cover body and host.
///
/// See the [module](crate::verification) for an example.
#[derive(Clone, Debug)]
pub struct Verifier {
    max_skew: Duration,
    accepts_unsigned_payload: bool,
    accepts_unsigned_host: bool,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            max_skew: Duration::from_secs(15 * 60),
            accepts_unsigned_payload: false,
            accepts_unsigned_host: false,
        }
    }
}

impl Verifier {
    /// Sets how far `X-Sdk-Date` may be from the time of the verifier, in either direction.
    #[must_use]
    pub fn with_max_skew(mut self, max_skew: Duration) -> Self {
        self.max_skew = max_skew;
        self
    }

    /// Sets whether to accept requests whose `X-Sdk-Content-Sha256` is `UNSIGNED-PAYLOAD`. Their bodies can be changed in
    /// transit. The official SDKs send it for bodies that are neither JSON nor BSON. The default is `false`.
    #[must_use]
    pub fn with_unsigned_payload(mut self, accept: bool) -> Self {
        self.accepts_unsigned_payload = accept;
        self
    }

    /// Sets whether to accept signatures that do not cover `Host`. A request with one can be sent to any service that knows
    /// the key. The official Go SDK does not sign `Host`. The default is `false`.
    #[must_use]
    pub fn with_unsigned_host(mut self, accept: bool) -> Self {
        self.accepts_unsigned_host = accept;
        self
    }

    /// Checks what needs neither the secret key nor the body: the date, and which headers the signature covers. Returns the
    /// date. A server that calls it first need not read the body of a request that it refuses anyway.
    ///
    /// The payload of `request` is not used.
    ///
    /// # Errors
    ///
    /// The first [kind](VerificationErrorKind) that applies.
    pub fn check_head(
        &self,
        authorization: &Authorization<'_>,
        request: &SigningRequest<'_>,
        now: SystemTime,
    ) -> Result<SystemTime, VerificationError> {
        let (_, date) = self.checked_date(authorization, request, now)?;
        Ok(date)
    }

    /// Checks that the request was signed with the secret key, and not too long before or after `now`.
    ///
    /// `request` is the request as received, with all headers and the whole body. When the body was not read, pass
    /// [`Payload::Unsigned`](crate::signing::Payload::Unsigned); then only an unsigned payload is accepted.
    ///
    /// Signatures are compared in constant time. The time is linear in the size of the request, except for sorting query
    /// parameters.
    ///
    /// # Errors
    ///
    /// The first [kind](VerificationErrorKind) that applies. It may be shown to the client: all but `SignatureMismatch`
    /// depend on the request alone.
    pub fn verify(
        &self,
        authorization: &Authorization<'_>,
        request: &SigningRequest<'_>,
        secret_key: &str,
        now: SystemTime,
    ) -> Result<(), VerificationError> {
        let (date, _) = self.checked_date(authorization, request, now)?;
        let mut canonical_request = None;
        for payload_hash in self.payload_hashes(request)? {
            let candidate = canonical_request_with(
                request,
                authorization.signed_headers(),
                payload_hash.as_bytes(),
            );
            if signature(secret_key, &string_to_sign(date, &candidate))
                .is(authorization.signature())
            {
                return Ok(());
            }
            canonical_request = Some(candidate);
        }
        Err(VerificationError {
            canonical_request: canonical_request.map(Box::new),
            ..VerificationError::new(
                Kind::SignatureMismatch,
                "the signature does not match the request and the secret key",
            )
        })
    }

    /// The date, as text and as a time, of a head that can be valid.
    fn checked_date<'a>(
        &self,
        authorization: &Authorization<'_>,
        request: &SigningRequest<'a>,
        now: SystemTime,
    ) -> Result<(&'a str, SystemTime), VerificationError> {
        let listed = ListedHeaders::of(authorization, request);
        if !listed.date {
            return Err(VerificationError::new(
                Kind::DateNotSigned,
                "the signature does not cover X-Sdk-Date",
            ));
        }
        let (text, date) = header_date(request.headers)
            .map_err(|fault| VerificationError::new(Kind::InvalidDate, fault))?
            .ok_or_else(|| VerificationError::header_missing(X_SDK_DATE.as_str()))?;
        let skew = now
            .duration_since(date)
            .unwrap_or_else(|ahead| ahead.duration());
        if skew > self.max_skew {
            let message = format!(
                "X-Sdk-Date differs from the clock of the server by {} s; {} s are allowed",
                skew.as_secs(),
                self.max_skew.as_secs()
            );
            return Err(VerificationError::new(Kind::Skewed, message));
        }
        if !self.accepts_unsigned_host && !listed.host {
            return Err(VerificationError::new(
                Kind::HostNotSigned,
                "the signature does not cover Host",
            ));
        }
        match listed.absent {
            Some(absent) => Err(VerificationError::header_missing(absent)),
            None => Ok((text, date)),
        }
    }

    /// The payload hashes that a valid canonical request may contain for this body.
    fn payload_hashes(
        &self,
        request: &SigningRequest<'_>,
    ) -> Result<Vec<String>, VerificationError> {
        let body = request.payload.sha256();
        let body = body.map(|hash| hash.as_str().to_owned());
        match (declared_hash(request)?, body) {
            (Some(UNSIGNED_PAYLOAD), body) => self.unsigned_hashes(body),
            (_, None) => Err(VerificationError::unsigned_payload()),
            (None, Some(body)) => Ok(vec![body]),
            (Some(declared), Some(body)) if declared.eq_ignore_ascii_case(&body) => {
                Ok(vec![declared.to_owned()])
            }
            (Some(_), Some(_)) => Err(VerificationError::payload_mismatch()),
        }
    }

    /// The Python SDK declares an empty payload as unsigned, but signs its hash.
    fn unsigned_hashes(&self, body: Option<String>) -> Result<Vec<String>, VerificationError> {
        let mut hashes: Vec<_> = body
            .filter(|hash| hash == EMPTY_SHA256)
            .into_iter()
            .collect();
        if self.accepts_unsigned_payload {
            hashes.push(UNSIGNED_PAYLOAD.to_owned());
        }
        if hashes.is_empty() {
            return Err(VerificationError::unsigned_payload());
        }
        Ok(hashes)
    }
}

/// What the list of signed headers contains, found in one pass.
#[derive(Default)]
struct ListedHeaders<'a> {
    date: bool,
    host: bool,
    /// The first header that the request does not have.
    absent: Option<&'a str>,
}

impl<'a> ListedHeaders<'a> {
    fn of(authorization: &'a Authorization<'_>, request: &SigningRequest<'_>) -> Self {
        let mut listed = Self::default();
        for name in authorization.signed_headers().iter() {
            let is_absent = if name == "host" {
                listed.host = true;
                request.target.host.is_empty()
            } else {
                listed.date |= name == X_SDK_DATE.as_str();
                !request.headers.contains_key(name)
            };
            if is_absent && listed.absent.is_none() {
                listed.absent = Some(name);
            }
        }
        listed
    }
}

fn declared_hash<'a>(request: &SigningRequest<'a>) -> Result<Option<&'a str>, VerificationError> {
    let mut values = request.headers.get_all(X_SDK_CONTENT_SHA256).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(declared), None) => Ok(Some(declared.trim_ascii())),
        _ => Err(VerificationError::payload_mismatch()),
    }
}

/// A parsed `Authorization` header:
/// `SDK-HMAC-SHA256 Access=<key>, SignedHeaders=<a;b;c>, Signature=<64 hexadecimal digits>`.
#[derive(Clone)]
pub struct Authorization<'a> {
    access_key: &'a str,
    signed_headers: SignedHeaders<'a>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Parses the `Authorization` header of a request.
    ///
    /// # Errors
    ///
    /// [`Missing`](VerificationErrorKind::Missing) when there is none,
    /// [`Malformed`](VerificationErrorKind::Malformed) when there are several or it is not visible ASCII, or an error of
    /// [`parse`](Self::parse).
    pub fn from_headers(headers: &'a HeaderMap) -> Result<Self, VerificationError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or_else(|| {
            VerificationError::new(Kind::Missing, "there is no Authorization header")
        })?;
        if values.next().is_some() {
            return Err(VerificationError::malformed("there is more than one"));
        }
        let value = value.to_str();
        Self::parse(value.map_err(|_| VerificationError::malformed("it is not visible ASCII"))?)
    }

    /// Parses the value of an `Authorization` header. The three parts may be in any order, with or without spaces after the
    /// commas.
    ///
    /// # Errors
    ///
    /// [`UnsupportedAlgorithm`](VerificationErrorKind::UnsupportedAlgorithm) when the scheme is different,
    /// [`Malformed`](VerificationErrorKind::Malformed) when a part is missing, unknown, repeated or invalid.
    pub fn parse(value: &'a str) -> Result<Self, VerificationError> {
        let value = value.trim_ascii();
        let (algorithm, parts) = value.split_once(' ').unwrap_or((value, ""));
        if algorithm != ALGORITHM {
            return Err(VerificationError::new(
                Kind::UnsupportedAlgorithm,
                "the Authorization header does not start with SDK-HMAC-SHA256",
            ));
        }
        Self::from_parts(parts).map_err(VerificationError::malformed)
    }

    fn from_parts(parts: &'a str) -> Result<Self, &'static str> {
        let (mut access_key, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part
                .trim_ascii()
                .split_once('=')
                .ok_or("a part has no '='")?;
            let slot = match name {
                "Access" => &mut access_key,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err("a part is not Access, SignedHeaders or Signature"),
            };
            if slot.replace(value).is_some() {
                return Err("a part is repeated");
            }
        }
        Ok(Self {
            access_key: access_key
                .filter(|key| !key.is_empty())
                .ok_or("Access is missing or empty")?,
            signed_headers: signed_headers
                .and_then(SignedHeaders::parse)
                .ok_or("SignedHeaders is not a list of lower-case names in ascending order")?,
            signature: signature
                .filter(|digits| is_signature(digits))
                .ok_or("Signature is not 64 lower-case hexadecimal digits")?,
        })
    }

    /// Returns the access key that the request claims to be signed with.
    pub fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// Returns the list of headers that the signature covers.
    pub fn signed_headers(&self) -> &SignedHeaders<'a> {
        &self.signed_headers
    }

    /// Returns the signature: 64 lower-case hexadecimal digits.
    pub fn signature(&self) -> &'a str {
        self.signature
    }
}

/// Omits the signature, with which the request could be replayed.
impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("access_key", &self.access_key)
            .field("signed_headers", &self.signed_headers.as_str())
            .finish_non_exhaustive()
    }
}

fn is_signature(digits: &str) -> bool {
    digits.len() == 64
        && digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// Why a request was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct VerificationError {
    kind: VerificationErrorKind,
    message: Cow<'static, str>,
    canonical_request: Option<Box<CanonicalRequest>>,
}

/// The kinds of [`VerificationError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerificationErrorKind {
    /// There is no `Authorization` header.
    Missing,
    /// The `Authorization` header cannot be parsed.
    Malformed,
    /// The `Authorization` header has a different scheme or algorithm.
    UnsupportedAlgorithm,
    /// The signature does not cover `X-Sdk-Date`.
    DateNotSigned,
    /// The signature does not cover `Host`, and the verifier requires it.
    HostNotSigned,
    /// A header that the signature should cover is missing.
    HeaderMissing,
    /// `X-Sdk-Date` is repeated or is not a date.
    InvalidDate,
    /// `X-Sdk-Date` is too far from the time of the verifier.
    Skewed,
    /// The signature does not cover the body, and the verifier requires it.
    UnsignedPayload,
    /// The body does not match `X-Sdk-Content-Sha256`.
    PayloadMismatch,
    /// The signature does not match the request and the secret key.
    SignatureMismatch,
}

impl VerificationError {
    fn new(kind: VerificationErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            canonical_request: None,
        }
    }

    fn malformed(reason: &'static str) -> Self {
        Self::new(
            Kind::Malformed,
            format!("the Authorization header is invalid: {reason}"),
        )
    }

    fn header_missing(name: &str) -> Self {
        Self::new(
            Kind::HeaderMissing,
            format!("the header {name} is missing, but the signature covers it"),
        )
    }

    fn unsigned_payload() -> Self {
        Self::new(
            Kind::UnsignedPayload,
            "the signature does not cover the body",
        )
    }

    fn payload_mismatch() -> Self {
        Self::new(
            Kind::PayloadMismatch,
            "the body does not match X-Sdk-Content-Sha256",
        )
    }

    /// Returns the kind, for code that must distinguish errors.
    pub fn kind(&self) -> VerificationErrorKind {
        self.kind
    }

    /// Returns the canonical request that the verifier computed, for a
    /// [`SignatureMismatch`](VerificationErrorKind::SignatureMismatch). A client can compare it with its own. Printing it
    /// does not show tokens.
    pub fn canonical_request(&self) -> Option<&CanonicalRequest> {
        self.canonical_request.as_deref()
    }
}
