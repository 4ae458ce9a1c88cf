//! Why a request was not accepted.

use std::time::Duration;

use crate::signing::{CanonicalRequest, DateFault};

/// Why a request was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct VerificationError {
    fault: Fault,
    canonical_request: Option<Box<CanonicalRequest>>,
}

/// What is wrong with a request or its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerificationErrorKind {
    /// There is no `Authorization` header.
    Missing,
    /// The `Authorization` header cannot be read.
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

#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("there is no Authorization header")]
    Missing,
    #[error("the Authorization header cannot be read: {0}")]
    Malformed(&'static str),
    #[error("the Authorization header does not begin with SDK-HMAC-SHA256")]
    UnsupportedAlgorithm,
    #[error("the signature does not cover X-Sdk-Date")]
    DateNotSigned,
    #[error("the signature covers the header {0}, which is not there")]
    HeaderMissing(String),
    #[error("{0}")]
    InvalidDate(DateFault),
    #[error("X-Sdk-Date is {} s away from the clock of the server, of which {} s are allowed", .skew.as_secs(), .allowed.as_secs())]
    Skewed { skew: Duration, allowed: Duration },
    #[error("the signature does not cover the body")]
    UnsignedPayload,
    #[error("the body is not the one that X-Sdk-Content-Sha256 states")]
    PayloadMismatch,
    #[error("the signature does not match the request and the secret key")]
    SignatureMismatch,
}

impl VerificationError {
    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> VerificationErrorKind {
        match self.fault {
            Fault::Missing => VerificationErrorKind::Missing,
            Fault::Malformed(_) => VerificationErrorKind::Malformed,
            Fault::UnsupportedAlgorithm => VerificationErrorKind::UnsupportedAlgorithm,
            Fault::DateNotSigned => VerificationErrorKind::DateNotSigned,
            Fault::HeaderMissing(_) => VerificationErrorKind::HeaderMissing,
            Fault::InvalidDate(_) => VerificationErrorKind::InvalidDate,
            Fault::Skewed { .. } => VerificationErrorKind::Skewed,
            Fault::UnsignedPayload => VerificationErrorKind::UnsignedPayload,
            Fault::PayloadMismatch => VerificationErrorKind::PayloadMismatch,
            Fault::SignatureMismatch => VerificationErrorKind::SignatureMismatch,
        }
    }

    /// The canonical request that the verifier computed, for a
    /// [`SignatureMismatch`](VerificationErrorKind::SignatureMismatch). Shown to the client it lets a person find the
    /// difference; printing it leaves tokens out.
    pub fn canonical_request(&self) -> Option<&CanonicalRequest> {
        self.canonical_request.as_deref()
    }

    pub(super) fn mismatch(canonical_request: Option<CanonicalRequest>) -> Self {
        Self {
            fault: Fault::SignatureMismatch,
            canonical_request: canonical_request.map(Box::new),
        }
    }
}

impl From<Fault> for VerificationError {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            canonical_request: None,
        }
    }
}
