//! Signing: published vectors for every stage, and the headers that signing inserts.

use std::time::{Duration, SystemTime};

use crate::support::{headers, key_pair, now, vectors::vectors};
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::{
    Credentials,
    signing::{
        self, Payload, RequestTarget, SignedHeaders, Signer, SigningErrorKind, SigningRequest,
        authorize, canonical_request, signature, string_to_sign,
    },
    verification::{Authorization, Verifier},
};

#[test]
fn every_stage_agrees_with_the_vectors() {
    for vector in vectors() {
        let name = &vector.name;
        let headers = vector.headers();
        let query = vector.query();
        let request = vector.request(&query, &headers);
        let names = vector.signed_header_names();
        let signed_headers = SignedHeaders::parse(&names).unwrap();
        let canonical_request = canonical_request(&request, &signed_headers);
        assert_eq!(
            String::from_utf8_lossy(canonical_request.as_bytes()),
            vector.canonical_request,
            "{name}"
        );
        assert_eq!(
            canonical_request.sha256(),
            vector.canonical_request_sha256,
            "{name}"
        );
        let string_to_sign = string_to_sign(&vector.x_sdk_date, &canonical_request);
        assert_eq!(string_to_sign, vector.string_to_sign, "{name}");
        assert_eq!(
            signature(&vector.secret_key, &string_to_sign).as_str(),
            vector.signature,
            "{name}"
        );
        let authorization = Authorization::parse(&vector.authorization).unwrap();
        assert_eq!(authorization.access_key(), vector.access_key, "{name}");
        Verifier::default()
            .with_unsigned_host(true)
            .verify(&authorization, &request, &vector.secret_key, vector.time())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn header_values_are_trimmed_and_repeated_ones_sorted() {
    let method = Method::GET;
    let mut headers = headers(&[("x-tag", "  two words\t"), ("x-tag", "a")]);
    headers.append("x-tag", HeaderValue::from_bytes("é".as_bytes()).unwrap());
    let request = SigningRequest {
        target: target(&method),
        headers: &headers,
        payload: Payload::Bytes(b""),
    };
    let canonical_request = canonical_request(&request, &SignedHeaders::all(&headers));
    let lines: Vec<_> = canonical_request
        .as_bytes()
        .split(|byte| *byte == b'\n')
        .skip(3)
        .collect();
    let expected = [
        "host:example.com",
        "x-tag:a",
        "x-tag:two words",
        "x-tag:é",
        "",
        "host;x-tag",
    ];
    assert_eq!(lines[..6], expected.map(str::as_bytes));
}

#[test]
fn authorize_inserts_date_token_and_signature() {
    let credentials = key_pair().with_security_token("TOKEN==").unwrap();
    let mut headers = headers(&[
        ("content-type", "application/json"),
        ("user-agent", "test"),
        ("x-project-id", "p"),
    ]);
    sign(&credentials, &mut headers, Payload::Bytes(b"{}")).unwrap();

    assert_eq!(headers[signing::X_SDK_DATE], "20260102T030405Z");
    assert_eq!(headers[signing::X_SECURITY_TOKEN], "TOKEN==");
    let authorization = Authorization::from_headers(&headers).unwrap();
    assert_eq!(authorization.access_key(), "AccessKey");
    assert_eq!(
        authorization.signed_headers().as_str(),
        "content-type;host;x-project-id;x-sdk-date;x-security-token"
    );
    assert!(headers[header::AUTHORIZATION].is_sensitive());
    assert!(headers[signing::X_SECURITY_TOKEN].is_sensitive());
    assert!(!headers.contains_key(signing::X_SDK_CONTENT_SHA256));
}

/// Starts from the headers that a caller sets.
#[test]
fn authorize_agrees_with_a_vector() {
    let vectors = vectors();
    let vector = vectors
        .iter()
        .find(|vector| vector.name == "delete-messages-temporary-credentials")
        .unwrap();
    let credentials = Credentials::new(&vector.access_key, &vector.secret_key)
        .unwrap()
        .with_security_token("TOKEN==")
        .unwrap();
    let mut headers = vector.headers();
    headers.remove(signing::X_SDK_DATE);
    headers.remove(signing::X_SECURITY_TOKEN);
    let no_headers = HeaderMap::new();
    let target = vector.request("", &no_headers).target;
    authorize(
        &credentials,
        target,
        &mut headers,
        Payload::Bytes(vector.body.as_bytes()),
        vector.time() + Duration::from_millis(999),
    )
    .unwrap();
    assert_eq!(headers[header::AUTHORIZATION], vector.authorization);
}

/// The headers of the vectors are not those that are signed by default.
#[test]
fn a_signer_signs_the_listed_headers() {
    for vector in vectors() {
        let (name, query, names) = (&vector.name, vector.query(), vector.signed_header_names());
        let credentials = Credentials::new(&vector.access_key, &vector.secret_key).unwrap();
        let mut headers = vector.headers();
        headers.insert("x-not-listed", HeaderValue::from_static("1"));
        let signer = Signer::new(&credentials, vector.time())
            .with_signed_headers(SignedHeaders::parse(&names).unwrap());
        let no_headers = HeaderMap::new();
        let request = vector.request(&query, &no_headers);
        let explanation = signer
            .explain(request.target, &headers, request.payload)
            .unwrap();
        let signature = explanation.signature().unwrap();
        assert_eq!(signature.as_str(), vector.signature, "{name}");
        signer
            .authorize(request.target, &mut headers, request.payload)
            .unwrap();
        assert_eq!(
            headers[header::AUTHORIZATION],
            vector.authorization,
            "{name}"
        );
    }
}

#[test]
fn a_hashed_body_signs_like_the_body() {
    let mut from_bytes = HeaderMap::new();
    sign(&key_pair(), &mut from_bytes, Payload::Bytes(b"")).unwrap();
    let empty = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ];
    let mut from_digest = HeaderMap::new();
    sign(&key_pair(), &mut from_digest, Payload::Sha256(empty)).unwrap();
    assert_eq!(from_bytes, from_digest);
}

#[test]
fn an_unsigned_body_is_declared() {
    let mut headers = HeaderMap::new();
    sign(&key_pair(), &mut headers, Payload::Unsigned).unwrap();
    assert_eq!(headers[signing::X_SDK_CONTENT_SHA256], "UNSIGNED-PAYLOAD");
    let authorization = Authorization::from_headers(&headers).unwrap();
    assert!(
        authorization
            .signed_headers()
            .contains("x-sdk-content-sha256")
    );
}

#[test]
fn a_declared_payload_hash_is_signed() {
    let headers = headers(&[("x-sdk-content-sha256", "whatever")]);
    let method = Method::POST;
    for payload in [Payload::Bytes(b"body"), Payload::Unsigned] {
        let explanation =
            signing::explain(&key_pair(), target(&method), &headers, payload, now()).unwrap();
        let canonical_request = explanation.canonical_request().unwrap().to_string();
        assert!(
            canonical_request.ends_with("\nwhatever"),
            "{payload:?}: {canonical_request}"
        );
    }
}

/// The headers of a received request are not marked as sensitive.
#[test]
fn debug_of_a_request_shows_no_header_value_and_no_body() {
    let names = ["x-security-token", "x-auth-token", "cookie", "x-anything"];
    let headers = headers(&names.map(|name| (name, "canary")));
    let method = Method::POST;
    let request = SigningRequest {
        target: target(&method),
        headers: &headers,
        payload: Payload::Bytes(b"canary"),
    };
    let shown = format!("{request:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(
        shown.contains("/v1/vpcs") && shown.contains("x-security-token"),
        "{shown}"
    );
}

#[test]
fn a_token_is_sent_and_nothing_signed() {
    let mut headers = HeaderMap::new();
    sign(
        &Credentials::token("TOKEN").unwrap(),
        &mut headers,
        Payload::Bytes(b""),
    )
    .unwrap();
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[signing::X_AUTH_TOKEN], "TOKEN");
    assert!(headers[signing::X_AUTH_TOKEN].is_sensitive());
}

