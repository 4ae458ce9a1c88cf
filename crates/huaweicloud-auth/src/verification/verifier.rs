//! Checking a signature.

use std::time::{Duration, SystemTime};

use http::header;

use super::{Authorization, VerificationError, error::Fault};
use crate::signing::{
    Payload, SigningRequest, UNSIGNED_PAYLOAD, X_SDK_CONTENT_SHA256, X_SDK_DATE,
    canonical_request_with, header_date, hex, hex_sha256, signature, string_to_sign,
};

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
    /// One of the [kinds](super::VerificationErrorKind), the first that applies. Which one may be shown to the client: all but
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
        Err(VerificationError::mismatch(canonical_request))
    }

    fn check_date<'a>(
        &self,
        authorization: &Authorization<'_>,
        request: &SigningRequest<'a>,
        now: SystemTime,
    ) -> Result<&'a str, VerificationError> {
        if !authorization.signed_headers().contains(X_SDK_DATE.as_str()) {
            return Err(Fault::DateNotSigned.into());
        }
        let (text, date) = header_date(request.headers)
            .map_err(Fault::InvalidDate)?
            .ok_or_else(|| Fault::HeaderMissing(X_SDK_DATE.to_string()))?;
        let skew = now
            .duration_since(date)
            .unwrap_or_else(|ahead| ahead.duration());
        if skew > self.max_skew {
            return Err(Fault::Skewed {
                skew,
                allowed: self.max_skew,
            }
            .into());
        }
        Ok(text)
    }

    /// The hashes that an honest signer may have put into the canonical request for this body.
    fn payload_hashes(
        &self,
        request: &SigningRequest<'_>,
    ) -> Result<Vec<String>, VerificationError> {
        let body = match request.payload {
            Payload::Bytes(body) => Some(hex_sha256(body).as_str().to_owned()),
            Payload::Sha256(digest) => Some(hex(&digest).as_str().to_owned()),
            Payload::Unsigned => None,
        };
        match (stated_hash(request)?, body) {
            (Some(UNSIGNED_PAYLOAD), body) => self.unsigned_hashes(body),
            (_, None) => Err(Fault::UnsignedPayload.into()),
            (None, Some(body)) => Ok(vec![body]),
            (Some(stated), Some(body)) if stated.eq_ignore_ascii_case(&body) => {
                Ok(vec![stated.to_owned()])
            }
            (Some(_), Some(_)) => Err(Fault::PayloadMismatch.into()),
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
            return Err(Fault::UnsignedPayload.into());
        }
        Ok(hashes)
    }
}

fn require_listed_headers(
    authorization: &Authorization<'_>,
    request: &SigningRequest<'_>,
) -> Result<(), VerificationError> {
    let is_there = |name: &str| {
        if name == header::HOST {
            !request.target.host.is_empty()
        } else {
            request.headers.contains_key(name)
        }
    };
    match authorization
        .signed_headers()
        .iter()
        .find(|name| !is_there(name))
    {
        Some(absent) => Err(Fault::HeaderMissing(absent.to_owned()).into()),
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
        _ => Err(Fault::PayloadMismatch.into()),
    }
}
