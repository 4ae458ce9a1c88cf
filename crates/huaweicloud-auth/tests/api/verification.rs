//! Verification: valid and invalid signatures.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::{
    signing::{self, Payload, SignedHeaders, SigningRequest, X_SDK_CONTENT_SHA256, X_SDK_DATE},
    verification::{Authorization, VerificationErrorKind as Kind, Verifier},
};

use crate::support::{
    headers, key_pair, now,
    test_request::{DATE, TestRequest},
};

type Change = fn(&mut TestRequest);

const MINUTE: Duration = Duration::from_secs(60);

/// A signed request, which tests change.
fn signed_request() -> TestRequest {
    let headers = headers(&[("content-type", "application/json")]);
    signed_with(headers, Payload::Bytes(b"{}"))
}

fn signed_with(headers: HeaderMap, payload: Payload<'_>) -> TestRequest {
    let mut sent = TestRequest {
        method: Method::POST,
        host: "example.com".into(),
        path: "/v1/vpcs".into(),
        query: "limit=2".into(),
        headers,
        body: b"{}".to_vec(),
    };
    let mut headers = sent.headers.clone();
    signing::authorize(&key_pair(), sent.target(), &mut headers, payload, now()).unwrap();
    sent.headers = headers;
    sent
}

/// A request with the listed headers signed.
fn signed_listed(names: &str, pairs: &[(&'static str, &'static str)], body: &[u8]) -> TestRequest {
    let mut sent = signed_request();
    sent.body = body.to_vec();
    sent.headers = headers(pairs);
    sent.sign_listed(&key_pair(), SignedHeaders::parse(names).unwrap());
    sent
}

impl TestRequest {
    fn verify(&self) -> Result<(), Kind> {
        self.verify_with(&Verifier::default(), now())
    }

    fn verify_with(&self, verifier: &Verifier, now: SystemTime) -> Result<(), Kind> {
        let authorization =
            Authorization::from_headers(&self.headers).map_err(|error| error.kind())?;
        verifier
            .verify(&authorization, &self.request(), "SecretKey", now)
            .map_err(|error| error.kind())
    }
}

