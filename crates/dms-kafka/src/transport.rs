//! Creates the HTTP client.

use std::time::Duration;

#[cfg(feature = "providers")]
use huaweicloud_auth::ReqwestTransport;
use huaweicloud_auth::{Endpoint, Environment, EnvironmentProxy, ProxyUrl};

use crate::error::Error;

/// Shorter than the idle timeout of servers: a request on a connection that the server closes has an unknown outcome.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(not(feature = "rustls"))]
const NO_TLS: &str =
    "https needs TLS, which this build does not have: enable the feature rustls of dms-kafka";

#[derive(Clone)]
pub(crate) struct Transport {
    /// `None`: [`CONNECT_TIMEOUT`].
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) proxy: Proxy,
    /// PEM.
    #[cfg(feature = "rustls")]
    pub(crate) root_certificates: Vec<Vec<u8>>,
    /// PEM: certificate chain and private key.
    #[cfg(feature = "rustls")]
    pub(crate) client_certificate: Option<Vec<u8>>,
    /// The caller's.
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
            connect_timeout: None,
            proxy: Proxy::FromEnvironment,
            #[cfg(feature = "rustls")]
            root_certificates: Vec::new(),
            #[cfg(feature = "rustls")]
            client_certificate: None,
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
        if reaches_all || self.http_client.is_some() {
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
        if let Some(client) = &self.http_client {
            self.require_no_setting_of_the_client()?;
            return Ok(client.clone());
        }
        #[cfg(not(feature = "rustls"))]
        if !endpoint.is_plaintext() {
            return Err(Error::invalid_input(NO_TLS));
        }
        self.new_client(Some(endpoint))
    }

    pub(crate) fn may_follow_redirects(&self) -> bool {
        self.http_client.is_some()
    }

    /// The caller's client already has its own.
    fn require_no_setting_of_the_client(&self) -> Result<(), Error> {
        let settings = [
            (
                "a proxy, or none",
                !matches!(self.proxy, Proxy::FromEnvironment),
            ),
            ("a connect timeout", self.connect_timeout.is_some()),
            #[cfg(feature = "rustls")]
            ("root certificates", !self.root_certificates.is_empty()),
            #[cfg(feature = "rustls")]
            ("a client certificate", self.client_certificate.is_some()),
        ];
        match settings.iter().find(|(_, is_set)| *is_set) {
            None => Ok(()),
            Some((what, _)) => Err(Error::invalid_input(format!(
                "{what} cannot be set together with an HTTP client: configure that HTTP client"
            ))),
        }
    }

    /// Creates a client for one endpoint, or for any host.
    fn new_client(&self, endpoint: Option<&Endpoint>) -> Result<reqwest::Client, Error> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("dms-kafka/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout())
            .pool_idle_timeout(IDLE_CONNECTION);
        let (builder, proxy_uses_tls) = self.with_proxy(builder, endpoint)?;
        #[cfg(feature = "rustls")]
        let builder = {
            let endpoint_uses_tls = !endpoint.is_some_and(Endpoint::is_plaintext);
            self.with_tls(builder, endpoint_uses_tls || proxy_uses_tls)?
        };
        #[cfg(not(feature = "rustls"))]
        if proxy_uses_tls {
            return Err(Error::invalid_input(NO_TLS));
        }
        builder
            .build()
            .map_err(|error| unusable("the HTTP client cannot be built", error))
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.unwrap_or(CONNECT_TIMEOUT)
    }

    #[cfg(feature = "providers")]
    fn is_default(&self) -> bool {
        #[cfg(feature = "rustls")]
        if !self.root_certificates.is_empty() || self.client_certificate.is_some() {
            return false;
        }
        matches!(self.proxy, Proxy::FromEnvironment)
    }

    /// Also returns whether the connection to the proxy uses TLS.
    fn with_proxy(
        &self,
        builder: reqwest::ClientBuilder,
        endpoint: Option<&Endpoint>,
    ) -> Result<(reqwest::ClientBuilder, bool), Error> {
        let (url, exceptions) = match &self.proxy {
            Proxy::Url(url) => {
                let url: ProxyUrl = url.parse()?;
                (url, String::new())
            }
            Proxy::FromEnvironment if !endpoint.is_some_and(Endpoint::is_loopback) => {
                let is_plaintext = endpoint.is_some_and(Endpoint::is_plaintext);
                let scheme = if is_plaintext { "http" } else { "https" };
                let found = EnvironmentProxy::read(&Environment::from_process(), scheme)
                    .map_err(|error| Error::invalid_input(error.to_string()))?;
                match found {
                    Some(found) => (found.url().clone(), found.exceptions().to_owned()),
                    // On some platforms, reqwest then reads the proxy of the system.
                    None => return Ok((builder, false)),
                }
            }
            Proxy::FromEnvironment | Proxy::None => return Ok((builder.no_proxy(), false)),
        };
        // The cause may quote the URL, which may contain a password.
        let proxy = reqwest::Proxy::all(url.as_str())
            .map_err(|_| Error::invalid_input("the URL of the proxy cannot be used"))?
            .no_proxy(reqwest::NoProxy::from_string(&exceptions));
        Ok((builder.proxy(proxy), url.is_encrypted()))
    }

    #[cfg(feature = "rustls")]
    fn with_tls(
        &self,
        mut builder: reqwest::ClientBuilder,
        uses_tls: bool,
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
        if !uses_tls {
            // The platform's root certificates are not loaded.
            return Ok(builder.tls_certs_only([]));
        }
        Ok(builder.tls_certs_merge(roots))
    }
}

fn unusable(what: &str, error: reqwest::Error) -> Error {
    Error::invalid_input(what).with_source(error)
}
