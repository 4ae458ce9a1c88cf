//! A server gets any `Authorization` header with any request: nothing panics, and nobody gets in without the key.
#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method};
use huaweicloud_auth::{
    signing::{Payload, RequestTarget, SignedHeaders, SigningRequest, X_SDK_DATE},
    verification::{Authorization, Verifier},
};
use libfuzzer_sys::fuzz_target;

// Lines: Authorization, path, query; what follows is a header value and the body.
fuzz_target!(|input: &str| {
    let mut lines = input.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (authorization, path, query, value) = (line(), line(), line(), line().as_bytes());
    let Ok(authorization) = Authorization::parse(authorization) else {
        return;
    };
    let names = authorization.signed_headers();
    assert_eq!(SignedHeaders::parse(names.as_str()).as_ref(), Some(names));
    assert_eq!(authorization.signature().len(), 64);
    assert!(!authorization.access_key().is_empty());

    let mut headers = HeaderMap::new();
    headers.insert(X_SDK_DATE, HeaderValue::from_static("20260102T030405Z"));
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.append("x-odd", value.clone());
        headers.append("x-sdk-content-sha256", value);
    }
    let request = SigningRequest {
        target: RequestTarget {
            method: &Method::POST,
            host: "example.com",
            path,
            query,
        },
        headers: &headers,
        payload: Payload::Bytes(value),
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    let verifier = Verifier::default().with_unsigned_payload(true);
    let error = verifier
        .verify(&authorization, &request, "a key that nobody knows", now)
        .unwrap_err();
    let _ = error.canonical_request().map(ToString::to_string);
});
