//! The canonical request and the string to sign.

use std::{borrow::Cow, fmt, ops::Range};

use http::{HeaderValue, header};
use percent_encoding::{percent_decode, percent_encode_byte};
use zeroize::Zeroizing;

use super::{
    ALGORITHM, SigningRequest, UNSIGNED_PAYLOAD,
    headers::{SignedHeaders, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256, X_SECURITY_TOKEN},
    signature::hex_sha256,
};
use crate::text::REDACTED;

/// The canonical request: method, path, query, headers, names of the signed headers and payload hash.
///
/// It contains the values of the signed headers, which may include a security token. [`Display`](fmt::Display) and
/// [`Debug`](fmt::Debug) replace secret values by `<redacted>`; [`as_bytes`](Self::as_bytes) does not.
#[derive(Clone, PartialEq, Eq)]
pub struct CanonicalRequest {
    bytes: Zeroizing<Vec<u8>>,
    secrets: Vec<Range<usize>>,
}

/// Builds the canonical request with the listed headers.
///
/// An absent header has no line. A repeated header has one line for each value, in ascending order.
pub fn canonical_request(
    request: &SigningRequest<'_>,
    signed_headers: &SignedHeaders<'_>,
) -> CanonicalRequest {
    let with = |payload_hash: &[u8]| canonical_request_with(request, signed_headers, payload_hash);
    if let Some(declared) = request.headers.get(X_SDK_CONTENT_SHA256) {
        return with(declared.as_bytes().trim_ascii());
    }
    match request.payload.sha256() {
        Some(hash) => with(hash.as_str().as_bytes()),
        None => with(UNSIGNED_PAYLOAD.as_bytes()),
    }
}

/// Does the same with the given payload hash: a verifier does not trust the one that the request declares.
pub(crate) fn canonical_request_with(
    request: &SigningRequest<'_>,
    signed_headers: &SignedHeaders<'_>,
    payload_hash: &[u8],
) -> CanonicalRequest {
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    let mut secrets = Vec::new();
    bytes.extend_from_slice(request.target.method.as_str().as_bytes());
    bytes.push(b'\n');
    push_canonical_path(&mut bytes, request.target.path);
    bytes.push(b'\n');
    push_canonical_query(&mut bytes, request.target.query);
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
    /// Returns the exact bytes that are hashed. They may not be UTF-8, because header values may not be.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the SHA-256 of the bytes, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        hex_sha256(&self.bytes).as_str().to_owned()
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

/// Returns the string to sign: the algorithm, the value of `X-Sdk-Date` and the hash of the canonical request, one line
/// each.
pub fn string_to_sign(x_sdk_date: &str, canonical_request: &CanonicalRequest) -> String {
    [
        ALGORITHM,
        x_sdk_date,
        hex_sha256(canonical_request.as_bytes()).as_str(),
    ]
    .join("\n")
}

/// Decodes a path and encodes it again. The canonical path always ends with a slash.
fn push_canonical_path(out: &mut Vec<u8>, path: &str) {
    // Most paths need no change, and copying is several times faster.
    if path.bytes().all(|byte| byte == b'/' || is_unreserved(byte)) {
        out.extend_from_slice(path.as_bytes());
    } else {
        percent_decode(path.as_bytes()).for_each(|byte| match byte {
            b'/' => out.push(b'/'),
            byte => push_encoded(out, byte),
        });
    }
    if out.last() != Some(&b'/') {
        out.push(b'/');
    }
}

/// Decodes a query, sorts its parameters by name and value, and encodes it again.
fn push_canonical_query(out: &mut Vec<u8>, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decode_form(name), decode_form(value))
        })
        .collect();
    parameters.sort_unstable();
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        name.iter().for_each(|byte| push_encoded(out, *byte));
        out.push(b'=');
        value.iter().for_each(|byte| push_encoded(out, *byte));
    }
}

fn decode_form(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        Cow::Owned(percent_decode(text.replace('+', " ").as_bytes()).collect())
    } else {
        percent_decode(text.as_bytes()).into()
    }
}

fn push_encoded(out: &mut Vec<u8>, byte: u8) {
    if is_unreserved(byte) {
        out.push(byte);
    } else {
        out.extend_from_slice(percent_encode_byte(byte).as_bytes());
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(push: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths() {
        for (wire, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/a", "/a/"),
            ("/a/", "/a/"),
            ("/a%2F", "/a/"),
            ("/a%2f", "/a/"),
            ("/a%2Fb", "/a/b/"),
            ("/%41%7e_.-", "/A~_.-/"),
            ("/a%20b+c", "/a%20b%2Bc/"),
            ("/caf\u{e9}", "/caf%C3%A9/"),
            ("/%ff", "/%FF/"),
            ("/100%", "/100%25/"),
            ("/%zz%2541", "/%25zz%2541/"),
            ("/a//b/..", "/a//b/../"),
        ] {
            assert_eq!(canonical(push_canonical_path, wire), expected, "{wire}");
        }
    }

    #[test]
    fn queries() {
        for (wire, expected) in [
            ("", ""),
            ("&&", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("flag", "flag="),
            ("=x", "=x"),
            ("a=b=c", "a=b%3Dc"),
            ("m=3&m=1&m=2", "m=1&m=2&m=3"),
            ("q=a+b%2Bc", "q=a%20b%2Bc"),
            ("%7B=1&z=2&a=3", "a=3&z=2&%7B=1"),
            ("t=%e4%b8%80%20(%26", "t=%E4%B8%80%20%28%26"),
            ("b=%ff", "b=%FF"),
            // From the tests of the official SDKs.
            (
                "limit=1&enable=true&test=%E4%B8%80 (%26%3D%3F!%23%25.*)&path=/tmp/123&multi=3&multi=1&multi=2",
                "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29",
            ),
        ] {
            assert_eq!(canonical(push_canonical_query, wire), expected, "{wire}");
        }
    }
}
