//! The names of the headers of the cloud, and the list of signed headers.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName, header};

/// The time of signing, `YYYYMMDDTHHMMSSZ` in UTC.
pub const X_SDK_DATE: HeaderName = HeaderName::from_static("x-sdk-date");
/// The payload hash, or `UNSIGNED-PAYLOAD`. Without it, the server computes the hash from the body.
pub const X_SDK_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-sdk-content-sha256");
/// The security token of a temporary key pair.
pub const X_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-security-token");
/// The authentication token, which replaces a signature.
pub const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// The project of a regional request.
pub const X_PROJECT_ID: HeaderName = HeaderName::from_static("x-project-id");
/// The account of a global request.
pub const X_DOMAIN_ID: HeaderName = HeaderName::from_static("x-domain-id");
/// The id of a request, in the response.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The names of the headers that a signature covers: lower-case, in ascending order, without duplicates.
///
/// ```
/// use huaweicloud_auth::signing::SignedHeaders;
///
/// let names = SignedHeaders::parse("host;x-sdk-date").unwrap();
/// assert!(names.contains("x-sdk-date"));
/// assert!(SignedHeaders::parse("x-sdk-date;host").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders<'a>(Cow<'a, str>);

/// In ascending order. `User-Agent` and similar headers are left out because proxies rewrite them.
const STANDARD: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::HOST,
    X_DOMAIN_ID,
    X_PROJECT_ID,
    X_SDK_CONTENT_SHA256,
    X_SDK_DATE,
    X_SECURITY_TOKEN,
];

impl<'a> SignedHeaders<'a> {
    /// Lists `host`, and those of `content-type`, `x-domain-id`, `x-project-id`, `x-sdk-content-sha256`, `x-sdk-date` and
    /// `x-security-token` that the request has.
    pub fn standard(headers: &HeaderMap) -> SignedHeaders<'static> {
        let mut names = String::with_capacity(64);
        for name in &STANDARD {
            if name == header::HOST || headers.contains_key(name) {
                if !names.is_empty() {
                    names.push(';');
                }
                names.push_str(name.as_str());
            }
        }
        SignedHeaders(names.into())
    }

    /// Lists `host` and every header of the request except `authorization` and names that contain `_`, like the official
    /// SDKs.
    pub fn all(headers: &HeaderMap) -> SignedHeaders<'static> {
        let mut sorted: Vec<&str> = headers
            .keys()
            .filter(|name| *name != header::HOST && *name != header::AUTHORIZATION)
            .map(HeaderName::as_str)
            .filter(|name| !name.contains('_'))
            .collect();
        sorted.push(header::HOST.as_str());
        sorted.sort_unstable();
        SignedHeaders(sorted.join(";").into())
    }

    /// Parses the list of an `Authorization` header. Returns `None` unless it is one or more lower-case header names,
    /// separated by `;`, in ascending order and without duplicates.
    pub fn parse(list: &'a str) -> Option<Self> {
        let mut previous = "";
        for name in list.split(';') {
            if name <= previous || !name.bytes().all(is_lower_case_name_byte) {
                return None;
            }
            previous = name;
        }
        Some(Self(Cow::Borrowed(list)))
    }

    /// Returns the names separated by `;`, as in the `Authorization` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(';')
    }

    /// Whether the list contains this lower-case name.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|listed| listed == name)
    }
}

impl fmt::Display for SignedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A `token` of RFC 9110 without its upper-case letters.
fn is_lower_case_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_standard_names_are_in_ascending_order() {
        let headers: HeaderMap = STANDARD
            .into_iter()
            .map(|name| (name, HeaderValue::from_static("1")))
            .collect();
        let names = SignedHeaders::standard(&headers);
        assert!(SignedHeaders::parse(names.as_str()).is_some(), "{names}");
        assert_eq!(names.iter().count(), STANDARD.len());
    }

    #[test]
    fn all_leaves_out_authorization_and_underscores() {
        let headers: HeaderMap = [
            "user-agent",
            "accept",
            "test_underscore",
            "authorization",
            "host",
        ]
        .into_iter()
        .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")))
        .collect();
        assert_eq!(
            SignedHeaders::all(&headers).as_str(),
            "accept;host;user-agent"
        );
    }

    #[test]
    fn refuses_invalid_lists() {
        for list in [
            "", ";", "a;", ";a", "a;;b", "b;a", "a;a", "A", "a b", "a,b", "a:b", "é",
        ] {
            assert!(SignedHeaders::parse(list).is_none(), "{list:?}");
        }
    }
}
