//! A recording server for clients in any language: it judges each request that it gets, and answers so that the client
//! can run on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, path::Path};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use huaweicloud_auth::Credentials;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::Answer;
use crate::contract::{Contract, DELETE};
use crate::judge::{self, Recorded};
use crate::source::{CaseError, not_empty};

/// The service takes no longer bodies.
const LONGEST_BODY: usize = 12_000_000;

/// A request and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The request as it stood on the wire; `None` when it was no HTTP.
    pub request: Option<Recorded>,
    /// What is wrong; empty when nothing is.
    pub faults: Vec<String>,
}

/// A running recording server. It stops when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    heard: mpsc::UnboundedReceiver<Heard>,
    accepting: JoinHandle<()>,
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
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (said, heard) = mpsc::unbounded_channel();
        let judge = Arc::new(Judge {
            contract,
            credentials,
            answers,
            next: AtomicUsize::new(0),
            said,
        });
        let accepting = tokio::spawn(accept(listener, judge));
        Ok(Self {
            address,
            heard,
            accepting,
        })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request, as soon as there is one.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
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

async fn accept(listener: TcpListener, judge: Arc<Judge>) {
    loop {
        // A connection that broke while it was queued is none.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, judge.clone()));
        }
    }
}

async fn serve(stream: TcpStream, judge: Arc<Judge>) {
    let hearing = judge.clone();
    let service = service_fn(move |request| {
        let judge = hearing.clone();
        async move { Ok::<_, Infallible>(judge.hear(request).await) }
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served
        && error.is_parse()
    {
        let faults = vec![format!("no HTTP/1.1: {error}")];
        // Nobody listens any more when the run is over.
        let _ = judge.said.send(Heard {
            request: None,
            faults,
        });
    }
}

impl Judge {
    async fn hear(&self, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, LONGEST_BODY).collect().await;
        let unreadable = body
            .as_ref()
            .err()
            .map(|error| format!("the body cannot be read: {error}"));
        let request = Recorded {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: body
                .map(|body| body.to_bytes().to_vec())
                .unwrap_or_default(),
        };
        let mut faults = judge::faults(&self.contract, &request, &self.credentials);
        faults.extend(unreadable);
        let answer = self.answer(&request);
        // Nobody listens any more when the run is over.
        let _ = self.said.send(Heard {
            request: Some(request),
            faults,
        });
        response(&answer)
    }

    fn answer(&self, request: &Recorded) -> Answer {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        match self.answers.get(next).or(self.answers.last()) {
            Some(answer) => answer.clone(),
            None => self.likely_answer(request),
        }
    }

    /// What a service answers that has deleted what it was asked for.
    fn likely_answer(&self, request: &Recorded) -> Answer {
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

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let mut builder = Response::builder()
        .status(answer.status)
        .header("x-request-id", uuid::Uuid::new_v4().simple().to_string());
    if !answer.headers.contains_key("content-type") {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body.clone()));
    builder.body(body).unwrap_or_else(|_| {
        let mut broken = Response::new(Full::new(Bytes::from_static(b"{}")));
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
