//! Signs requests with `SDK-HMAC-SHA256`.
//!
//! The stages are [`canonical_request`] → [`string_to_sign`] → [`signature`], each a pure function. [`authorize`] runs them
//! and inserts the headers, [`explain`] runs them and returns every stage, and [`verification`](crate::verification) runs
//! them on the server.
//!
//! # What is signed
//!
//! * The path and the query **as sent**. Both are decoded and encoded again in one fixed way, so the signature does not
//!   depend on how they are percent-encoded. `%2F` in a path is signed as `/`, as in every official SDK: a server should
//!   refuse `%2F`, and must not distinguish it from `/`. A `+` in a query is a space, as in a form.
//! * Query parameters, sorted by name, then value.
//! * The headers in a list. [`SignedHeaders::standard`] leaves out those that proxies rewrite.
//! * The body, as the SHA-256 of the exact bytes that are sent; see [`Payload`].
//!
//! A change to any of these after signing invalidates the signature.

mod canonical_request;
mod date;
mod headers;
mod signature;
mod signer;

pub use canonical_request::{CanonicalRequest, canonical_request, string_to_sign};
pub use headers::{
    SignedHeaders, X_AUTH_TOKEN, X_DOMAIN_ID, X_PROJECT_ID, X_REQUEST_ID, X_SDK_CONTENT_SHA256,
    X_SDK_DATE, X_SECURITY_TOKEN,
};
pub use signature::{HexDigest, Signature, hex, signature};
pub use signer::{Explanation, Signer, SigningError, SigningErrorKind, authorize, explain};

pub(crate) use canonical_request::canonical_request_with;
pub(crate) use date::header_date;
pub(crate) use signature::{SigningKey, hex_sha256};

use http::{HeaderMap, HeaderName, Method};

/// The name of the algorithm, with which the `Authorization` header and the string to sign start.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// The value of `X-Sdk-Content-Sha256` when the signature does not cover the body.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The method, host, path and query of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestTarget<'a> {
    /// The method, as sent.
    pub method: &'a Method,
    /// The value of the `Host` header, as sent: with the port unless it is the default of the scheme.
    pub host: &'a str,
    /// The path as sent: percent-encoded, without the query. Empty means `/`.
    pub path: &'a str,
    /// The query as sent: percent-encoded, without the `?`. Empty means none.
    pub query: &'a str,
}

/// Everything that a signature can cover. [`Debug`](std::fmt::Debug) shows the names of the headers, not their values.
#[derive(Clone, Copy)]
pub struct SigningRequest<'a> {
    /// Method, host, path and query.
    pub target: RequestTarget<'a>,
    /// The headers as sent. `Host` may be absent: [`RequestTarget::host`] is used.
    pub headers: &'a HeaderMap,
    /// The body.
    pub payload: Payload<'a>,
}

/// The headers of a received request are not marked as sensitive, so no value is shown.
impl std::fmt::Debug for SigningRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&HeaderName> = self.headers.keys().collect();
        f.debug_struct("SigningRequest")
            .field("target", &self.target)
            .field("headers", &names)
            .field("payload", &self.payload)
            .finish()
    }
}

/// How the signature covers the body.
///
/// When signing, an `X-Sdk-Content-Sha256` header of the request takes precedence over this.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// The exact bytes that are sent; empty without a body.
    Bytes(&'a [u8]),
    /// The SHA-256 of the bytes that are sent, for callers that already computed it.
    Sha256([u8; 32]),
    /// The signature does not cover the body, so it can be changed in transit. [`authorize`] declares this in
    /// `X-Sdk-Content-Sha256`.
    Unsigned,
}

impl Payload<'_> {
    pub(crate) fn sha256(&self) -> Option<HexDigest> {
        match self {
            Self::Bytes(body) => Some(hex_sha256(body)),
            Self::Sha256(digest) => Some(hex(digest)),
            Self::Unsigned => None,
        }
    }
}

/// Shows the length of a body, not the body.
impl std::fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Sha256(_) => f.write_str("Sha256"),
            Self::Unsigned => f.write_str("Unsigned"),
        }
    }
}
