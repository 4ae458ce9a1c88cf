//! The bodies of the fuzz targets, which `cargo test` runs with the seeds.

use std::{
    collections::VecDeque,
    fs,
    pin::pin,
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response};
use huaweicloud_auth::{
    Credentials, Environment, HttpFuture, HttpTransport, MetadataProvider, ProfileProvider,
    ProvideCredentials, ProviderContext, ProviderError, TransportError, TransportErrorKind,
    signing::{Payload, RequestTarget, SignedHeaders, SigningRequest, X_SDK_DATE},
    verification::{Authorization, Verifier},
};
use tempfile::NamedTempFile;

/// Any `Authorization` header with any request: nothing panics, and no signature is accepted without the key.
///
/// The lines of the input are `Authorization`, path and query; the rest is a header value and the body.
pub(crate) fn authorization(input: &str) {
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
    let verifier = Verifier::default()
        .with_unsigned_payload(true)
        .with_unsigned_host(true);
    let error = verifier
        .verify(&authorization, &request, "another key", now)
        .unwrap_err();
    let _ = error.canonical_request().map(ToString::to_string);
}

/// Any file as the profile: nothing panics, and every access key is a valid header value.
pub(crate) fn profile(file: &[u8]) {
    static FILE: LazyLock<NamedTempFile> = LazyLock::new(|| NamedTempFile::new().unwrap());
    static PROVIDER: LazyLock<ProfileProvider> = LazyLock::new(|| {
        let path = FILE.path().to_str().unwrap();
        let environment = Environment::from_iter([("HUAWEICLOUD_SDK_CREDENTIALS_FILE", path)]);
        ProfileProvider::new(&context([]).with_environment(environment))
    });
    fs::write(FILE.path(), file).unwrap();
    match provided(&*PROVIDER) {
        Ok(credentials) => {
            let key = credentials.access_key().unwrap();
            assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
            let secret = credentials.secret_key().unwrap();
            assert!(!secret.is_empty() && secret.trim() == secret);
        }
        Err(error) => assert!(error.to_string().starts_with("profile: ")),
    }
}

/// Any responses of the metadata service: nothing panics, and every key has an expiry.
///
/// The input is responses separated by zero bytes: three digits of status, then the body.
pub(crate) fn metadata(input: &[u8]) {
    let responses: Vec<_> = input.split(|byte| *byte == 0).map_while(response).collect();
    let provider = MetadataProvider::new(&context(responses));
    for _ in 0..2 {
        match provided(&provider) {
            Ok(credentials) => {
                assert!(credentials.expires_at().is_some());
                assert!(credentials.security_token().is_some());
            }
            Err(error) => assert!(error.to_string().starts_with("metadata: ")),
        }
    }
}

fn response(record: &[u8]) -> Option<Response<Vec<u8>>> {
    let (status, body) = record.split_at_checked(3)?;
    let status: u16 = std::str::from_utf8(status).ok()?.parse().ok()?;
    Response::builder().status(status).body(body.to_vec()).ok()
}

/// Returns the responses in their order, then errors.
#[derive(Debug)]
struct Responses(Mutex<VecDeque<Response<Vec<u8>>>>);

impl HttpTransport for Responses {
    fn send(&self, _: Request<Vec<u8>>, _: Duration) -> HttpFuture<'_> {
        let response = self.0.lock().unwrap().pop_front();
        let response = response.ok_or(TransportError::new(TransportErrorKind::Other));
        Box::pin(std::future::ready(response))
    }
}

fn context(responses: impl IntoIterator<Item = Response<Vec<u8>>>) -> ProviderContext {
    let responses = Mutex::new(responses.into_iter().collect());
    ProviderContext::new(Arc::new(Responses(responses)))
        .with_environment(Environment::from_iter::<[(&str, &str); 0]>([]))
}

fn provided(provider: &dyn ProvideCredentials) -> Result<Credentials, ProviderError> {
    let mut future = pin!(provider.provide_credentials());
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("no provider waits"),
    }
}
