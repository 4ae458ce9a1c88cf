//! The `Authorization` header, well and badly formed.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests, too, fail by panicking"
)]

use http::{HeaderMap, HeaderValue, header};
use huaweicloud_auth::verification::{Authorization, VerificationErrorKind as Kind};

/// A header's value; `HEX` stands for a signature.
fn value(parts: &str) -> String {
    format!("SDK-HMAC-SHA256 {}", parts.replace("HEX", &"0".repeat(64)))
}

fn fault(value: &str) -> Kind {
    Authorization::parse(value).unwrap_err().kind()
}

#[test]
fn its_parts_come_in_any_order() {
    for good in [
        value("Access=A, SignedHeaders=host;x-sdk-date, Signature=HEX"),
        value("Access=A,SignedHeaders=host;x-sdk-date,Signature=HEX"),
        value("Signature=HEX, SignedHeaders=host;x-sdk-date, Access=A"),
    ] {
        let authorization = Authorization::parse(&good).unwrap();
        assert_eq!(authorization.access_key(), "A");
        assert_eq!(authorization.signed_headers().as_str(), "host;x-sdk-date");
        assert_eq!(authorization.signature(), "0".repeat(64));
    }
}

#[test]
fn other_algorithms_are_told_apart() {
    for other in [
        "",
        "Bearer abc",
        "SDK-HMAC-SM3 Access=A",
        "sdk-hmac-sha256 Access=A",
    ] {
        assert_eq!(fault(other), Kind::UnsupportedAlgorithm, "{other}");
    }
}

#[test]
fn each_part_stands_there_once_and_nothing_else() {
    assert_eq!(fault("SDK-HMAC-SHA256"), Kind::Malformed);
    for parts in [
        "",
        "Access=A, SignedHeaders=x-sdk-date",
        "Access=, SignedHeaders=x-sdk-date, Signature=HEX",
        "Access=A, SignedHeaders=x-sdk-date;host, Signature=HEX",
        "Access=A, SignedHeaders=X-Sdk-Date, Signature=HEX",
        "Access=A, SignedHeaders=x-sdk-date, Signature=HEX0",
        "Access=A, SignedHeaders=x-sdk-date, Signature=G",
        "Access=A, Access=B, SignedHeaders=x-sdk-date, Signature=HEX",
        "Access=A, SignedHeaders=x-sdk-date, Signature=HEX, Other=1",
        "Access=A, SignedHeaders=x-sdk-date, Signature=HEX,",
    ] {
        assert_eq!(fault(&value(parts)), Kind::Malformed, "{parts}");
    }
}

#[test]
fn a_request_has_one_of_it() {
    let kind = |headers: &HeaderMap| Authorization::from_headers(headers).unwrap_err().kind();
    let mut headers = HeaderMap::new();
    assert_eq!(kind(&headers), Kind::Missing);
    let good = value("Access=A, SignedHeaders=x-sdk-date, Signature=HEX");
    let good: HeaderValue = good.parse().unwrap();
    headers.append(header::AUTHORIZATION, good.clone());
    assert!(Authorization::from_headers(&headers).is_ok());
    headers.append(header::AUTHORIZATION, good);
    assert_eq!(kind(&headers), Kind::Malformed);
}
