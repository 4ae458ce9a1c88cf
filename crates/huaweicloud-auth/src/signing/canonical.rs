//! The first stage: a request in the one form that both sides agree on.

use std::{fmt, ops::Range};

use http::{HeaderValue, header};
use zeroize::Zeroizing;

use super::{
    Payload, SignedHeaders, SigningRequest, UNSIGNED_PAYLOAD, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256,
    X_SECURITY_TOKEN, encoding, stages,
};
use crate::text::REDACTED;

/// A request in canonical form: method, path, query, headers, names of the signed headers and payload hash.
///
/// It holds the values of the signed headers, a security token among them. [`Display`](fmt::Display) and
/// [`Debug`](fmt::Debug) replace such a value by `<redacted>`; [`as_bytes`](Self::as_bytes) does not.
#[derive(Clone, PartialEq, Eq)]
pub struct CanonicalRequest {
    bytes: Zeroizing<Vec<u8>>,
    secrets: Vec<Range<usize>>,
}

/// Brings a request into canonical form, with the headers of the given names.
///
/// A header that the request lacks has no line; one that it has several times has a line per value, in ascending order.
pub fn canonical_request(
    request: &SigningRequest<'_>,
    signed_headers: &SignedHeaders<'_>,
) -> CanonicalRequest {
    let with = |payload_hash: &[u8]| canonical_request_with(request, signed_headers, payload_hash);
    if let Some(stated) = request.headers.get(X_SDK_CONTENT_SHA256) {
        return with(stated.as_bytes().trim_ascii());
    }
    match request.payload {
        Payload::Bytes(body) => with(stages::hex_sha256(body).as_str().as_bytes()),
        Payload::Sha256(digest) => with(stages::hex(&digest).as_str().as_bytes()),
        Payload::Unsigned => with(UNSIGNED_PAYLOAD.as_bytes()),
    }
}

/// The same with a payload hash from elsewhere: a verifier does not believe the one that the request states.
pub(crate) fn canonical_request_with(
    request: &SigningRequest<'_>,
    signed_headers: &SignedHeaders<'_>,
    payload_hash: &[u8],
) -> CanonicalRequest {
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    let mut secrets = Vec::new();
    bytes.extend_from_slice(request.target.method.as_str().as_bytes());
    bytes.push(b'\n');
    encoding::push_canonical_path(&mut bytes, request.target.path);
    bytes.push(b'\n');
    encoding::push_canonical_query(&mut bytes, request.target.query);
    bytes.push(b'\n');
    for name in signed_headers.iter() {
        push_header(&mut bytes, &mut secrets, request, name);
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(signed_headers.as_str().as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(payload_hash);
    CanonicalRequest { bytes, secrets }
}

fn push_header(
    bytes: &mut Vec<u8>,
    secrets: &mut Vec<Range<usize>>,
    request: &SigningRequest<'_>,
    name: &str,
) {
    if name == header::HOST {
        push_line(bytes, name, request.target.host.as_bytes());
        return;
    }
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), values.size_hint()) {
        (None, _) => {}
        (Some(value), (0, _)) => push_value(bytes, secrets, name, value),
        (Some(first), _) => {
            let mut sorted: Vec<&HeaderValue> = std::iter::once(first).chain(values).collect();
            sorted.sort_unstable_by_key(|value| value.as_bytes().trim_ascii());
            for value in sorted {
                push_value(bytes, secrets, name, value);
            }
        }
    }
}

fn push_value(
    bytes: &mut Vec<u8>,
    secrets: &mut Vec<Range<usize>>,
    name: &str,
    value: &HeaderValue,
) {
    push_line(bytes, name, value.as_bytes().trim_ascii());
    if value.is_sensitive() || is_secret(name) {
        let end = bytes.len() - 1;
        secrets.push(end - value.as_bytes().trim_ascii().len()..end);
    }
}

fn push_line(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b':');
    bytes.extend_from_slice(value);
    bytes.push(b'\n');
}

pub(super) fn is_secret(name: &str) -> bool {
    [
        X_SECURITY_TOKEN,
        X_AUTH_TOKEN,
        header::AUTHORIZATION,
        header::COOKIE,
        header::PROXY_AUTHORIZATION,
    ]
    .iter()
    .any(|secret| secret == name)
}

impl CanonicalRequest {
    /// The exact bytes that are hashed. They are not always UTF-8: header values need not be.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the bytes, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        stages::hex_sha256(&self.bytes).as_str().to_owned()
    }
}

impl fmt::Display for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for secret in &self.secrets {
            write!(
                f,
                "{}{REDACTED}",
                String::from_utf8_lossy(&self.bytes[shown..secret.start])
            )?;
            shown = secret.end;
        }
        f.write_str(&String::from_utf8_lossy(&self.bytes[shown..]))
    }
}

impl fmt::Debug for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CanonicalRequest")
            .field(&self.to_string())
            .finish()
    }
}