/// Otherwise the old signature would be sent until it is too old, and then lock the key.
#[test]
fn a_signed_request_is_refused_or_signed_anew_by_choice() {
    let method = Method::POST;
    let later = now() + Duration::from_secs(3600);
    let old_key = key_pair().with_security_token("OLD").unwrap();
    for credentials in [key_pair(), Credentials::token("TOKEN").unwrap()] {
        let mut sent = headers(&[("x-project-id", "p")]);
        sign(&old_key, &mut sent, Payload::Bytes(b"")).unwrap();
        let before = sent.clone();
        let error = sign(&credentials, &mut sent, Payload::Bytes(b"")).unwrap_err();
        assert_eq!(error.kind(), SigningErrorKind::AlreadyAuthorized);
        let signer = Signer::new(&credentials, later);
        let explained = signer.explain(target(&method), &sent, Payload::Bytes(b""));
        assert!(explained.is_err());
        assert_eq!(sent, before);

        let signer = signer.replacing_authorization();
        let invalid = RequestTarget {
            host: "",
            ..target(&method)
        };
        let payload = Payload::Bytes(b"");
        if credentials.auth_token().is_none() {
            signer.authorize(invalid, &mut sent, payload).unwrap_err();
            assert_eq!(sent, before);
        }
        signer
            .authorize(target(&method), &mut sent, payload)
            .unwrap();
        let mut fresh = headers(&[("x-project-id", "p")]);
        authorize(&credentials, target(&method), &mut fresh, payload, later).unwrap();
        assert_eq!(sent, fresh);
    }
}

