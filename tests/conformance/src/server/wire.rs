//! Sending requests, as HTTP or as plain text.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::request::Request;

type Error = Box<dyn std::error::Error>;

const PATIENCE: Duration = Duration::from_secs(60);
/// More of an answer than this is not read.
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body as text, whatever it is.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    http: reqwest::Client,
    base: url::Url,
}

impl Wire {
    /// A way to the endpoint that sends each request once, as it is, and follows nothing.
    pub(super) fn new(endpoint: &str) -> Result<Self, Error> {
        let base: url::Url = endpoint
            .parse()
            .map_err(|error| format!("{endpoint} is no URL: {error}"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() || has_more(&base) {
            // What else stands there may be secret.
            return Err(
                "the endpoint is not scheme, host and port alone, such as https://example.com"
                    .into(),
            );
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("dms-kafka-conformance/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(PATIENCE);
        let builder = if is_loopback(&base) {
            builder.no_proxy()
        } else {
            builder
        };
        Ok(Self {
            http: builder.build()?,
            base,
        })
    }

    /// The value of the Host header.
    pub(super) fn host(&self) -> String {
        let name = self.base.host_str().unwrap_or_default();
        match self.base.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        }
    }

    /// Whether plain text can be sent there.
    pub(super) fn is_plaintext(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, Error> {
        let mut url = self.base.clone();
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
    pub(super) async fn send_text(&self, text: &str) -> Result<Option<u16>, Error> {
        let host = self
            .base
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']']);
        let port = self.base.port_or_known_default().unwrap_or_default();
        let mut stream = timeout(PATIENCE, TcpStream::connect((host, port))).await??;
        let mut answer = Vec::new();
        // A server may close before it has read everything; what it said before counts.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
        let _ = timeout(
            PATIENCE,
            (&mut stream).take(LONGEST_ANSWER).read_to_end(&mut answer),
        )
        .await?;
        Ok(status(&answer))
    }
}

fn has_more(url: &url::Url) -> bool {
    url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
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
