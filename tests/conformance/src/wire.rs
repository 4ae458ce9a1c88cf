//! Requests and responses as they are on the wire, and sending and serving them.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use huaweicloud_auth::signing::{
    Payload, RequestTarget, Signer, SigningError, SigningRequest, X_SDK_DATE, canonical_request,
    signature, string_to_sign,
};
use huaweicloud_auth::verification::{Authorization, VerificationError, Verifier};
use huaweicloud_auth::{Credentials, Endpoint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(60);
/// The rest of a longer response is not read.
const LONGEST_RESPONSE: u64 = 16 * 1024 * 1024;
/// The service refuses longer request bodies.
const LONGEST_REQUEST: usize = 12_000_000;

/// What a mutex protects. No panic leaves it half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: Method,
    /// Byte for byte.
    pub(crate) path: String,
    /// Empty when there is none.
    pub(crate) query: String,
    /// The headers.
    pub headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Method and path.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Request {
    /// Malformed HTTP, as the body of a request with the method and path that it seems to have.
    fn unparsed(text: &str) -> Self {
        let mut words = text.split([' ', '\r']);
        let method = words.next().and_then(|method| method.parse().ok());
        Self {
            method: method.unwrap_or(Method::GET),
            path: words.next().unwrap_or("/").to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: masked(text).into_bytes(),
        }
    }

    /// The body as text, also when it is not UTF-8.
    pub(crate) fn text_of_body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header, when it is text.
    pub(crate) fn text(&self, header: &str) -> Option<&str> {
        self.headers
            .get(header)
            .and_then(|value| value.to_str().ok())
    }

    fn target<'a>(&'a self, host: &'a str) -> RequestTarget<'a> {
        RequestTarget {
            method: &self.method,
            host,
            path: &self.path,
            query: &self.query,
        }
    }

    /// Verifies the signature. The error is `None` when the request is signed with another access key.
    pub(crate) fn verify(
        &self,
        credentials: &Credentials,
    ) -> Result<Authorization<'_>, Option<VerificationError>> {
        let authorization = Authorization::from_headers(&self.headers).map_err(Some)?;
        if Some(authorization.access_key()) != credentials.access_key() {
            return Err(None);
        }
        let signed = self.signed("");
        let secret_key = credentials.secret_key().unwrap_or_default();
        // The official Go SDK does not sign Host.
        Verifier::default()
            .with_unsigned_host(true)
            .verify(&authorization, &signed, secret_key, SystemTime::now())
            .map_err(Some)?;
        Ok(authorization)
    }

    /// What is signed; `host` is that of a request without the header.
    fn signed<'a>(&'a self, host: &'a str) -> SigningRequest<'a> {
        SigningRequest {
            target: self.target(self.text("host").unwrap_or(host)),
            headers: &self.headers,
            payload: Payload::Bytes(&self.body),
        }
    }

    /// The signature of the request as it is, with the date and the list of headers that it has.
    pub(crate) fn right_signature(&self, host: &str, secret_key: &str) -> Option<String> {
        let authorization = Authorization::from_headers(&self.headers).ok()?;
        let canonical = canonical_request(&self.signed(host), authorization.signed_headers());
        let text = string_to_sign(self.text("x-sdk-date").unwrap_or_default(), &canonical);
        Some(signature(secret_key, &text).as_str().to_owned())
    }

    /// Replaces only the digits of the signature.
    pub(crate) fn sign_as_it_is(&mut self, host: &str, secret_key: &str) -> Result<()> {
        let right = self.right_signature(host, secret_key);
        let right = right.context("not signed")?;
        let sent = self.text("authorization").unwrap_or_default();
        let (start, _) = sent.rsplit_once('=').context("no signature")?;
        let authorization = format!("{start}={right}").parse()?;
        self.headers.insert(header::AUTHORIZATION, authorization);
        Ok(())
    }

    /// Signs the request, and replaces a signature that it has. `signer` gets how much later than now the request is dated.
    ///
    /// A server may execute a request with offset -1 once for each signature, so an equal one within the same second gets a
    /// later date.
    pub(crate) fn sign<'a>(
        &mut self,
        host: &str,
        signer: impl Fn(Duration) -> Signer<'a>,
    ) -> Result<(), SigningError> {
        static USED: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());
        let deletes_everything = self.body.windows(2).any(|bytes| bytes == b"-1");
        for seconds in 0.. {
            let mut headers = self.headers.clone();
            headers.remove(header::AUTHORIZATION);
            headers.remove(X_SDK_DATE);
            let signer = signer(Duration::from_secs(seconds));
            signer.authorize(self.target(host), &mut headers, Payload::Bytes(&self.body))?;
            let signature = headers
                .get(header::AUTHORIZATION)
                .map(HeaderValue::as_bytes);
            let is_new = |signature: &[u8]| {
                let mut used = locked(&USED);
                used.insert(signature.to_vec())
            };
            if !deletes_everything || signature.is_none_or(is_new) {
                self.headers = headers;
                break;
            }
        }
        Ok(())
    }
}

