//! The URL of a proxy, and the proxy that the environment sets.

use std::{fmt, net::IpAddr, str::FromStr};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Environment, ProviderError};

/// Loopback and link-local addresses, which a proxy cannot reach or would reach on another machine.
const LOCAL: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10";

const ENCODE: &str = "percent-encode the characters # / ? @ % and quotation marks of a user name or password, such as %23 for #";

/// The URL of an HTTP proxy: `http` or `https`, a host and perhaps a port, user name and password.
///
/// The default scheme is `http`. HTTP clients drop a URL that they cannot read and connect without a proxy, so this is
/// stricter than they are.
///
/// ```
/// use huaweicloud_auth::ProxyUrl;
///
/// let proxy: ProxyUrl = "user:p%23ss@proxy.example.com:3128".parse()?;
/// assert_eq!(proxy.as_str(), "http://user:p%23ss@proxy.example.com:3128/");
/// assert_eq!(format!("{proxy:?}"), r#"ProxyUrl("proxy.example.com")"#);
/// assert!("http://user:p#ss@proxy.example.com:3128".parse::<ProxyUrl>().is_err());
/// # Ok::<(), huaweicloud_auth::ProxyUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

/// Which rule the URL of a proxy breaks. The message does not quote the URL, which may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the proxy {0}")]
pub struct ProxyUrlError(String);

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let refused = |rule: &str| Err(ProxyUrlError(rule.to_owned()));
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused(
                "contains a blank, a line break or a character that is not ASCII: remove it",
            );
        }
        if text.contains(['"', '\'', '\\', '<', '>', '`']) {
            return refused(&format!(
                "contains a quotation mark or a backslash: remove it; {ENCODE}"
            ));
        }
        if !["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return refused(
                "is not an http or https URL: write it like http://proxy.example.com:3128",
            );
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !matches!(path, "" | "/") {
            return refused(&format!(
                "has a path, query or fragment: write only the scheme, host and port; {ENCODE}"
            ));
        }
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user_info.contains('@') || !is_percent_encoded(user_info) {
            return refused(&format!(
                "has a user name or password that is not percent-encoded: {ENCODE}"
            ));
        }
        let url = Url::parse(&format!("{scheme}://{authority}"));
        match url {
            // The HTTP client reads it as this type.
            Ok(url) if !host.is_empty() && url.as_str().parse::<http::Uri>().is_ok() => {
                Ok(Self(url))
            }
            _ => {
                refused("has an invalid host or port: write it like http://proxy.example.com:3128")
            }
        }
    }
}

/// Whether each `%` starts the code of a byte, and the bytes are UTF-8. HTTP clients would change other texts.
fn is_percent_encoded(text: &str) -> bool {
    let is_code = |rest: &str| {
        let code = rest.as_bytes().get(..2);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    };
    text.split('%').skip(1).all(is_code) && percent_decode_str(text).decode_utf8().is_ok()
}

impl ProxyUrl {
    /// Returns the URL. It may contain a password, so do not print it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the connection to the proxy uses TLS.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// Shows the host, and no password.
impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        f.debug_tuple("ProxyUrl").field(&host).finish()
    }
}

/// The proxy that the environment sets for one scheme, and the hosts that are reached without it.
#[derive(Clone, Debug)]
pub struct EnvironmentProxy {
    url: ProxyUrl,
    exceptions: String,
}

impl EnvironmentProxy {
    /// Reads the proxy for `http` from `HTTP_PROXY`, or the one for `https` from `HTTPS_PROXY`, or else from `ALL_PROXY`,
    /// and the exceptions from `NO_PROXY`. Lower-case names have the same meaning. An empty variable counts as not set.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when a variable that would be used cannot be read, or when the two
    /// spellings of its name have different values. The message names the variable and does not quote its value.
    pub fn read(environment: &Environment, scheme: &str) -> Result<Option<Self>, ProviderError> {
        let own = format!("{}_PROXY", scheme.to_ascii_uppercase());
        let url = match variable(environment, &own, ProxyUrl::from_variable)? {
            None => variable(environment, "ALL_PROXY", ProxyUrl::from_variable)?,
            own => own,
        };
        let Some(url) = url else {
            return Ok(None);
        };
        // A CGI server sets this variable from a header of the request.
        if own == "HTTP_PROXY"
            && environment.get("REQUEST_METHOD")?.is_some()
            && environment.get(&own)?.is_some()
        {
            return Err(ProviderError::invalid(
                "HTTP_PROXY: in a CGI program (REQUEST_METHOD is set), a client can set it: use http_proxy",
            ));
        }
        let listed = variable(environment, "NO_PROXY", exceptions)?;
        // reqwest does not apply `*` to addresses.
        if listed
            .iter()
            .flat_map(|list| list.split(','))
            .any(|entry| entry == "*")
        {
            return Ok(None);
        }
        let exceptions = format!("{LOCAL},{}", listed.unwrap_or_default());
        Ok(Some(Self { url, exceptions }))
    }