#[test]
fn a_target_that_is_not_sent_as_it_is_signed_is_refused() {
    use SigningErrorKind::{InvalidHost, InvalidPath, InvalidQuery};
    let method = Method::GET;
    for (host, path, query, kind) in [
        ("http://x/", "/", "", InvalidHost),
        ("https://x", "/", "", InvalidHost),
        ("x/", "/", "", InvalidHost),
        ("x?a=1", "/", "", InvalidHost),
        ("x#a", "/", "", InvalidHost),
        ("user@x", "/", "", InvalidHost),
        ("x y", "/", "", InvalidHost),
        ("x\\y", "/", "", InvalidHost),
        ("h\u{e4}st", "/", "", InvalidHost),
        ("x", "v1", "", InvalidPath),
        ("x", "https://x/v1", "", InvalidPath),
        ("x", "/v1?limit=2", "", InvalidPath),
        ("x", "/v1#top", "", InvalidPath),
        ("x", "?limit=2", "", InvalidPath),
        ("x", "/v1", "?limit=2", InvalidQuery),
        ("x", "/v1", "?", InvalidQuery),
        ("x", "/v1", "limit=2#top", InvalidQuery),
    ] {
        let target = RequestTarget {
            method: &method,
            host,
            path,
            query,
        };
        let mut headers = HeaderMap::new();
        let error = authorize(
            &key_pair(),
            target,
            &mut headers,
            Payload::Bytes(b""),
            now(),
        );
        let error = error.unwrap_err();
        assert_eq!(error.kind(), kind, "{host} {path} {query}: {error}");
        assert!(headers.is_empty());
    }
    for (host, path, query) in [
        ("x:8080", "", ""),
        ("[::1]:8080", "/", "a=?b"),
        ("x_y.example", "//a/%3F%23/\u{e9}", "a=b/c"),
    ] {
        let target = RequestTarget {
            method: &method,
            host,
            path,
            query,
        };
        authorize(
            &key_pair(),
            target,
            &mut HeaderMap::new(),
            Payload::Bytes(b""),
            now(),
        )
        .unwrap();
    }
}