/// The text without the signature that it may have.
fn masked(text: &str) -> String {
    let mask = |line| match line {
        line if str::starts_with(line, "authorization:") => "authorization: ***\r\n",
        line => line,
    };
    text.split_inclusive('\n').map(mask).collect()
}

/// A response as it is on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// A response to malformed HTTP, with head and body as the body.
    fn unparsed(status: Option<u16>, bytes: Vec<u8>) -> Option<Self> {
        Some(Self {
            status: StatusCode::from_u16(status?).ok()?,
            headers: HeaderMap::new(),
            body: bytes,
        })
    }

    /// The value of a header, when it is text.
    pub(crate) fn text_of(&self, header: &str) -> Option<&str> {
        self.headers
            .get(header)
            .and_then(|value| value.to_str().ok())
    }

    /// The body as text, also when it is not UTF-8.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// A request and its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Scheme, host and port.
    pub(crate) url: String,
    pub(crate) request: Request,
    /// `None` when the connection was closed without one.
    pub(crate) response: Option<Response>,
    pub(crate) begin: SystemTime,
    pub(crate) elapsed: Duration,
}

/// The last exchanges with a service.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(Mutex<VecDeque<Exchange>>);

impl Exchanges {
    const MOST: usize = 50;

    fn push(&self, exchange: Exchange) {
        let mut kept = locked(&self.0);
        if kept.len() == Self::MOST {
            kept.pop_front();
        }
        kept.push_back(exchange);
    }

    /// Puts others in their place, and returns them.
    pub(crate) fn replace(&self, others: Vec<Exchange>) -> Vec<Exchange> {
        let mut kept = locked(&self.0);
        mem::replace(&mut *kept, others.into()).into()
    }
}

/// An HTTP client of one endpoint.
#[derive(Debug)]
pub(crate) struct Wire {
    http: reqwest::Client,
    endpoint: Endpoint,
    pub(crate) exchanges: Exchanges,
}

