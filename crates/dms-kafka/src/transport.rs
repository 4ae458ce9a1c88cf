//! Creates the HTTP client.

use std::time::Duration;

use huaweicloud_auth::Endpoint;
#[cfg(feature = "providers")]
use huaweicloud_auth::ReqwestTransport;

use crate::error::Error;

/// Shorter than the idle timeout of servers: a request on a connection that the server closes has an unknown outcome.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Proxy,
    /// PEM.
    #[cfg(feature = "rustls")]
    pub(crate) root_certificates: Vec<Vec<u8>>,
    /// PEM: certificate chain and private key.
    #[cfg(feature = "rustls")]
    pub(crate) client_certificate: Option<Vec<u8>>,
    #[cfg(feature = "reqwest")]
    pub(crate) http_client: Option<reqwest::Client>,
}

#[derive(Clone)]
pub(crate) enum Proxy {
    FromEnvironment,
    None,
    Url(String),
}

impl Transport {
    pub(crate) fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            proxy: Proxy::FromEnvironment,
            #[cfg(feature = "rustls")]
            root_certificates: Vec::new(),
            #[cfg(feature = "rustls")]
            client_certificate: None,
            #[cfg(feature = "reqwest")]
            http_client: None,
        }
    }

    /// Returns the transport of the credentials providers and the project lookup. It uses the endpoint's client, unless
    /// that one has no TLS or no proxy.
    #[cfg(feature = "providers")]
    pub(crate) fn for_providers(
        &self,
        endpoint: &Endpoint,
        http: &reqwest::Client,
    ) -> Result<ReqwestTransport, Error> {
        let reaches_all = !endpoint.is_loopback() && !endpoint.is_plaintext();
        #[cfg(feature = "reqwest")]
        let reaches_all = reaches_all || self.http_client.is_some();
        if reaches_all {
            return Ok(ReqwestTransport::with_client(http.clone()));
        }
        // Its client is created at the first request, so a call to loopback loads no root certificates.
        if self.is_default() {
            return Ok(ReqwestTransport::new());
        }
        self.new_client(None).map(ReqwestTransport::with_client)
    }

    /// Returns an HTTP client that sends each request at most once and follows no redirects.
    pub(crate) fn http_client(&self, endpoint: &Endpoint) -> Result<reqwest::Client, Error> {
        #[cfg(feature = "reqwest")]
        if let Some(client) = &self.http_client {
            return Ok(client.clone());
        }
        #[cfg(not(feature = "rustls"))]
        if !endpoint.is_plaintext() {
            return Err(Error::invalid_input(
                "https needs TLS, which this build does not have: enable the feature rustls of dms-kafka",
            ));
        }
        self.new_client(Some(endpoint))
    }

    /// Creates a client for one endpoint, or for any host.
    fn new_client(&self, endpoint: Option<&Endpoint>) -> Result<reqwest::Client, Error> {
        let is_loopback = endpoint.is_some_and(Endpoint::is_loopback);
        let builder = reqwest::Client::builder()
            .user_agent(concat!("dms-kafka/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE_CONNECTION);
        let builder = self.with_proxy(builder, is_loopback)?;
        #[cfg(feature = "rustls")]
        let builder = self.with_tls(builder, endpoint.is_some_and(Endpoint::is_plaintext))?;
        builder
            .build()
            .map_err(|error| unusable("the HTTP client cannot be built", error))
    }

    #[cfg(feature = "providers")]
    fn is_default(&self) -> bool {
        #[cfg(feature = "rustls")]
        if !self.root_certificates.is_empty() || self.client_certificate.is_some() {
            return false;
        }
        matches!(self.proxy, Proxy::FromEnvironment)
    }

    fn with_proxy(
        &self,
        builder: reqwest::ClientBuilder,
        is_loopback: bool,
    ) -> Result<reqwest::ClientBuilder, Error> {
        match &self.proxy {
            Proxy::FromEnvironment if !is_loopback => Ok(builder),
            Proxy::FromEnvironment | Proxy::None => Ok(builder.no_proxy()),
            // The message does not quote the URL, which may contain a password.
            Proxy::Url(url) => match reqwest::Proxy::all(url) {
                Ok(proxy) => Ok(builder.no_proxy().proxy(proxy)),
                Err(_) => Err(Error::invalid_input(
                    "the proxy is not a URL: write it like http://proxy.example.com:3128",
                )),
            },
        }
    }

    #[cfg(feature = "rustls")]
    fn with_tls(
        &self,
        mut builder: reqwest::ClientBuilder,
        is_plaintext: bool,
    ) -> Result<reqwest::ClientBuilder, Error> {
        let mut roots = Vec::new();
        for pem in &self.root_certificates {
            let parsed = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| unusable("the root certificates are not PEM", error))?;
            if parsed.is_empty() {
                return Err(Error::invalid_input(
                    "the root certificates contain no certificate: use PEM text with BEGIN CERTIFICATE",
                ));
            }
            roots.extend(parsed);
        }
        if let Some(pem) = &self.client_certificate {
            let identity = reqwest::Identity::from_pem(pem).map_err(|error| {
                unusable(
                    "the client certificate is not valid: use PEM text with certificate and private key",
                    error,
                )
            })?;
            builder = builder.identity(identity);
        }
        if is_plaintext {
            // This client does not use TLS, so the platform's root certificates are not loaded.
            return Ok(builder.tls_certs_only([]));
        }
        Ok(builder.tls_certs_merge(roots))
    }
}

fn unusable(what: &str, error: reqwest::Error) -> Error {
    Error::invalid_input(what).with_source(error)
}
