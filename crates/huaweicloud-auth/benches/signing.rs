//! The duration of a signature, compared with a SHA-256 of the body.

use std::{
    hint::black_box,
    time::{Duration, SystemTime},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::{
    Credentials,
    signing::{
        Payload, RequestTarget, SignedHeaders, SigningRequest, X_PROJECT_ID, authorize,
        canonical_request,
    },
    verification::{Authorization, Verifier},
};
use sha2::{Digest, Sha256};

const BODY: &[u8] = br#"{"partitions":[{"partition":0,"offset":1}]}"#;
const TARGET: RequestTarget<'static> = RequestTarget {
    method: &Method::POST,
    host: "dms.ap-southeast-1.myhuaweicloud.com",
    path: "/v2/0123456789abcdef0123456789abcdef/kafka/instances/11111111-2222-3333-4444-555555555555/topics/orders/messages/delete",
    query: "",
};

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        X_PROJECT_ID,
        HeaderValue::from_static("0123456789abcdef0123456789abcdef"),
    );
    headers
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

fn sign(credentials: &Credentials, mut headers: HeaderMap, body: &[u8]) -> HeaderMap {
    let result = authorize(
        credentials,
        TARGET,
        &mut headers,
        Payload::Bytes(body),
        now(),
    );
    assert!(result.is_ok());
    headers
}

fn small_body(criterion: &mut Criterion) {
    let (credentials, headers) = (key(), headers());
    criterion.bench_function("sign a small body", |bencher| {
        bencher.iter(|| sign(&credentials, headers.clone(), black_box(BODY)));
    });
    let signed = sign(&credentials, headers, BODY);
    criterion.bench_function("canonical request", |bencher| {
        let request = SigningRequest {
            target: TARGET,
            headers: &signed,
            payload: Payload::Bytes(BODY),
        };
        let names = SignedHeaders::standard(&signed);
        bencher.iter(|| canonical_request(black_box(&request), &names));
    });
    criterion.bench_function("verify a small body", |bencher| {
        bencher.iter(|| {
            let request = SigningRequest {
                target: TARGET,
                headers: &signed,
                payload: Payload::Bytes(black_box(BODY)),
            };
            let result = Authorization::from_headers(&signed).and_then(|authorization| {
                Verifier::default().verify(
                    &authorization,
                    &request,
                    "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
                    now(),
                )
            });
            assert!(result.is_ok());
        });
    });
}

fn large_body(criterion: &mut Criterion) {
    let body = vec![b'x'; 1024 * 1024];
    let (credentials, headers) = (key(), headers());
    let mut group = criterion.benchmark_group("1 MiB");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("sign", |bencher| {
        bencher.iter(|| sign(&credentials, headers.clone(), &body));
    });
    group.bench_function("bare SHA-256", |bencher| {
        bencher.iter(|| Sha256::digest(black_box(&body)));
    });
    group.finish();
}

#[expect(clippy::unwrap_used, reason = "constants that are a key")]
fn key() -> Credentials {
    Credentials::new(
        "QTWAOYTTINDUT2QVKYUC",
        "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
    )
    .unwrap()
}

criterion_group!(benches, small_body, large_body);
criterion_main!(benches);
