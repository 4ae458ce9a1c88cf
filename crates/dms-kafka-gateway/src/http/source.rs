//! Tells programs on this machine from web pages, where requests need no signature.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};

use crate::refusal::Refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may send requests to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllowedSource {
    Any,
    /// Programs on this machine, and no web pages.
    ThisMachine,
}

impl AllowedSource {
    /// Refuses what a browser may send for a web page. A page can send requests to this machine, and its host name can
    /// resolve to a loopback address.
    pub(super) fn check(self, headers: &HeaderMap) -> Result<(), Refusal> {
        let own_site = |site: &HeaderValue| site == "none" || site == "same-origin";
        // Only HTTP/1.0 has no Host, and no browser uses it.
        if self == Self::Any
            || headers.get(header::HOST).is_none_or(is_loopback)
                && !headers.contains_key(header::ORIGIN)
                && headers.get_all(SEC_FETCH_SITE).iter().all(own_site)
        {
            return Ok(());
        }
        Err(Refusal::FOREIGN_SOURCE)
    }
}

/// Whether a `Host` header names this machine.
fn is_loopback(host: &HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}
