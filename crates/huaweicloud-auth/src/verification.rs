//! The server's side of `SDK-HMAC-SHA256`.
//!
//! [`Authorization::from_headers`] tells whose key a request claims, the caller finds the secret key, and
//! [`Verifier::verify`] says whether the request was signed with it.
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
//! # What remains for the caller
//!
//! * **Replay.** A request that passes can be sent again, unchanged, until its date is 15 minutes old. The algorithm has no
//!   nonce: refuse signatures seen before if a repetition does harm.
//! * **Headers that are not listed** are not covered. Read what matters only from headers for which
//!   [`SignedHeaders::contains`](crate::signing::SignedHeaders::contains) holds.
//! * **The security token.** That `X-Security-Token` belongs to the access key is for the caller to check.
//! * **Unknown access keys.** To hide which keys exist, verify against a made-up secret key before refusing.
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

/// Decides whether requests are signed with a key. The default is what the cloud does: 15 minutes of skew, bodies signed.
///
/// An example stands in the [module](crate::verification).
#[derive(Clone, Debug)]
pub struct Verifier {
    max_skew: Duration,
    accepts_unsigned_payload: bool,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            max_skew: Duration::from_secs(15 * 60),
            accepts_unsigned_payload: false,
        }
    }
}

impl Verifier {
    /// Sets how far `X-Sdk-Date` may be from the verifier's clock, in either direction.
    #[must_use]
    pub fn with_max_skew(mut self, max_skew: Duration) -> Self {
        self.max_skew = max_skew;
        self
    }

    /// Accepts requests whose `X-Sdk-Content-Sha256` is `UNSIGNED-PAYLOAD`, although anyone on the way can change the body
    /// of such a request. The official SDKs send it for bodies that are neither JSON nor BSON. Refused by default.
    #[must_use]
    pub fn with_unsigned_payload(mut self, accept: bool) -> Self {
        self.accepts_unsigned_payload = accept;
        self
    }

    /// Checks that the request was signed with the secret key, and not too long before or after `now`.
    ///
    /// `request` is what arrived: the target as on the wire, all headers, the whole body.
    /// [`Payload::Unsigned`] stands for a body that was not read; only an unsigned payload passes then.
    ///
    /// The comparison takes the same time wherever the signatures differ. The work is linear in the size of the request, the
    /// sorting of query parameters aside.
    ///
    /// # Errors
    ///
    /// One of the [kinds](VerificationErrorKind), the first that applies. Which one may be shown to the client: all but
    /// `SignatureMismatch` follow from the request alone.
    pub fn verify(
        &self,
        authorization: &Authorization<'_>,
        request: &SigningRequest<'_>,
        secret_key: &str,
        now: SystemTime,
    ) -> Result<(), VerificationError> {
        let date = self.check_date(authorization, request, now)?;
        require_listed_headers(authorization, request)?;
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

    fn check_date<'a>(
        &self,
        authorization: &Authorization<'_>,
        request: &SigningRequest<'a>,
        now: SystemTime,
    ) -> Result<&'a str, VerificationError> {
        if !authorization.signed_headers().contains(X_SDK_DATE.as_str()) {
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
                "X-Sdk-Date is {} s away from the clock of the server, of which {} s are allowed",
                skew.as_secs(),
                self.max_skew.as_secs()
            );
            return Err(VerificationError::new(Kind::Skewed, message));
        }
        Ok(text)
    }

    /// The hashes that an honest signer may have put into the canonical request for this body.
    fn payload_hashes(
        &self,
        request: &SigningRequest<'_>,
    ) -> Result<Vec<String>, VerificationError> {
        let body = request.payload.sha256();
        let body = body.map(|hash| hash.as_str().to_owned());
        match (stated_hash(request)?, body) {
            (Some(UNSIGNED_PAYLOAD), body) => self.unsigned_hashes(body),
            (_, None) => Err(VerificationError::unsigned_payload()),
            (None, Some(body)) => Ok(vec![body]),
            (Some(stated), Some(body)) if stated.eq_ignore_ascii_case(&body) => {
                Ok(vec![stated.to_owned()])
            }
            (Some(_), Some(_)) => Err(VerificationError::payload_mismatch()),
        }
    }

    /// The Python SDK signs the hash of an empty body although it declares the payload unsigned.
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

fn require_listed_headers(
    authorization: &Authorization<'_>,
    request: &SigningRequest<'_>,
) -> Result<(), VerificationError> {
    let is_absent = |name: &&str| match *name {
        "host" => request.target.host.is_empty(),
        name => !request.headers.contains_key(name),
    };
    match authorization.signed_headers().iter().find(is_absent) {
        Some(absent) => Err(VerificationError::header_missing(absent)),
        None => Ok(()),
    }
}

