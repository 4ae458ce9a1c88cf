//! A request to sign, change and verify.

use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::{
    Credentials,
    signing::{Payload, RequestTarget, SignedHeaders, Signer, SigningRequest, X_SDK_DATE},
};

use super::now;

pub(crate) const DATE: &str = "20260102T030405Z";

#[derive(Clone, Debug)]
pub(crate) struct TestRequest {
    pub(crate) method: Method,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestRequest {
    pub(crate) fn target(&self) -> RequestTarget<'_> {
        RequestTarget {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: &self.query,
        }
    }

    pub(crate) fn request(&self) -> SigningRequest<'_> {
        SigningRequest {
            target: self.target(),
            headers: &self.headers,
            payload: Payload::Bytes(&self.body),
        }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &'static str) {
        self.headers.insert(name, HeaderValue::from_static(value));
    }

    /// Signs the listed headers.
    pub(crate) fn sign_listed(&mut self, credentials: &Credentials, names: SignedHeaders<'_>) {
        let signer = Signer::new(credentials, now()).with_signed_headers(names);
        let mut headers = self.headers.clone();
        headers.remove(header::AUTHORIZATION);
        let payload = Payload::Bytes(&self.body);
        signer
            .authorize(self.target(), &mut headers, payload)
            .unwrap();
        self.headers = headers;
    }

    /// Signs all headers, like the official SDKs.
    pub(crate) fn sign_all(&mut self, credentials: &Credentials) {
        self.headers
            .insert(X_SDK_DATE, HeaderValue::from_static(DATE));
        self.sign_listed(credentials, SignedHeaders::all(&self.headers));
    }
}