    /// Returns the URL of the proxy.
    pub fn url(&self) -> &ProxyUrl {
        &self.url
    }

    /// Returns the hosts that are reached without the proxy: names, addresses and networks, separated by commas. They include
    /// loopback and link-local addresses.
    pub fn exceptions(&self) -> &str {
        &self.exceptions
    }
}

impl ProxyUrl {
    fn from_variable(value: &str) -> Result<Self, String> {
        value.parse().map_err(|ProxyUrlError(rule)| rule)
    }
}

/// Reads a variable with both spellings of its name.
fn variable<T: PartialEq>(
    environment: &Environment,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, ProviderError> {
    let read = |name: &str| {
        let value = environment.get(name)?;
        let parsed = value.as_deref().map(&parse).transpose();
        parsed.map_err(|rule| ProviderError::invalid(rule).at(name))
    };
    let lower_case = name.to_ascii_lowercase();
    match (read(name)?, read(&lower_case)?) {
        (Some(one), Some(other)) if one != other => Err(ProviderError::invalid(format!(
            "{name} and {lower_case} have different values: set one of them"
        ))),
        (one, other) => Ok(one.or(other)),
    }
}

/// Checks the entries of `NO_PROXY`: an HTTP client ignores those that it does not understand.
fn exceptions(list: &str) -> Result<String, String> {
    let entries = list.split(',').map(str::trim);
    let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
    match entries.iter().position(|entry| !is_exception(entry)) {
        None => Ok(entries.join(",")),
        Some(at) => Err(format!(
            "entry {} is not a host name such as example.com, an address, a network such as 10.0.0.0/8, or *: \
             separate entries with commas, without scheme, port or quotation marks, and write .example.com for *.example.com",
            at + 1
        )),
    }
}

fn is_exception(entry: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match entry.split_once('/') {
        Some((address, bits)) => {
            let most = match address.parse() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            bits.parse::<u8>().is_ok_and(|bits| bits <= most)
        }
        None => entry == "*" || entry.parse::<IpAddr>().is_ok() || entry.bytes().all(is_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(scheme: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let environment = variables.iter().copied().collect();
        match EnvironmentProxy::read(&environment, scheme) {
            Ok(proxy) => Ok(proxy.map(|proxy| {
                let shown = format!("{proxy:?}");
                assert!(!shown.contains("canary"), "{shown}");
                let listed = proxy.exceptions().strip_prefix(LOCAL).unwrap();
                let listed = listed.strip_prefix(',').unwrap();
                format!("{} {listed}", proxy.url().as_str())
            })),
            Err(error) => {
                assert!(error.is_invalid());
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains("canary"), "{shown}");
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_read_is_refused_by_its_rule() {
        for (url, rule) in [
            ("htp://canary:1", "http or https"),
            ("socks5://canary:1", "http or https"),
            ("socks5h://canary:1", "http or https"),
            ("ftp://canary:1", "http or https"),
            ("://canary:1", "http or https"),
            ("http://canary proxy:1", "blank"),
            (" http://canary:1", "blank"),
            ("http://canary:1 ", "blank"),
            ("http://canary:1\r", "line break"),
            ("http://canary:1\n", "line break"),
            ("http://canary:1\t", "blank"),
            ("http://can\u{e4}ry-canary:1", "ASCII"),
            ("\"http://canary:1\"", "quotation mark"),
            ("'http://canary:1'", "quotation mark"),
            ("http:\\\\canary:1", "backslash"),
            ("http://user:canary#@host:1", "percent-encode"),
            ("http://user:canary/@host:1", "percent-encode"),
            ("http://user:canary?@host:1", "percent-encode"),
            ("http://user:canary@@host:1", "percent-encode"),
            ("http://user:canary%@host:1", "percent-encode"),
            ("http://user:canary%4@host:1", "percent-encode"),
            ("http://user:canary%ff@host:1", "percent-encode"),
            ("user:canary#@host:1", "percent-encode"),
            ("http://canary/path", "path"),
            ("http://canary:port", "host or port"),
            ("http://canary:99999", "host or port"),
            ("http://user:canary@", "host or port"),
            ("http://user:canary@:1", "host or port"),
            ("http://:1", "host or port"),
            ("http://", "host or port"),
            ("http:///canary:1", "path"),
            ("http:/canary:1", "path"),
            ("http://[canary", "host or port"),
            ("http", ""),
        ] {
            for (scheme, variable) in [
                ("http", "HTTP_PROXY"),
                ("http", "http_proxy"),
                ("http", "ALL_PROXY"),
                ("https", "HTTPS_PROXY"),
                ("https", "https_proxy"),
                ("https", "all_proxy"),
            ] {
                let proxy = read(scheme, &[(variable, url)]);
                if rule.is_empty() {
                    assert!(proxy.is_ok(), "{url:?}: {proxy:?}");
                    continue;
                }
                let error = proxy.unwrap_err();
                assert!(
                    error.starts_with(&format!("{variable}: ")) && error.contains(rule),
                    "{url:?}: {error}"
                );
            }
        }
    }

    #[test]
    fn the_variable_of_the_scheme_is_used_and_else_that_of_all_schemes() {
        let proxy = |url: &str| Ok(Some(format!("{url} ")));
        for (scheme, variables, expected) in [
            ("http", &[][..], Ok(None)),
            ("http", &[("HTTP_PROXY", "")], Ok(None)),
            ("http", &[("HTTPS_PROXY", "htp://x")], Ok(None)),
            ("http", &[("HTTP_PROXY", "p:1")], proxy("http://p:1/")),
            ("http", &[("http_proxy", "HTTP://P")], proxy("http://p/")),
            (
                "https",
                &[("HTTPS_PROXY", "https://p/")],
                proxy("https://p/"),
            ),
            (
                "https",
                &[("HTTPS_PROXY", ""), ("https_proxy", "http://p")],
                proxy("http://p/"),
            ),
            (
                "https",
                &[("HTTPS_PROXY", "http://p"), ("https_proxy", "http://p/")],
                proxy("http://p/"),
            ),
            (
                "https",
                &[("HTTPS_PROXY", "http://p"), ("all_proxy", "socks5://q")],
                proxy("http://p/"),
            ),
            ("https", &[("ALL_PROXY", "http://q")], proxy("http://q/")),
            (
                "https",
                &[("https_proxy", "http://u:a%23%40:b@p:8")],
                proxy("http://u:a%23%40%3Ab@p:8/"),
            ),
            ("http", &[("NO_PROXY", "not a host!")], Ok(None)),
        ] {
            assert_eq!(read(scheme, variables), expected, "{scheme} {variables:?}");
        }
        let differs = [("HTTP_PROXY", "http://canary"), ("http_proxy", "http://q")];
        assert!(
            read("http", &differs)
                .unwrap_err()
                .contains("HTTP_PROXY and http_proxy")
        );
        let cgi = [("HTTP_PROXY", "http://canary"), ("REQUEST_METHOD", "GET")];
        assert!(read("http", &cgi).unwrap_err().starts_with("HTTP_PROXY: "));
    }

    #[test]
    fn a_star_excepts_every_host_and_address() {
        for list in ["*", "a.example, *", "10.0.0.0/8,*"] {
            let variables = [("HTTP_PROXY", "http://p"), ("NO_PROXY", list)];
            assert_eq!(read("http", &variables), Ok(None), "{list}");
        }
    }

    #[test]
    fn an_exception_that_cannot_be_read_is_refused() {
        for (list, expected) in [
            ("", Some("")),
            (" a.example , .b.example", Some("a.example,.b.example")),
            (
                "10.0.0.0/8,192.0.2.1,::1,fe80::/10",
                Some("10.0.0.0/8,192.0.2.1,::1,fe80::/10"),
            ),
            ("a.example,", Some("a.example")),
            ("a.example b.example", None),
            ("a.example:443", None),
            ("https://a.example", None),
            ("*.example", None),
            ("\"a.example\"", None),
            ("[::1]", None),
            ("10.0.0.0/33", None),
            ("a.example/8", None),
            ("a.example;b.example", None),
        ] {
            let proxy = read("http", &[("HTTP_PROXY", "http://p"), ("no_proxy", list)]);
            match expected {
                Some(expected) => {
                    assert_eq!(proxy, Ok(Some(format!("http://p/ {expected}"))), "{list}");
                }
                None => assert!(
                    proxy.unwrap_err().starts_with("no_proxy: entry 1 "),
                    "{list}"
                ),
            }
        }
    }
}
