//! A recording server for clients in any language: it judges each request that it gets, and answers so that the client
//! can run on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};
use http::{HeaderName, HeaderValue};
use huaweicloud_auth::Credentials;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::contract::{Contract, DELETE};
use crate::judge;
use crate::script::{Script, ScriptedResponse};
use crate::source::not_empty;
use crate::wire::{Listener, Request, Response, Service};

/// A request and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The request as it stood on the wire; `None` when it was no HTTP.
    pub request: Option<Request>,
    /// What is wrong; empty when nothing is.
    pub faults: Vec<String>,
}

/// A running recording server. It stops when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    listener: Listener,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Recorder {
    /// Listens. Requests must be authorized with `credentials`. They are answered by the script; when it is empty, as a
    /// service does that deletes everything.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(
        address: SocketAddr,
        contract: Arc<Contract>,
        credentials: Credentials,
        script: Script,
    ) -> io::Result<Self> {
        let (said, heard) = mpsc::unbounded_channel();
        let judge = Arc::new(Judge {
            contract,
            credentials,
            script,
            said,
        });
        let listener = Listener::start(address, judge).await?;
        Ok(Self { listener, heard })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The next request, as soon as there is one.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

/// Reads a file of answers: `[[answer]]` as in client cases.
///
/// # Errors
/// When it cannot be read, or has no answer.
pub fn read_script(file: &Path) -> Result<Script> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(deserialize_with = "not_empty")]
        answer: Vec<ScriptedResponse>,
    }
    let read = || {
        let File { answer }: File = toml::from_str(&fs::read_to_string(file)?)?;
        Script::new(&answer)
    };
    read().with_context(|| file.display().to_string())
}

struct Judge {
    contract: Arc<Contract>,
    credentials: Credentials,
    script: Script,
    said: mpsc::UnboundedSender<Heard>,
}

impl Service for Judge {
    async fn answer(&self, request: Request, unreadable: Option<String>) -> Option<Response> {
        let mut faults = judge::faults(&self.contract, &request, &self.credentials);
        faults.extend(unreadable);
        let response = self.script.next();
        let response = response.or_else(|| self.likely_answer(&request).response().ok());
        // The receiver is gone when the run is over.
        let _ = self.said.send(Heard {
            request: Some(request),
            faults,
        });
        let mut response = response?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let headers = &mut response.headers;
        headers
            .entry(HeaderName::from_static("x-request-id"))
            .or_insert(HeaderValue::from_str(&id).ok()?);
        Some(response)
    }

    fn malformed(&self, error: &hyper::Error) {
        // The receiver is gone when the run is over.
        let _ = self.said.send(Heard {
            request: None,
            faults: vec![format!("no HTTP/1.1: {error}")],
        });
    }
}

impl Judge {
    /// What a service answers that has deleted what it was asked for.
    fn likely_answer(&self, request: &Request) -> ScriptedResponse {
        let method = request.method.as_str();
        let operation = self.contract.operation(method, &request.path);
        let (status, body) = match operation.map(|one| one.operation_id.as_deref()) {
            Some(Some(DELETE)) => (200, deleted(&request.body)),
            Some(_) => (200, listed()),
            None => (
                404,
                json!({"error_code": "APIGW.0101", "error_msg": "The API does not exist."}),
            ),
        };
        ScriptedResponse::new(status, &body.to_string())
    }
}

fn deleted(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let rows = body["partitions"].as_array().cloned().unwrap_or_default();
    let success = |row: &Value| json!({"partition": row["partition"], "result": "success", "error_code": "0"});
    json!({"partitions": rows.iter().map(success).collect::<Vec<_>>()})
}

fn listed() -> Value {
    json!({"total": 1, "partitions": [
        {"partition": 0, "start_offset": 0, "last_offset": 1000, "message_count": 1000, "last_update_time": 0}
    ]})
}
