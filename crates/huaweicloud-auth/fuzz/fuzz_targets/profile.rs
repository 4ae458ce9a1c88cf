//! Any file in the place of the profile: nothing panics, and no key comes out that fits no header.
#![no_main]

use std::{
    fs,
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::Request;
use huaweicloud_auth::{
    Environment, HttpFuture, HttpTransport, ProfileProvider, ProvideCredentials, ProviderContext,
    TransportError, TransportErrorKind,
};
use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;

#[derive(Debug)]
struct Nobody;

impl HttpTransport for Nobody {
    fn send(&self, _: Request<Vec<u8>>, _: Duration) -> HttpFuture<'_> {
        Box::pin(std::future::ready(Err(TransportError::new(
            TransportErrorKind::Unreachable,
        ))))
    }
}

static FILE: LazyLock<NamedTempFile> = LazyLock::new(|| NamedTempFile::new().unwrap());

static PROVIDER: LazyLock<ProfileProvider> = LazyLock::new(|| {
    let path = FILE.path().to_str().unwrap();
    let environment = Environment::from_iter([("HUAWEICLOUD_SDK_CREDENTIALS_FILE", path)]);
    let context = ProviderContext::new(Arc::new(Nobody)).with_environment(environment);
    ProfileProvider::new(&context)
});

fuzz_target!(|file: &[u8]| {
    fs::write(FILE.path(), file).unwrap();
    let mut future = pin!(PROVIDER.provide_credentials());
    let Poll::Ready(result) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("nothing here waits");
    };
    match result {
        Ok(credentials) => {
            let key = credentials.access_key().unwrap();
            assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
            let secret = credentials.secret_key().unwrap();
            assert!(!secret.is_empty() && secret.trim() == secret);
        }
        Err(error) => assert!(error.to_string().starts_with("profile: ")),
    }
});
