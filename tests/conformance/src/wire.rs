//! HTTP as the kit sees it: requests and answers as they stand on the wire, sending the one and serving the other.

use std::borrow::Cow;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{error, io};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use huaweicloud_auth::Endpoint;
use huaweicloud_auth::signing::{Payload, RequestTarget, Signer, SigningError, X_SDK_DATE};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

type Error = Box<dyn error::Error>;

const TIMEOUT: Duration = Duration::from_secs(60);
/// The rest of a longer answer is not read.
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;
/// The service takes no longer request bodies.
const LONGEST_REQUEST: usize = 12_000_000;

/// A request as it stands on the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, byte for byte.
    pub path: String,
    /// What stands behind `?`, empty when nothing does.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, when it is text.
    pub(crate) fn text(&self, header: &str) -> Option<&str> {
        self.headers
            .get(header)
            .and_then(|value| value.to_str().ok())
    }

    /// What a signature covers of the request, for the host that it is sent to.
    pub(crate) fn target<'a>(&'a self, host: &'a str) -> RequestTarget<'a> {
        RequestTarget {
            method: &self.method,
            host,
            path: &self.path,
            query: &self.query,
        }
    }

    /// Signs the request, in place of a signature that it has.
    pub(crate) fn sign(&mut self, signer: &Signer<'_>, host: &str) -> Result<(), SigningError> {
        let mut headers = self.headers.clone();
        headers.remove(header::AUTHORIZATION);
        headers.remove(X_SDK_DATE);
        signer.authorize(self.target(host), &mut headers, Payload::Bytes(&self.body))?;
        self.headers = headers;
        Ok(())
    }
}

/// An answer as it stands on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text, whatever it is.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    http: reqwest::Client,
    endpoint: Endpoint,
}

impl Wire {
    /// A way to the endpoint that sends each request once, as it is, and follows nothing.
    pub(crate) fn new(endpoint: &str) -> Result<Self, Error> {
        // What else stands there may be secret, so nothing of it is shown.
        let endpoint: Endpoint = endpoint.parse().map_err(
            |_| "the endpoint is not scheme, host and port alone, such as https://example.com",
        )?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dms-kafka-conformance/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT);
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        if endpoint.is_plaintext() {
            // Reading the system's certificates takes longer than most cases.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            http: builder.build()?,
            endpoint,
        })
    }

    /// The value of the Host header.
    pub(crate) fn host(&self) -> &str {
        self.endpoint.authority()
    }

    /// Whether plain text can be sent there.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.endpoint.is_plaintext()
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request) -> Result<Answer, Error> {
        let mut url: url::Url = self.endpoint.base().parse()?;
        url.set_path(&request.path);
        url.set_query(Some(&*request.query).filter(|query| !query.is_empty()));
        if url.path() != request.path {
            return Err(format!("the path {} cannot be sent as it is", request.path).into());
        }
        let sent = self
            .http
            .request(request.method, url)
            .headers(request.headers)
            .body(request.body);
        let mut answer = sent.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() as u64 > LONGEST_ANSWER {
                return Err(format!("the answer is longer than {LONGEST_ANSWER} bytes").into());
            }
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Sends text, and reads the status of what comes back; `None` when the connection is closed without an answer.
    pub(crate) async fn send_text(&self, text: &str) -> Result<Option<u16>, Error> {
        let host = self.endpoint.host().trim_matches(['[', ']']);
        let port = self.endpoint.port();
        let mut stream = timeout(TIMEOUT, TcpStream::connect((host, port))).await??;
        let mut answer = Vec::new();
        // A server may close before it has read everything; what it said before counts.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
        let _ = timeout(
            TIMEOUT,
            (&mut stream).take(LONGEST_ANSWER).read_to_end(&mut answer),
        )
        .await?;
        Ok(status(&answer))
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()
}

/// What answers requests.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers a request, or closes the connection. `unreadable` says why the body could not be read, which is empty then.
    fn answer(
        &self,
        request: Request,
        unreadable: Option<String>,
    ) -> impl Future<Output = Option<Answer>> + Send;

    /// Learns of what was no HTTP.
    fn malformed(&self, _error: &hyper::Error) {}
}

/// A server on an address. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Listener {
    pub(crate) async fn start(address: SocketAddr, service: Arc<impl Service>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            loop {
                // A connection that broke while it was queued is none.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, service.clone()));
                }
            }
        });
        Ok(Self { address, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, service: Arc<impl Service>) {
    let answering = service.clone();
    let served = service_fn(move |request| answer(answering.clone(), request));
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), served)
        .await;
    if let Err(error) = served
        && error.is_parse()
    {
        service.malformed(&error);
    }
}

async fn answer(
    service: Arc<impl Service>,
    request: http::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_REQUEST).collect().await;
    let unreadable = body
        .as_ref()
        .err()
        .map(|error| format!("the body cannot be read: {error}"));
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body
            .map(|body| body.to_bytes().to_vec())
            .unwrap_or_default(),
    };
    let Some(answer) = service.answer(request, unreadable).await else {
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    Ok(response)
}
