//! Where requests go, and the HTTP client that takes them there.

use std::time::Duration;

use url::{Host, Url};

use crate::error::Error;

/// Shorter than what servers keep idle connections for: a request that meets a closing connection
/// has an unknown outcome.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// A checked base URL: scheme, host and port, nothing behind.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base: String,
    plaintext: bool,
    loopback: bool,
}

impl Endpoint {
    /// Takes a URL, or a host name that `https://` is put before.
    pub(crate) fn parse(text: &str, plaintext_allowed: bool) -> Result<Self, Error> {
        let refuse = |rule: &str| Err(Error::invalid_input(format!("endpoint {text:?} {rule}")));
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let Ok(url) = Url::parse(&with_scheme) else {
            return refuse(
                "is not a URL; write it like https://dms.ap-southeast-1.myhuaweicloud.com",
            );
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid_input(
                "the endpoint holds a user name or password; credentials go through the credentials provider",
            ));
        }
        let Some(host) = url.host() else {
            return refuse("has no host name");
        };
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return refuse("has a path or query; give scheme, host and port only");
        }
        let loopback = is_loopback(&host);
        let plaintext = match url.scheme() {
            "https" => false,
            "http" if loopback || plaintext_allowed => true,
            "http" => {
                return refuse(
                    "is not encrypted; use https, or allow plaintext by name (allow_plaintext_http)",
                );
            }
            _ => return refuse("has a scheme other than https and http"),
        };
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            plaintext,
            loopback,
        })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// An HTTP client that sends each request at most once and nowhere but to `endpoint`.
pub(crate) fn http_client(
    endpoint: &Endpoint,
    connect_timeout: Duration,
) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("dms-kafka/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE_CONNECTION);
    if endpoint.loopback {
        builder = builder.no_proxy();
    }
    #[cfg(feature = "rustls")]
    if endpoint.plaintext {
        // No connection of this client uses TLS, so loading the platform's roots would be for nothing.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| {
        Error::invalid_input(format!("the HTTP client cannot be built: {error}")).with_source(error)
    })
}
