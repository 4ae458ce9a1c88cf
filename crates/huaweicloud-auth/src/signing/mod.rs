//! `SDK-HMAC-SHA256`: from a request and credentials to headers.
//!
//! Three pure stages, each of which can be looked at alone:
//! [`canonical_request`] → [`string_to_sign`] → [`signature`]. [`authorize`] runs them and inserts the headers, [`explain`]
//! runs them and shows what it found, and [`verification`](crate::verification) runs them on the server.
//!
//! # What is signed
//!
//! * The path and the query **as they go on the wire**. Both are decoded and encoded again in one fixed way, so a client and
//!   a server that spell the same path differently agree. `%2F` in a path is signed as `/`, as every official SDK does it:
//!   a server must not tell the two apart, and best refuses `%2F`. A `+` in a query is a space, as in a form.
//! * Repeated query parameters are sorted by name, then value.
//! * Only the listed headers. [`SignedHeaders::standard`] leaves out those that proxies rewrite.
//! * The body, as the SHA-256 of the exact bytes that are sent; see [`Payload`].
//!
//! Whoever changes one of these after signing breaks the signature.

mod canonical;
mod date;
mod headers;
mod signature;
mod signer;

pub use canonical::{CanonicalRequest, canonical_request, string_to_sign};
pub use headers::{
    SignedHeaders, X_AUTH_TOKEN, X_DOMAIN_ID, X_PROJECT_ID, X_REQUEST_ID, X_SDK_CONTENT_SHA256,
    X_SDK_DATE, X_SECURITY_TOKEN,
};
pub use signature::{Signature, signature};
pub use signer::{Explanation, Signer, SigningError, SigningErrorKind, authorize, explain};

pub(crate) use canonical::canonical_request_with;
pub(crate) use date::header_date;
pub(crate) use signature::{SigningKey, hex_sha256};

use signature::{HexDigest, hex};

use http::{HeaderMap, HeaderName, Method};

/// The name of the algorithm, as the `Authorization` header and the string to sign begin.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// What `X-Sdk-Content-Sha256` says when the signature does not cover the body.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Where a request goes: the parts of it that do not stand in the headers or the body.
#[derive(Clone, Copy, Debug)]
pub struct RequestTarget<'a> {
    /// The method, as sent.
    pub method: &'a Method,
    /// The value of the `Host` header, as sent: with the port unless it is the scheme's own.
    pub host: &'a str,
    /// The path as on the wire, percent-encoded, without the query. Empty means `/`.
    pub path: &'a str,
    /// The query as on the wire, percent-encoded, without the `?`. Empty means none.
    pub query: &'a str,
}

/// Everything that a signature can cover. [`Debug`](std::fmt::Debug) names the headers and leaves their values out.
#[derive(Clone, Copy)]
pub struct SigningRequest<'a> {
    /// Method, host, path and query.
    pub target: RequestTarget<'a>,
    /// The headers as sent. `Host` need not be among them: [`RequestTarget::host`] is what counts.
    pub headers: &'a HeaderMap,
    /// The body.
    pub payload: Payload<'a>,
}

/// A server's headers come from the wire: nothing marks the secret ones.
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
/// An `X-Sdk-Content-Sha256` header that is already there goes before this when signing: its value is taken as it is.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// The exact bytes that are sent; empty for no body.
    Bytes(&'a [u8]),
    /// The SHA-256 of the bytes that are sent, for callers that hashed them while they were made or read.
    Sha256([u8; 32]),
    /// Not at all. [`authorize`] says so in `X-Sdk-Content-Sha256`; anyone on the way can change such a body.
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

/// Shows the length of a body, never the body.
impl std::fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Sha256(_) => f.write_str("Sha256"),
            Self::Unsigned => f.write_str("Unsigned"),
        }
    }
}
