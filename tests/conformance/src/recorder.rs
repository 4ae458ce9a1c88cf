//! A recording server for clients in any language: it judges each request, and responds so that the client can continue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};
use http::HeaderValue;
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::X_REQUEST_ID;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::contract::{Contract, DELETE, is_earlier_deletion};
use crate::judge::{self, RequestFault};
use crate::report::Verdict;
use crate::script::{Script, ScriptedResponse};
use crate::suite::not_empty;
use crate::wire::{Exchange, Listener, Request, Response, Service};

/// A request and its faults.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The request; `None` when it was not HTTP.
    pub request: Option<Request>,
    /// The faults of the request; empty when it is valid.
    pub faults: Vec<String>,
    pub(crate) response: Option<Response>,
}

impl RecordedRequest {
    /// The request with its response, at a URL of the server.
    pub fn into_exchange(self, url: String) -> Option<Exchange> {
        Some(Exchange {
            url,
            request: self.request?,
            response: self.response,
            begin: SystemTime::now(),
            elapsed: Duration::ZERO,
        })
    }

    /// The verdict on the request.
    pub fn verdict(&self) -> Verdict {
        let earlier =
            |request: &Request| is_earlier_deletion(request.method.as_str(), &request.path);
        if self.faults.is_empty() && self.request.as_ref().is_some_and(earlier) {
            return Verdict::Deviation {
                reason: EARLIER.to_owned(),
                faults: Vec::new(),
            };
        }
        Verdict::of(self.faults.clone())
    }
}

/// A deviation of clients that is known, as of Terraform's.
const EARLIER: &str = "the client sends DELETE to .../messages, the vendor's earlier form of a deletion, which \
    is not on the page; services may not support it";

/// A running recording server. It stops when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    listener: Listener,
    heard: mpsc::UnboundedReceiver<RecordedRequest>,
}

impl Recorder {
    /// Listens. Requests must be authorized with `credentials`. Responses come from the script; if it is empty, they report
    /// that everything was deleted.
    ///
    /// # Errors
    /// When the address cannot be bound.
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

    /// The address of the server.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> Option<RecordedRequest> {
        self.heard.recv().await
    }
}

/// Reads a file of responses: `[[response]]` as in client cases.
///
/// # Errors
/// When it cannot be read, or has no response.
pub fn read_script(file: &Path) -> Result<Script> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(deserialize_with = "not_empty")]
        response: Vec<ScriptedResponse>,
    }
    let read = || {
        let File { response }: File = toml::from_str(&fs::read_to_string(file)?)?;
        Script::new(&response)
    };
    read().with_context(|| file.display().to_string())
}

struct Judge {
    contract: Arc<Contract>,
    credentials: Credentials,
    script: Script,
    said: mpsc::UnboundedSender<RecordedRequest>,
}

impl Service for Judge {
    async fn respond(&self, request: Request, unreadable: Option<String>) -> Option<Response> {
        let mut faults = judge::faults(&self.contract, &request, &self.credentials);
        faults.extend(unreadable.map(|text| RequestFault {
            text,
            status: Some(400),
        }));
        // The path first, then the signature, then the rest.
        let status = faults.iter().filter_map(|fault| fault.status).max();
        let response = match status {
            Some(status) => refusal(status, &faults).response().ok(),
            None => self
                .script
                .next()
                .or_else(|| self.default_response(&request).response().ok()),
        };
        let response = response.and_then(|mut response| {
            let id = uuid::Uuid::new_v4().simple().to_string();
            let id = HeaderValue::from_str(&id).ok()?;
            response.headers.entry(X_REQUEST_ID).or_insert(id);
            Some(response)
        });
        // The receiver is gone when the run is over.
        let _ = self.said.send(RecordedRequest {
            request: Some(request),
            response: response.clone(),
            faults: faults.into_iter().map(|fault| fault.text).collect(),
        });
        response
    }

    fn malformed(&self, error: &hyper::Error) {
        // The receiver is gone when the run is over.
        let _ = self.said.send(RecordedRequest {
            request: None,
            response: None,
            faults: vec![format!("not HTTP/1.1: {error}")],
        });
    }
}

impl Judge {
    /// The response of a service that deleted all requested records.
    fn default_response(&self, request: &Request) -> ScriptedResponse {
        let method = request.method.as_str();
        let operation = self.contract.operation(method, &request.path);
        let is_deletion = operation.is_some_and(|one| one.operation_id.as_deref() == Some(DELETE));
        let body = if is_deletion {
            deleted(&request.body)
        } else {
            listed()
        };
        ScriptedResponse::new(200, &body.to_string())
    }
}

/// The response of a correct service to a request with faults.
fn refusal(status: u16, faults: &[RequestFault]) -> ScriptedResponse {
    let code = match status {
        401 => "APIGW.0301",
        404 => "APIGW.0101",
        405 => "DMS.00405001",
        _ => "DMS.00400062",
    };
    let of_status = faults.iter().filter(|fault| fault.status == Some(status));
    // A text may contain the secret key, which the client has sent.
    let count = of_status.count();
    let text =
        format!("The request has {count} faults of this kind; the report of the kit lists them.");
    let body = json!({"error_code": code, "error_msg": text});
    ScriptedResponse::new(status, &body.to_string())
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