#[test]
fn a_present_date_is_kept() {
    let mut headers = headers(&[("x-sdk-date", "20200608T023900Z")]);
    sign(&key_pair(), &mut headers, Payload::Bytes(b"")).unwrap();
    assert_eq!(headers[signing::X_SDK_DATE], "20200608T023900Z");
}

#[test]
fn an_error_does_not_change_the_headers() {
    let credentials = key_pair().with_security_token("TOKEN").unwrap();
    let method = Method::GET;
    let late = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    for (host, dates, now, kind) in [
        ("", vec![], now(), SigningErrorKind::InvalidHost),
        ("a\nb", vec![], now(), SigningErrorKind::InvalidHost),
        ("h", vec!["tomorrow"], now(), SigningErrorKind::InvalidDate),
        (
            "h",
            vec!["20200608T023900Z", "20200608T023900Z"],
            now(),
            SigningErrorKind::InvalidDate,
        ),
        ("h", vec![], late, SigningErrorKind::ClockOutOfRange),
    ] {
        let dates: Vec<_> = dates.iter().map(|date| ("x-sdk-date", *date)).collect();
        let mut headers = headers(&dates);
        let before = headers.clone();
        let target = RequestTarget {
            host,
            ..target(&method)
        };
        let error =
            authorize(&credentials, target, &mut headers, Payload::Unsigned, now).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(headers, before);
    }
}

#[test]
fn a_host_header_with_another_host_than_the_signed_one_is_refused() {
    let method = Method::GET;
    for (hosts, is_valid) in [
        (&["example.com"][..], true),
        (&[" example.com "], true),
        (&["example.com:443"], false),
        (&["other.example.com"], false),
        (&["example.com", "other.example.com"], false),
    ] {
        let hosts: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        let mut headers = headers(&hosts);
        let target = RequestTarget {
            host: "example.com",
            ..target(&method)
        };
        let result = authorize(
            &key_pair(),
            target,
            &mut headers,
            Payload::Bytes(b""),
            now(),
        );
        match result {
            Ok(()) => assert!(is_valid, "{hosts:?}"),
            Err(error) => {
                assert!(!is_valid, "{hosts:?}: {error}");
                assert_eq!(error.kind(), SigningErrorKind::InvalidHost);
            }
        }
    }
}

#[test]
fn an_explanation_shows_the_stages_and_hides_the_tokens() {
    let credentials = Credentials::new("AccessKey", "canary-secret")
        .unwrap()
        .with_security_token("canary-token")
        .unwrap();
    let mut headers = headers(&[("cookie", "canary-cookie")]);
    let method = Method::POST;
    let explanation = signing::explain(
        &credentials,
        target(&method),
        &headers,
        Payload::Bytes(b""),
        now(),
    )
    .unwrap();
    let shown = format!(
        "{explanation} {explanation:?} {:?}",
        explanation.canonical_request()
    );
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("x-security-token:<redacted>\n"), "{shown}");
    assert!(
        shown.contains("\nauthorization: SDK-HMAC-SHA256 Access=AccessKey, "),
        "{shown}"
    );

    sign(&credentials, &mut headers, Payload::Bytes(b"")).unwrap();
    let authorization = Authorization::from_headers(&headers).unwrap();
    assert_eq!(
        explanation.signature().unwrap().as_str(),
        authorization.signature()
    );

    let token = Credentials::token("canary-token").unwrap();
    let explanation = signing::explain(
        &token,
        target(&method),
        &HeaderMap::new(),
        Payload::Bytes(b""),
        now(),
    )
    .unwrap();
    assert!(explanation.signature().is_none());
    assert!(explanation.to_string().contains("x-auth-token: <redacted>"));
}

fn target(method: &Method) -> RequestTarget<'_> {
    RequestTarget {
        method,
        host: "example.com",
        path: "/v1/vpcs",
        query: "",
    }
}

fn sign(
    credentials: &Credentials,
    headers: &mut HeaderMap,
    payload: Payload<'_>,
) -> Result<(), signing::SigningError> {
    authorize(credentials, target(&Method::POST), headers, payload, now())
}