fn stated_hash<'a>(request: &SigningRequest<'a>) -> Result<Option<&'a str>, VerificationError> {
    let mut values = request.headers.get_all(X_SDK_CONTENT_SHA256).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(stated), None) => Ok(Some(stated.trim_ascii())),
        _ => Err(VerificationError::payload_mismatch()),
    }
}

/// What an `Authorization` header says:
/// `SDK-HMAC-SHA256 Access=<key>, SignedHeaders=<a;b;c>, Signature=<64 hexadecimal digits>`.
#[derive(Clone)]
pub struct Authorization<'a> {
    access_key: &'a str,
    signed_headers: SignedHeaders<'a>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the one `Authorization` header of a request.
    ///
    /// # Errors
    ///
    /// [`Missing`](VerificationErrorKind::Missing) when there is none,
    /// [`Malformed`](VerificationErrorKind::Malformed) when there are several or it is not visible ASCII, else those of
    /// [`parse`](Self::parse).
    pub fn from_headers(headers: &'a HeaderMap) -> Result<Self, VerificationError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or_else(|| {
            VerificationError::new(Kind::Missing, "there is no Authorization header")
        })?;
        if values.next().is_some() {
            return Err(VerificationError::malformed("more than one is there"));
        }
        let value = value.to_str();
        Self::parse(value.map_err(|_| VerificationError::malformed("it is not visible ASCII"))?)
    }

    /// Reads the value of an `Authorization` header. The three parts may come in any order, with or without a space after the
    /// commas.
    ///
    /// # Errors
    ///
    /// [`UnsupportedAlgorithm`](VerificationErrorKind::UnsupportedAlgorithm) when it is of another scheme,
    /// [`Malformed`](VerificationErrorKind::Malformed) when a part is missing, unknown, there twice or not as above.
    pub fn parse(value: &'a str) -> Result<Self, VerificationError> {
        let value = value.trim_ascii();
        let (algorithm, parts) = value.split_once(' ').unwrap_or((value, ""));
        if algorithm != ALGORITHM {
            return Err(VerificationError::new(
                Kind::UnsupportedAlgorithm,
                "the Authorization header does not begin with SDK-HMAC-SHA256",
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
                _ => return Err("a part is none of Access, SignedHeaders and Signature"),
            };
            if slot.replace(value).is_some() {
                return Err("a part is there twice");
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

    /// The access key that the request claims to be signed with.
    pub fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// The headers that the signature covers.
    pub fn signed_headers(&self) -> &SignedHeaders<'a> {
        &self.signed_headers
    }

    /// The signature: 64 lower-case hexadecimal digits.
    pub fn signature(&self) -> &'a str {
        self.signature
    }
}

/// Leaves the signature out: with the rest of the request it could be sent again.
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

/// Why a request was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct VerificationError {
    kind: VerificationErrorKind,
    message: Cow<'static, str>,
    canonical_request: Option<Box<CanonicalRequest>>,
}

/// What is wrong with a request or its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerificationErrorKind {
    /// There is no `Authorization` header.
    Missing,
    /// The `Authorization` header cannot be parsed.
    Malformed,
    /// The `Authorization` header is of another scheme or algorithm.
    UnsupportedAlgorithm,
    /// The signature does not cover `X-Sdk-Date`.
    DateNotSigned,
    /// A header that the signature claims to cover is not there.
    HeaderMissing,
    /// `X-Sdk-Date` is there several times or is no date.
    InvalidDate,
    /// `X-Sdk-Date` is too far from the verifier's clock.
    Skewed,
    /// The signature does not cover the body, which this verifier does not accept.
    UnsignedPayload,
    /// The body is not the one that `X-Sdk-Content-Sha256` states.
    PayloadMismatch,
    /// The signature is not the one that the secret key makes.
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
            format!("the Authorization header cannot be read: {reason}"),
        )
    }

    fn header_missing(name: &str) -> Self {
        Self::new(
            Kind::HeaderMissing,
            format!("the signature covers the header {name}, which is not there"),
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
            "the body is not the one that X-Sdk-Content-Sha256 states",
        )
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> VerificationErrorKind {
        self.kind
    }

    /// The canonical request that the verifier computed, for a
    /// [`SignatureMismatch`](VerificationErrorKind::SignatureMismatch). Shown to the client it lets a person find the
    /// difference; printing it leaves tokens out.
    pub fn canonical_request(&self) -> Option<&CanonicalRequest> {
        self.canonical_request.as_deref()
    }
}
