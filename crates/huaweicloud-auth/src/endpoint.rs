//! The parser of service endpoints.

use std::{fmt, str::FromStr};

use url::{Host, Url};

/// The endpoint of a service: `http` or `https`, a host and a port.
///
/// The default scheme is `https`. Only one `/` may follow the port.
///
/// ```
/// use huaweicloud_auth::Endpoint;
///
/// let endpoint: Endpoint = "dms.example.com:8443".parse()?;
/// assert_eq!(endpoint.base(), "https://dms.example.com:8443");
/// assert_eq!(endpoint.authority(), "dms.example.com:8443");
///
/// let plaintext = "http://dms.example.com".parse::<Endpoint>()?;
/// assert!(plaintext.require_encryption().unwrap_err().is_plaintext_refused());
/// # Ok::<(), huaweicloud_auth::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

/// Why an endpoint is invalid. The message names the endpoint, unless it contains a user name or password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct EndpointError(#[from] Fault);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error(
        "the endpoint contains a user name or password: remove it, credentials come from a credentials provider"
    )]
    UserInfo,
    #[error(
        "the endpoint {0:?} is not a URL: write it like https://dms.ap-southeast-1.myhuaweicloud.com"
    )]
    NotAUrl(String),
    #[error("the endpoint {0:?} is not an http or https URL")]
    Scheme(String),
    #[error(
        "the endpoint {0:?} has a path, query or fragment: write only the scheme, host and port"
    )]
    NotOnlyHost(String),
    #[error("the endpoint {0:?} is not encrypted: use https://")]
    Plaintext(String),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Parses an endpoint. Plain HTTP is accepted: see [`require_encryption`](Endpoint::require_encryption).
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        // It may contain a password, so no message may quote it.
        if text.contains('@') || text.contains("%40") {
            return Err(Fault::UserInfo.into());
        }
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = Url::parse(&with_scheme).map_err(|_| Fault::NotAUrl(text.to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Fault::Scheme(text.to_owned()).into());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(Fault::NotOnlyHost(text.to_owned()).into());
        }
        Ok(Self(url))
    }
}

impl Endpoint {
    /// Returns the endpoint, unless requests would leave this machine without encryption.
    ///
    /// # Errors
    ///
    /// [`EndpointError::is_plaintext_refused`] for plain HTTP to another machine.
    pub fn require_encryption(self) -> Result<Self, EndpointError> {
        if self.is_plaintext() && !self.is_loopback() {
            return Err(Fault::Plaintext(self.base().to_owned()).into());
        }
        Ok(self)
    }

    /// Whether requests are sent without TLS.
    pub fn is_plaintext(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether the host is this machine: `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether the host is this machine, or has a link-local address.
    pub fn is_local(&self) -> bool {
        is_local(&self.0)
    }

    /// Returns the endpoint as a URL without a trailing `/`, to which a path can be appended.
    pub fn base(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Returns the endpoint as a parsed URL, whose path is `/`.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Returns the host name or address; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the port, or the default port of the scheme.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Returns the value of the `Host` header: the host, and the port unless it is the default of the scheme.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether the host is this machine or on the same link, like the metadata service.
pub(crate) fn is_local(url: &Url) -> bool {
    let is_link_local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_unicast_link_local(),
        Some(Host::Domain(_)) | None => false,
    };
    is_link_local || is_loopback(url)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base())
    }
}

impl EndpointError {
    /// Whether the endpoint is valid but refused because requests would leave this machine without encryption.
    pub fn is_plaintext_refused(&self) -> bool {
        matches!(self.0, Fault::Plaintext(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("a.com", "https://a.com | a.com 443 | a.com"),
            ("HTTPS://A.com:443/", "https://a.com | a.com 443 | a.com"),
            ("a.com:8443", "https://a.com:8443 | a.com 8443 | a.com:8443"),
            (
                "http://a.com",
                "http://a.com | a.com 80 | a.com | plaintext",
            ),
            (
                "http://a.com:443",
                "http://a.com:443 | a.com 443 | a.com:443 | plaintext",
            ),
            (
                "127.0.0.1:1",
                "https://127.0.0.1:1 | 127.0.0.1 1 | 127.0.0.1:1 | loopback",
            ),
            (
                "http://127.0.0.1:80",
                "http://127.0.0.1 | 127.0.0.1 80 | 127.0.0.1 | plaintext | loopback",
            ),
            (
                "localhost",
                "https://localhost | localhost 443 | localhost | loopback",
            ),
            ("[::1]", "https://[::1] | [::1] 443 | [::1] | loopback"),
            (
                "[2001:db8::1]:8",
                "https://[2001:db8::1]:8 | [2001:db8::1] 8 | [2001:db8::1]:8",
            ),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            let mut shown = format!(
                "{endpoint} | {} {} | {}",
                endpoint.host(),
                endpoint.port(),
                endpoint.authority()
            );
            if endpoint.is_plaintext() {
                shown.push_str(" | plaintext");
            }
            if endpoint.is_loopback() {
                shown.push_str(" | loopback");
            }
            assert_eq!(shown, expected);
            assert_eq!(endpoint.to_string(), endpoint.base());
        }
    }

    #[test]
    fn unusable_endpoints() {
        for (text, reason) in [
            ("", "is not a URL"),
            ("https://", "is not a URL"),
            ("a b", "is not a URL"),
            ("example.com:port", "is not a URL"),
            ("ftp://example.com", "is not an http or https URL"),
            ("unix:///run/socket", "is not an http or https URL"),
            ("https://example.com/path", "has a path"),
            ("https://example.com?query", "has a path"),
            ("https://example.com/#fragment", "has a path"),
            ("https://user@example.com", "user name"),
            ("https://user:password@example.com", "user name"),
            ("https://user:password%40example.com", "user name"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.to_string().contains(reason), "{text:?}: {error}");
            assert!(!error.is_plaintext_refused(), "{text:?}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("password%40"), "{shown}");
            assert!(!shown.contains("password@"), "{shown}");
        }
    }

    #[test]
    fn plaintext_stays_on_this_machine_where_encryption_is_required() {
        for (text, is_accepted) in [
            ("https://example.com", true),
            ("http://localhost", true),
            ("http://127.0.0.2:1", true),
            ("http://[::1]", true),
            ("http://example.com", false),
            ("http://localhost.example.com", false),
            ("http://[2001:db8::1]:80", false),
        ] {
            match text.parse::<Endpoint>().unwrap().require_encryption() {
                Ok(_) => assert!(is_accepted, "{text}"),
                Err(error) => assert!(!is_accepted && error.is_plaintext_refused(), "{error}"),
            }
        }
    }
}
