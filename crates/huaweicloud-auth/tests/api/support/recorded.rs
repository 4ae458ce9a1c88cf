//! An HTTP client with recorded responses.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use http::{Request, Response};
use huaweicloud_auth::{HttpFuture, HttpTransport, TransportError, TransportErrorKind};
use serde::Deserialize;
use serde_json::Value;

/// Responds to the expected requests in their order, and panics at any other.
#[derive(Debug)]
pub(crate) struct Recorded(Mutex<VecDeque<Exchange>>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    request: ExpectedRequest,
    response: Option<RecordedResponse>,
    /// `unreachable` or `timed_out`.
    fails: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRequest {
    method: String,
    url: String,
    /// `null` for a header that must be absent.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    body: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedResponse {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
}

impl Recorded {
    pub(crate) fn new(exchanges: Vec<Exchange>) -> Self {
        Self(Mutex::new(exchanges.into()))
    }

    pub(crate) fn from_json(exchanges: Value) -> Self {
        Self::new(serde_json::from_value(exchanges).unwrap())
    }

    /// The number of requests that were not sent.
    pub(crate) fn remaining(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn response(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let exchange = self.0.lock().unwrap().pop_front();
        let Some(exchange) = exchange else {
            panic!("not expected: {request:?}")
        };
        exchange.request.compare(request);
        let kind = match (exchange.response, exchange.fails.as_deref()) {
            (Some(response), None) => return Ok(response.into_response()),
            (None, Some("unreachable")) => TransportErrorKind::Unreachable,
            (None, Some("timed_out")) => TransportErrorKind::TimedOut,
            _ => panic!("an exchange has either a response or a failure"),
        };
        Err(TransportError::new(kind))
    }
}

impl HttpTransport for Recorded {
    fn send(&self, request: Request<Vec<u8>>, timeout: Duration) -> HttpFuture<'_> {
        assert!(timeout > Duration::ZERO && timeout <= Duration::from_secs(30));
        Box::pin(std::future::ready(self.response(&request)))
    }
}

impl ExpectedRequest {
    fn compare(&self, request: &Request<Vec<u8>>) {
        assert_eq!(request.method().as_str(), self.method);
        assert_eq!(request.uri().to_string(), self.url);
        for (name, value) in &self.headers {
            let sent = request
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap());
            assert_eq!(sent, value.as_deref(), "{name}");
        }
        if let Some(body) = &self.body {
            let sent: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!(sent, *body);
        }
    }
}

impl RecordedResponse {
    /// A string is sent unchanged, any other value as JSON.
    fn into_response(self) -> Response<Vec<u8>> {
        let body = match self.body {
            Value::String(text) => text.into_bytes(),
            Value::Null => Vec::new(),
            json => json.to_string().into_bytes(),
        };
        let headers = self.headers;
        headers
            .iter()
            .fold(
                Response::builder().status(self.status),
                |builder, (name, value)| builder.header(name, value),
            )
            .body(body)
            .unwrap()
    }
}
