//! The HTTP client of credentials providers that uses reqwest.

use std::{error::Error, fmt, sync::OnceLock, time::Duration};

use http::{HeaderValue, header::ACCEPT_ENCODING};
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Response, Url, redirect};
use tokio::runtime::Handle;

use super::transport::{HttpFuture, HttpTransport, TransportError, TransportErrorKind};
use crate::{Environment, EnvironmentProxy, endpoint};

const MAX_RESPONSE: usize = 256 * 1024;
/// For services in the cloud.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the metadata service, as in the official SDKs. A machine outside the cloud waits this long.
const DIRECT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends requests with `reqwest`. It uses the proxies of the environment (see [`EnvironmentProxy`]), except for loopback and
/// link-local addresses.
///
/// Clients are created on first use. Plain HTTP to this machine or the metadata service does not load root certificates.
///
/// Outside a tokio runtime, requests fail.
///
/// # Panics
///
/// Requests panic in a tokio runtime without time or I/O enabled.
#[derive(Default)]
pub struct ReqwestTransport {
    cloud: OnceLock<Client>,
    direct: OnceLock<Client>,
}

/// Does not show the clients: default headers may contain secrets.
impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").finish_non_exhaustive()
    }
}

impl ReqwestTransport {
    /// Creates a transport with default clients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a transport that uses the given client, with its proxies, certificates and timeouts, for services in the
    /// cloud. The client must not follow redirects: a redirect to another address is an error, but the request, which may
    /// contain a token, was then sent to it.
    pub fn with_client(client: Client) -> Self {
        Self {
            cloud: client.into(),
            direct: OnceLock::new(),
        }
    }

    fn client(&self, url: &Url) -> Result<Client, TransportError> {
        let is_direct = is_direct(url);
        let slot = if is_direct { &self.direct } else { &self.cloud };
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never());
        let builder = if is_direct {
            let builder = builder.connect_timeout(DIRECT_CONNECT_TIMEOUT).no_proxy();
            #[cfg(feature = "rustls")]
            let builder = builder.tls_certs_only([]);
            builder
        } else {
            with_proxies(builder.connect_timeout(CONNECT_TIMEOUT))?
        };
        let client = builder.build().map_err(transport_error)?;
        Ok(slot.get_or_init(|| client).clone())
    }

    async fn send_request(
        &self,
        request: http::Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        Handle::try_current().map_err(misconfigured)?;
        let mut request = reqwest::Request::try_from(request).map_err(transport_error)?;
        let client = self.client(request.url())?;
        *request.timeout_mut() = Some(timeout);
        // No content coding is decoded.
        let identity = HeaderValue::from_static("identity");
        request
            .headers_mut()
            .entry(ACCEPT_ENCODING)
            .or_insert(identity);
        let url = request.url().clone();
        let response = client.execute(request).await.map_err(transport_error)?;
        if *response.url() != url {
            return Err(TransportError::new(TransportErrorKind::Other)
                .with_source("the HTTP client followed a redirect to another address"));
        }
        read(response).await
    }
}

impl HttpTransport for ReqwestTransport {
    fn send(&self, request: http::Request<Vec<u8>>, timeout: Duration) -> HttpFuture<'_> {
        Box::pin(self.send_request(request, timeout))
    }
}

/// Whether the URL is plain HTTP to a loopback or link-local address.
fn is_direct(url: &Url) -> bool {
    url.scheme() == "http" && endpoint::is_local(url)
}

fn with_proxies(mut builder: ClientBuilder) -> Result<ClientBuilder, TransportError> {
    let environment = Environment::from_process();
    for scheme in ["http", "https"] {
        let proxy = EnvironmentProxy::read(&environment, scheme).map_err(misconfigured)?;
        if let Some(proxy) = proxy {
            let exceptions = NoProxy::from_string(proxy.exceptions());
            let url = proxy.url().as_str();
            let proxy = match scheme {
                "http" => Proxy::http(url),
                _ => Proxy::https(url),
            };
            let proxy = proxy.map_err(transport_error)?;
            builder = builder.proxy(proxy.no_proxy(exceptions));
        }
    }
    Ok(builder)
}

async fn read(mut response: Response) -> Result<http::Response<Vec<u8>>, TransportError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return Err(TransportError::new(TransportErrorKind::Other)
                .with_source(format!("the response is larger than {MAX_RESPONSE} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let mut collected = http::Response::new(body);
    *collected.status_mut() = response.status();
    *collected.headers_mut() = std::mem::take(response.headers_mut());
    Ok(collected)
}

fn misconfigured(error: impl Into<Box<dyn Error + Send + Sync>>) -> TransportError {
    TransportError::new(TransportErrorKind::Misconfigured).with_source(error)
}

fn transport_error(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Unreachable
    } else if error.is_timeout() {
        TransportErrorKind::TimedOut
    } else {
        TransportErrorKind::Other
    };
    TransportError::new(kind).with_source(error.without_url())
}