#[test]
fn changes_are_detected() {
    assert_eq!(signed_request().verify(), Ok(()));
    let changes: [(&str, Change); 10] = [
        ("method", |signed| signed.method = Method::PUT),
        ("host", |signed| signed.host = "example.org".into()),
        ("path", |signed| signed.path = "/v1/vpcz".into()),
        ("path, one level up", |signed| signed.path = "/v1".into()),
        ("query", |signed| signed.query = "limit=3".into()),
        ("no query", |signed| signed.query.clear()),
        ("body", |signed| signed.body.push(b' ')),
        ("no body", |signed| signed.body.clear()),
        ("a second value", |signed| {
            signed
                .headers
                .append(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        }),
        ("another date", |signed| {
            signed.set("x-sdk-date", "20260102T030406Z");
        }),
    ];
    for (name, change) in changes {
        let mut signed = signed_request();
        change(&mut signed);
        assert_eq!(signed.verify(), Err(Kind::SignatureMismatch), "{name}");
    }
}

#[test]
fn another_spelling_of_a_request_is_valid() {
    let mut signed = signed_request();
    signed.path = "/v1/%76pcs".into();
    signed.query = "lim%69t=2&".into();
    signed.set("content-type", " application/json ");
    signed.set("user-agent", "not signed");
    assert_eq!(signed.verify(), Ok(()));
}

#[test]
fn a_mismatch_returns_the_canonical_request_without_the_token() {
    let mut signed = signed_request();
    signed.set("x-security-token", "canary");
    let names = "host;x-sdk-date;x-security-token";
    let value = format!(
        "SDK-HMAC-SHA256 Access=A, SignedHeaders={names}, Signature={:0>64}",
        0
    );
    let authorization = Authorization::parse(&value).unwrap();
    let error = Verifier::default()
        .verify(&authorization, &signed.request(), "SecretKey", now())
        .unwrap_err();
    let shown = error.canonical_request().unwrap().to_string();
    assert!(
        shown.starts_with("POST\n/v1/vpcs/\nlimit=2\nhost:example.com\n"),
        "{shown}"
    );
    assert!(!format!("{shown}{error}{error:?}").contains("canary"));
}

#[test]
fn skew_is_limited_in_both_directions() {
    let signed = signed_request();
    let verify = |now| signed.verify_with(&Verifier::default(), now);
    for (now, expected) in [
        (now() - 15 * MINUTE, Ok(())),
        (now() + 15 * MINUTE, Ok(())),
        (
            now() - 15 * MINUTE - Duration::from_nanos(1),
            Err(Kind::Skewed),
        ),
        (
            now() + 15 * MINUTE + Duration::from_nanos(1),
            Err(Kind::Skewed),
        ),
        (SystemTime::UNIX_EPOCH, Err(Kind::Skewed)),
    ] {
        assert_eq!(verify(now), expected);
    }
    let strict = Verifier::default().with_max_skew(MINUTE);
    assert_eq!(
        signed.verify_with(&strict, now() + 2 * MINUTE),
        Err(Kind::Skewed)
    );
}

#[test]
fn one_signed_date_is_required() {
    let mut signed = signed_request();
    signed
        .headers
        .append(X_SDK_DATE, HeaderValue::from_static(DATE));
    assert_eq!(signed.verify(), Err(Kind::InvalidDate));
    signed.set("x-sdk-date", "yesterday");
    assert_eq!(signed.verify(), Err(Kind::InvalidDate));
    signed.headers.remove(X_SDK_DATE);
    assert_eq!(signed.verify(), Err(Kind::HeaderMissing));
    let unsigned_date = signed_listed("host", &[("x-sdk-date", DATE)], b"");
    assert_eq!(unsigned_date.verify(), Err(Kind::DateNotSigned));
}

#[test]
fn listed_headers_are_required() {
    let mut signed = signed_request();
    signed.headers.remove(header::CONTENT_TYPE);
    assert_eq!(signed.verify(), Err(Kind::HeaderMissing));
    let mut signed = signed_request();
    signed.host.clear();
    assert_eq!(signed.verify(), Err(Kind::HeaderMissing));
}

#[test]
fn any_list_of_headers_with_host_and_date_is_valid() {
    let without_host = Verifier::default().with_unsigned_host(true);
    for (names, expected) in [
        ("x-sdk-date", Err(Kind::HostNotSigned)),
        ("user-agent;x-sdk-date", Err(Kind::HostNotSigned)),
        ("host;x-sdk-date", Ok(())),
        ("accept;host;test_name;x-sdk-date", Ok(())),
    ] {
        let headers = [
            ("accept", "*/*"),
            ("user-agent", "u"),
            ("test_name", "t"),
            ("x-sdk-date", DATE),
        ];
        let signed = signed_listed(names, &headers, b"{}");
        assert_eq!(signed.verify(), expected, "{names}");
        let lenient = signed.verify_with(&without_host, now());
        assert_eq!(lenient, Ok(()), "{names}");
    }
}

#[test]
fn a_head_is_checked_without_key_and_body() {
    let check = |signed: &TestRequest, now| {
        let authorization = Authorization::from_headers(&signed.headers).unwrap();
        let request = SigningRequest {
            payload: Payload::Unsigned,
            ..signed.request()
        };
        Verifier::default()
            .check_head(&authorization, &request, now)
            .map_err(|error| error.kind())
    };
    let signed = signed_request();
    let later = now() + 14 * MINUTE;
    assert_eq!(check(&signed, later), Ok(now()));
    assert_eq!(check(&signed, later + 2 * MINUTE), Err(Kind::Skewed));
    let unsigned_host = signed_listed("x-sdk-date", &[("x-sdk-date", DATE)], b"");
    assert_eq!(check(&unsigned_host, now()), Err(Kind::HostNotSigned));
    let mut changed = signed_request();
    changed.headers.remove(header::CONTENT_TYPE);
    assert_eq!(check(&changed, now()), Err(Kind::HeaderMissing));
}

#[test]
fn a_declared_hash_must_match_the_body() {
    let right = "44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A";
    let state = |hash| {
        signed_listed(
            "host;x-sdk-date",
            &[("x-sdk-date", DATE), ("x-sdk-content-sha256", hash)],
            b"{}",
        )
    };
    assert_eq!(state(right).verify(), Ok(()));
    assert_eq!(state("e3b0c442").verify(), Err(Kind::PayloadMismatch));
    let mut twice = state(right);
    twice.headers.append(
        X_SDK_CONTENT_SHA256,
        HeaderValue::from_static("UNSIGNED-PAYLOAD"),
    );
    assert_eq!(twice.verify(), Err(Kind::PayloadMismatch));
}

#[test]
fn an_unsigned_payload_must_be_accepted_explicitly() {
    let accepting = Verifier::default().with_unsigned_payload(true);
    let unsigned = signed_with(HeaderMap::new(), Payload::Unsigned);
    assert_eq!(unsigned.verify(), Err(Kind::UnsignedPayload));
    assert_eq!(unsigned.verify_with(&accepting, now()), Ok(()));

    let mut declared_later = signed_request();
    declared_later.set("x-sdk-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(declared_later.verify(), Err(Kind::UnsignedPayload));
    assert_eq!(
        declared_later.verify_with(&accepting, now()),
        Err(Kind::SignatureMismatch)
    );
}

#[test]
fn an_unread_body_is_valid_only_as_an_unsigned_one() {
    let accepting = Verifier::default().with_unsigned_payload(true);
    for (signed, verifier, expected) in [
        (signed_request(), &accepting, Err(Kind::UnsignedPayload)),
        (
            signed_with(HeaderMap::new(), Payload::Unsigned),
            &accepting,
            Ok(()),
        ),
        (
            signed_with(HeaderMap::new(), Payload::Unsigned),
            &Verifier::default(),
            Err(Kind::UnsignedPayload),
        ),
    ] {
        let authorization = Authorization::from_headers(&signed.headers).unwrap();
        let request = SigningRequest {
            payload: Payload::Unsigned,
            ..signed.request()
        };
        let result = verifier.verify(&authorization, &request, "SecretKey", now());
        assert_eq!(result.map_err(|error| error.kind()), expected);
    }
}

/// The Python SDK declares the payload of a form as unsigned, but signs the hash of an empty body.
#[test]
fn an_empty_body_declared_unsigned_is_valid_with_its_hash() {
    let mut signed = signed_listed("host;x-sdk-date", &[("x-sdk-date", DATE)], b"");
    signed.set("x-sdk-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(signed.verify(), Ok(()));
    signed.body.push(b'x');
    assert_eq!(signed.verify(), Err(Kind::UnsignedPayload));
}

/// The value of an `Authorization` header; `HEX` is replaced by a signature.
fn value(parts: &str) -> String {
    format!("SDK-HMAC-SHA256 {}", parts.replace("HEX", &"0".repeat(64)))
}

fn parse_failure(value: &str) -> Kind {
    Authorization::parse(value).unwrap_err().kind()
}

#[test]
fn parts_may_be_in_any_order() {
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
fn other_algorithms_are_unsupported() {
    for other in [
        "",
        "Bearer abc",
        "SDK-HMAC-SM3 Access=A",
        "sdk-hmac-sha256 Access=A",
    ] {
        assert_eq!(parse_failure(other), Kind::UnsupportedAlgorithm, "{other}");
    }
}

#[test]
fn each_part_is_required_once() {
    assert_eq!(parse_failure("SDK-HMAC-SHA256"), Kind::Malformed);
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
        assert_eq!(parse_failure(&value(parts)), Kind::Malformed, "{parts}");
    }
}

#[test]
fn one_authorization_header_is_required() {
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
