//! Where requests go.

use url::{Host, Url};

use crate::error::{Error, Rule};

/// A checked base URL: scheme, host and port, nothing behind.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base: String,
    host: String,
    port: u16,
    plaintext: bool,
    loopback: bool,
}

impl Endpoint {
    /// Takes a URL, or a host name that `https://` is put before.
    pub(crate) fn parse(text: &str, plaintext_allowed: bool) -> Result<Self, Error> {
        if text.contains('@') {
            return Err(Error::invalid_input(
                "the endpoint holds a user name or password; credentials go through the credentials provider",
            ));
        }
        let message = |rule: &str| format!("endpoint {text:?} {rule}");
        let refuse = |rule: &str| Err(Error::invalid_input(message(rule)));
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
                let rule = "is not encrypted; use https, or allow plaintext by name (allow_plaintext_http)";
                return Err(Error::broken(Rule::Encrypted, message(rule)));
            }
            _ => return refuse("has a scheme other than https and http"),
        };
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            host: host.to_string(),
            port: url.port_or_known_default().unwrap_or_default(),
            plaintext,
            loopback,
        })
    }

    pub(crate) fn is_plaintext(&self) -> bool {
        self.plaintext
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
