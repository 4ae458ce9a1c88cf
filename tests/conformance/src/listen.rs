//! A recording server for clients in any language: it judges each request that it gets, and answers so that the client
//! can run on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, path::Path};

use http::{HeaderMap, StatusCode};
use huaweicloud_auth::Credentials;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::Answer;
use crate::contract::{Contract, DELETE};
use crate::judge;
use crate::source::{CaseError, not_empty};
use crate::wire::{self, Listener, Request, Service};

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
    /// Listens. Requests are to be authorized with `credentials`; they are answered with `answers`, one after the other
    /// and the last one again and again, or as a service would that deletes everything when there are none.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(
        address: SocketAddr,
        contract: Arc<Contract>,
        credentials: Credentials,
        answers: Vec<Answer>,
    ) -> io::Result<Self> {
        let (said, heard) = mpsc::unbounded_channel();
        let judge = Arc::new(Judge {
            contract,
            credentials,
            answers,
            next: AtomicUsize::new(0),
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
/// [`CaseError`] when it cannot be read, or has no answer.
pub fn read_answers(file: &Path) -> Result<Vec<Answer>, CaseError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Answers {
        #[serde(deserialize_with = "not_empty")]
        answer: Vec<Answer>,
    }
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
        CaseError::new(file.display().to_string(), cause)
    };
    let text = fs::read_to_string(file).map_err(|error| failed(error.into()))?;
    let Answers { answer } = toml::from_str(&text).map_err(|error| failed(error.into()))?;
    for one in &answer {
        StatusCode::from_u16(one.status)
            .map_err(|_| failed(format!("{} is no status", one.status).into()))?;
    }
    Ok(answer)
}

struct Judge {
    contract: Arc<Contract>,
    credentials: Credentials,
    answers: Vec<Answer>,
    next: AtomicUsize,
    said: mpsc::UnboundedSender<Heard>,
}

impl Service for Judge {
    async fn answer(&self, request: Request, unreadable: Option<String>) -> Option<wire::Answer> {
        let mut faults = judge::faults(&self.contract, &request, &self.credentials);
        faults.extend(unreadable);
        let answer = response(&self.answer(&request));
        // The receiver is gone when the run is over.
        let _ = self.said.send(Heard {
            request: Some(request),
            faults,
        });
        Some(answer)
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
    fn answer(&self, request: &Request) -> Answer {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        match self.answers.get(next).or(self.answers.last()) {
            Some(answer) => answer.clone(),
            None => self.likely_answer(request),
        }
    }

    /// What a service answers that has deleted what it was asked for.
    fn likely_answer(&self, request: &Request) -> Answer {
        let operation = self
            .contract
            .operation(request.method.as_str(), &request.path);
        let (status, body) = match operation {
            Some(DELETE) => (200, deleted(&request.body)),
            Some(_) => (200, listed()),
            None => (
                404,
                json!({"error_code": "APIGW.0101", "error_msg": "The API does not exist."}),
            ),
        };
        Answer {
            status,
            headers: [].into(),
            body: body.to_string(),
            breaks_contract: false,
        }
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

fn response(answer: &Answer) -> wire::Answer {
    let id = ("x-request-id", uuid::Uuid::new_v4().simple().to_string());
    let media = ("content-type", "application/json".to_owned());
    let usual = [id, media].map(|(name, value)| (name.to_owned(), value));
    let headers = usual.into_iter().chain(answer.headers.clone());
    let headers = headers.collect::<std::collections::HashMap<_, _>>();
    match HeaderMap::try_from(&headers) {
        Ok(headers) => wire::Answer {
            status: answer.status,
            headers,
            body: answer.body.clone().into_bytes(),
        },
        Err(_) => wire::Answer {
            status: 500,
            headers: HeaderMap::new(),
            body: b"{}".to_vec(),
        },
    }
}
