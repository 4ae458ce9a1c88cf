//! Compares signatures with those of the official Python SDK: see `tests/oracle/README.md`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use huaweicloud_auth::{
    Credentials,
    signing::{
        self, Payload, RequestTarget, SignedHeaders, Signer, SigningRequest, X_SDK_CONTENT_SHA256,
        X_SECURITY_TOKEN, canonical_request,
    },
    verification::{Authorization, VerificationErrorKind, Verifier},
};
use serde::Deserialize;

/// A request that the SDK signed.
#[derive(Deserialize)]
struct Signed {
    access_key: String,
    secret_key: String,
    method: String,
    host: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    authorization: String,
}

#[derive(Debug, Default)]
struct Counts {
    compared: usize,
    authorized: usize,
    unsigned: usize,
    empty_but_declared_unsigned: usize,
}

#[test]
#[ignore = "needs Python with huaweicloudsdkcore: see tests/oracle/README.md"]
fn every_signature_is_that_of_the_official_python_sdk() {
    let setting = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let python = setting("ORACLE_PYTHON", "python3");
    let count = setting("ORACLE_REQUESTS", "12000");
    let seed = setting("ORACLE_SEED", "1");
    // The SDK writes a file to the home directory.
    let home = tempfile::tempdir().unwrap();
    let mut probe = Command::new(&python);
    probe
        .args(["-c", "import huaweicloudsdkcore"])
        .env("HOME", home.path())
        .stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: {python} has no huaweicloudsdkcore; see tests/oracle/README.md");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/sign.py");
    let mut signer = Command::new(&python)
        .args([script.as_os_str(), count.as_ref(), seed.as_ref()])
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut counts = Counts::default();
    for line in BufReader::new(signer.stdout.take().unwrap()).lines() {
        compare(&serde_json::from_str(&line.unwrap()).unwrap(), &mut counts);
    }
    assert!(signer.wait().unwrap().success());
    println!("{counts:?}");
    let all = counts.compared + counts.empty_but_declared_unsigned;
    assert_eq!(all, count.parse::<usize>().unwrap());
    assert!(counts.compared > all * 9 / 10 && counts.authorized > all / 10);
}

fn compare(theirs: &Signed, counts: &mut Counts) {
    let headers = theirs.headers();
    let method: Method = theirs.method.parse().unwrap();
    let request = SigningRequest {
        target: RequestTarget {
            method: &method,
            host: &theirs.host,
            path: &theirs.path,
            query: &theirs.query,
        },
        headers: &headers,
        payload: Payload::Bytes(&theirs.body),
    };
    let authorization = Authorization::parse(&theirs.authorization).unwrap();
    assert_eq!(authorization.access_key(), theirs.access_key);
    let is_unsigned = headers.contains_key(X_SDK_CONTENT_SHA256);
    verify(theirs, &authorization, &request, is_unsigned);
    if is_unsigned && theirs.body.is_empty() {
        counts.empty_but_declared_unsigned += 1;
        return;
    }
    counts.compared += 1;
    counts.unsigned += usize::from(is_unsigned);

    let names = authorization.signed_headers();
    let credentials = Credentials::new(&*theirs.access_key, &*theirs.secret_key).unwrap();
    let signer = Signer::new(&credentials, now()).with_signed_headers(names.clone());
    let mut ours = headers.clone();
    signer
        .authorize(request.target, &mut ours, request.payload)
        .unwrap();
    assert_eq!(
        ours[header::AUTHORIZATION],
        theirs.authorization,
        "{}",
        canonical_request(&request, names)
    );
    if *names == SignedHeaders::standard(&headers) {
        counts.authorized += 1;
        authorize(theirs, &request);
    }
}

fn verify(
    theirs: &Signed,
    authorization: &Authorization<'_>,
    request: &SigningRequest<'_>,
    is_unsigned: bool,
) {
    let lenient = Verifier::default().with_unsigned_payload(true);
    let accepted = |verifier: Verifier| {
        verifier
            .verify(authorization, request, &theirs.secret_key, now())
            .map_err(|error| error.kind())
    };
    assert_eq!(accepted(lenient), Ok(()), "{}", theirs.authorization);
    let strict = if is_unsigned && !theirs.body.is_empty() {
        Err(VerificationErrorKind::UnsignedPayload)
    } else {
        Ok(())
    };
    assert_eq!(
        accepted(Verifier::default()),
        strict,
        "{}",
        theirs.authorization
    );
}

/// Compares `authorize` with the SDK, when it signs the same headers.
fn authorize(theirs: &Signed, request: &SigningRequest<'_>) {
    let mut credentials = Credentials::new(&*theirs.access_key, &*theirs.secret_key).unwrap();
    let mut headers = request.headers.clone();
    if let Some(token) = headers.remove(X_SECURITY_TOKEN) {
        credentials = credentials
            .with_security_token(token.to_str().unwrap())
            .unwrap();
    }
    headers.remove(signing::X_SDK_DATE);
    signing::authorize(
        &credentials,
        request.target,
        &mut headers,
        request.payload,
        now(),
    )
    .unwrap();
    assert_eq!(headers[header::AUTHORIZATION], theirs.authorization);
}

impl Signed {
    fn headers(&self) -> HeaderMap {
        let byte = |character| u8::try_from(u32::from(character)).unwrap();
        let header = |(name, value): &(String, String)| {
            let bytes: Vec<u8> = value.chars().map(byte).collect();
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(&bytes).unwrap(),
            )
        };
        self.headers.iter().map(header).collect()
    }
}

/// 2026-01-02T03:04:05Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}
