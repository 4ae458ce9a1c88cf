//! Addresses of services.

use std::net::IpAddr;

use http::Uri;

use crate::CredentialsError;

/// Reads an endpoint: `https://` is assumed, nothing but host and port may follow, the scheme's own port is dropped.
pub(crate) fn parse(text: &str) -> Result<String, CredentialsError> {
    if text.contains('@') {
        return Err(CredentialsError::invalid(
            "the endpoint holds a user name: remove it",
        ));
    }
    let fault = |fault| CredentialsError::invalid(format!("the endpoint {text:?} {fault}"));
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let uri: Uri = with_scheme.parse().map_err(|_| fault("is no URL"))?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "https" | "http"));
    let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
        return Err(fault("must be http:// or https:// and a host"));
    };
    if authority.host().is_empty() || uri.path().len() > 1 || uri.query().is_some() {
        return Err(fault("must be a host and a port, without path or query"));
    }
    let own_port = if scheme == "https" { 443 } else { 80 };
    match authority.port_u16() {
        Some(port) if port != own_port => Ok(format!("{scheme}://{}:{port}", authority.host())),
        _ => Ok(format!("{scheme}://{}", authority.host())),
    }
}

/// The same for an endpoint that is sent secrets: no plain HTTP but to this machine.
pub(crate) fn parse_confidential(text: &str) -> Result<String, CredentialsError> {
    let endpoint = parse(text)?;
    let is_plain = endpoint.strip_prefix("http://").is_some_and(|authority| {
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        !is_loopback(authority) && !is_loopback(host)
    });
    if is_plain {
        return Err(CredentialsError::invalid(format!(
            "the endpoint {text:?} would be sent secrets in the clear: use https://"
        )));
    }
    Ok(endpoint)
}

/// Whether a URL's host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || ip(host).is_some_and(|address| address.is_loopback())
}

/// The address of a host that is written as one, in brackets or not.
pub(crate) fn ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("iam.example.com", "https://iam.example.com"),
            ("https://iam.example.com/", "https://iam.example.com"),
            ("https://iam.example.com:443", "https://iam.example.com"),
            (
                "https://iam.example.com:8443",
                "https://iam.example.com:8443",
            ),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(parse_confidential(text).unwrap(), expected);
        }
        assert_eq!(parse("http://example.com").unwrap(), "http://example.com");
    }

    #[test]
    fn what_is_no_endpoint() {
        for text in [
            "",
            "https://",
            "ftp://example.com",
            "https://example.com/path",
            "https://example.com?query",
            "https://user@example.com",
            "a b",
            "http://example.com",
            "http://localhost.example.com",
            "http://[2001:db8::1]:80",
        ] {
            let error = parse_confidential(text).unwrap_err();
            assert!(error.is_invalid(), "{text:?}: {error}");
        }
    }
}
