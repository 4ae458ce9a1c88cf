//! The published signature vectors.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use huaweicloud_auth::signing::{Payload, RequestTarget, SigningRequest};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    algorithm: String,
    cases: Vec<Vector>,
}

#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    #[serde(deserialize_with = "method")]
    pub(crate) method: Method,
    pub(crate) path_on_the_wire: String,
    query: Vec<(String, String)>,
    signed_headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) x_sdk_date: String,
    pub(crate) canonical_request: String,
    pub(crate) canonical_request_sha256: String,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
    pub(crate) authorization: String,
}

fn method<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

pub(crate) fn vectors() -> Vec<Vector> {
    let file: File =
        serde_json::from_str(include_str!("../../vectors/signature-vectors.json")).unwrap();
    assert_eq!(file.algorithm, huaweicloud_auth::signing::ALGORITHM);
    assert!(!file.cases.is_empty());
    file.cases
}

impl Vector {
    pub(crate) fn query(&self) -> String {
        let parameters: Vec<_> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        parameters.join("&")
    }

    /// The signed headers except `host`, which is in the target.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.signed_headers
            .iter()
            .filter(|(name, _)| name != "host")
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    pub(crate) fn signed_header_names(&self) -> String {
        let names: Vec<_> = self
            .signed_headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(";")
    }

    pub(crate) fn request<'a>(
        &'a self,
        query: &'a str,
        headers: &'a HeaderMap,
    ) -> SigningRequest<'a> {
        let host = self.signed_headers.iter().find(|(name, _)| name == "host");
        SigningRequest {
            target: RequestTarget {
                method: &self.method,
                host: host.map_or("unsigned.example.com", |(_, value)| value),
                path: &self.path_on_the_wire,
                query,
            },
            headers,
            payload: Payload::Bytes(self.body.as_bytes()),
        }
    }

    pub(crate) fn time(&self) -> SystemTime {
        let text = format!("{} +0000", self.x_sdk_date.trim_end_matches('Z'));
        jiff::Timestamp::strptime("%Y%m%dT%H%M%S %z", &text)
            .unwrap()
            .into()
    }
}
