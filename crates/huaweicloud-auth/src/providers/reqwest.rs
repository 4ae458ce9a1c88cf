//! The transport that most programs have at hand.

use std::{fmt, sync::OnceLock, time::Duration};

use reqwest::{Client, Response, Url, redirect};
use url::Host;

use super::transport::{HttpFuture, HttpTransport, TransportError, TransportErrorKind};
use crate::endpoint;

const MAX_ANSWER: usize = 256 * 1024;
/// For services in the cloud.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the metadata service and the like, as in the official SDKs: on a machine outside the cloud nobody answers.
const DIRECT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends with `reqwest`, honouring the environment's proxies for everything but loopback and link-local addresses.
///
/// Nothing is set up before the first request; plain HTTP to this machine or to the metadata service never loads TLS roots.
#[derive(Default)]
pub struct ReqwestTransport {
    cloud: OnceLock<Client>,
    direct: OnceLock<Client>,
}

/// Shows nothing: a client's default headers may hold secrets.
impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").finish_non_exhaustive()
    }
}

impl ReqwestTransport {
    /// A transport with clients of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transport that asks services in the cloud with the given client, which brings its own proxies, certificates and
    /// time-outs and should follow no redirects.
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
            builder.connect_timeout(CONNECT_TIMEOUT)
        };
        let client = builder.build().map_err(failure)?;
        Ok(slot.get_or_init(|| client).clone())
    }

    async fn answer(
        &self,
        request: http::Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        let mut request = reqwest::Request::try_from(request).map_err(failure)?;
        let client = self.client(request.url())?;
        *request.timeout_mut() = Some(timeout);
        read(client.execute(request).await.map_err(failure)?).await
    }
}

impl HttpTransport for ReqwestTransport {
    fn send(&self, request: http::Request<Vec<u8>>, timeout: Duration) -> HttpFuture<'_> {
        Box::pin(self.answer(request, timeout))
    }
}

/// Plain HTTP to this machine or to its own link.
fn is_direct(url: &Url) -> bool {
    let is_link_local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_unicast_link_local(),
        Some(Host::Domain(_)) | None => false,
    };
    url.scheme() == "http" && (is_link_local || endpoint::is_loopback(url))
}

async fn read(mut response: Response) -> Result<http::Response<Vec<u8>>, TransportError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(TransportError::new(TransportErrorKind::Other)
                .with_source(format!("the answer is larger than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = http::Response::new(body);
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

fn failure(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Unreachable
    } else if error.is_timeout() {
        TransportErrorKind::TimedOut
    } else {
        TransportErrorKind::Other
    };
    TransportError::new(kind).with_source(error)
}