impl Wire {
    /// A client that sends each request unchanged, and does not follow redirects.
    pub(crate) fn new(endpoint: &str) -> Result<Self> {
        // The rest of the URL may be secret, so it is not shown.
        let endpoint: Endpoint = endpoint.parse().map_err(|_| {
            anyhow!("the endpoint is not scheme, host and port alone, such as https://example.com")
        })?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dms-kafka-conformance/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // Some faults concern the second request on a connection.
            .pool_max_idle_per_host(1)
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
            exchanges: Exchanges::default(),
        })
    }

    /// The value of the Host header.
    pub(crate) fn host(&self) -> &str {
        self.endpoint.authority()
    }

    /// Scheme, host and port.
    pub(crate) fn endpoint(&self) -> &str {
        self.endpoint.base()
    }

    /// Whether it uses plain HTTP.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.endpoint.is_plaintext()
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        self.send_in_chunks(request, None).await
    }

    /// Sends a request, its body in chunks of this many bytes. It is sent once more when the connection is closed without a
    /// response.
    pub(crate) async fn send_in_chunks(
        &self,
        request: Request,
        chunk: Option<usize>,
    ) -> Result<Response> {
        let (kept, begin) = (request.clone(), SystemTime::now());
        let response = match self.send_once(request.clone(), chunk).await {
            // A service may close a connection after a response without saying so, as when it has not read the whole request.
            // On a new connection a correct one responds.
            Err(error) if is_closed(&error) => {
                let again = self.send_once(request, chunk).await;
                again.map_err(|_| error)
            }
            response => response,
        };
        self.keep(kept, response.as_ref().ok().cloned(), begin);
        response
    }

    fn keep(&self, request: Request, response: Option<Response>, begin: SystemTime) {
        self.exchanges.push(Exchange {
            url: self.endpoint.base().to_owned(),
            request,
            response,
            begin,
            elapsed: begin.elapsed().unwrap_or_default(),
        });
    }

    async fn send_once(&self, request: Request, chunk: Option<usize>) -> Result<Response> {
        let mut url: url::Url = self.endpoint.base().parse()?;
        url.set_path(&request.path);
        url.set_query(Some(&*request.query).filter(|query| !query.is_empty()));
        ensure!(
            url.path() == request.path,
            "the path {} cannot be sent as it is",
            request.path
        );
        let body = match chunk {
            None => request.body.into(),
            Some(size) => {
                let chunks: Vec<_> = request.body.chunks(size).map(<[u8]>::to_vec).collect();
                let chunks = chunks.into_iter().map(Ok::<_, io::Error>);
                reqwest::Body::wrap_stream(stream::iter(chunks))
            }
        };
        let sent = self.http.request(request.method, url);
        let sent = sent.headers(request.headers).body(body).send().await;
        let mut response = sent.map_err(reqwest::Error::without_url)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            ensure!(
                body.len() as u64 <= LONGEST_RESPONSE,
                "the response is longer than {LONGEST_RESPONSE} bytes"
            );
        }
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    /// Sends text, and reads the status of the response; `None` when the connection is closed without one. With `cut_off`
    /// the sending side is closed after the text.
    pub(crate) async fn send_text(&self, text: &str, cut_off: bool) -> Result<Option<u16>> {
        let host = self.endpoint.host().trim_matches(['[', ']']);
        let port = self.endpoint.port();
        let mut stream = timeout(TIMEOUT, TcpStream::connect((host, port))).await??;
        let (mut response, begin) = (Vec::new(), SystemTime::now());
        // A server may respond and close before it has read everything.
        let _ = stream.write_all(text.as_bytes()).await;
        if cut_off {
            let _ = stream.shutdown().await;
        }
        let _ = timeout(
            TIMEOUT,
            (&mut stream)
                .take(LONGEST_RESPONSE)
                .read_to_end(&mut response),
        )
        .await?;
        let status = status(&response);
        self.keep(
            Request::unparsed(text),
            Response::unparsed(status, response),
            begin,
        );
        Ok(status)
    }
}

/// Whether the connection was closed before a response began.
fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<reqwest::Error>();
    error.is_some_and(|error| error.is_request() && !error.is_connect() && !error.is_timeout())
}

fn status(response: &[u8]) -> Option<u16> {
    // The response to `Expect` comes before the response.
    let response = match response.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
        Some(rest) => rest,
        None => response,
    };
    let line = response.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()
}

/// Responds to requests.
pub(crate) trait Service: Send + Sync + 'static {
    /// Responds to a request, or closes the connection. With `unreadable` the body could not be read, and is empty.
    fn respond(
        &self,
        request: Request,
        unreadable: Option<String>,
    ) -> impl Future<Output = Option<Response>> + Send;

    /// The status for a connection that begins with this text; `None` to read it as HTTP.
    fn answer_text(&self, _begin: &str) -> Option<u16> {
        None
    }

    /// Called for input that is not HTTP.
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
        Self::on(TcpListener::bind(address).await?, service)
    }

    pub(crate) fn on(listener: TcpListener, service: Arc<impl Service>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            loop {
                // A queued connection may already be broken.
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

async fn serve(mut stream: TcpStream, service: Arc<impl Service>) {
    let mut begin = [0; 4096];
    let read = stream.peek(&mut begin).await.unwrap_or_default();
    if let Some(status) = service.answer_text(&String::from_utf8_lossy(&begin[..read])) {
        let head = format!("HTTP/1.1 {status} \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        // The peer may not wait for the response.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.shutdown().await;
        // Closing before everything is read would reset the connection.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        return;
    }
    let responding = service.clone();
    let served = service_fn(move |request| respond(responding.clone(), request));
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), served)
        .await;
    if let Err(error) = served
        && error.is_parse()
    {
        service.malformed(&error);
    }
}

async fn respond(
    service: Arc<impl Service>,
    request: http::Request<Incoming>,
) -> io::Result<http::Response<Full<Bytes>>> {
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
    let Some(response) = service.respond(request, unreadable).await else {
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    let mut served = http::Response::new(Full::new(Bytes::from(response.body)));
    *served.status_mut() = response.status;
    *served.headers_mut() = response.headers;
    Ok(served)
}
