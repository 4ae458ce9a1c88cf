//! Responses that are written in case files, in files of `--responses` and in `faults.toml`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::wire::Response;

/// A response in a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedResponse {
    pub(crate) status: u16,
    /// The default `content-type` is `application/json`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// Whether the body violates the contract, as the case intends.
    #[serde(default)]
    pub(crate) breaks_contract: bool,
}

impl ScriptedResponse {
    /// A response in JSON.
    pub fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: BTreeMap::new(),
            body: body.to_owned(),
            breaks_contract: false,
        }
    }

    /// The response as it is on the wire.
    pub(crate) fn response(&self) -> Result<Response> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().with_context(|| format!("header {name:?}"))?;
            let value = value.parse().with_context(|| format!("header {name}"))?;
            headers.insert(name, value);
        }
        Ok(Response {
            status: StatusCode::from_u16(self.status)
                .with_context(|| format!("status {}", self.status))?,
            headers,
            body: self.body.clone().into_bytes(),
        })
    }
}

/// Responses in order; the last one is repeated.
#[derive(Debug, Default)]
pub struct Script {
    responses: Vec<Response>,
    next: AtomicUsize,
}

impl Script {
    /// A script of these responses.
    ///
    /// # Errors
    /// When a status or a header is not valid.
    pub fn new(responses: &[ScriptedResponse]) -> Result<Self> {
        let responses = responses.iter().map(ScriptedResponse::response);
        Ok(Self {
            responses: responses.collect::<Result<_>>()?,
            next: AtomicUsize::default(),
        })
    }

    /// `None` when the script is empty.
    pub(crate) fn next(&self) -> Option<Response> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.responses.get(next).or(self.responses.last()).cloned()
    }
}
