//! Explains why a connection failed.

use std::error::Error;
use std::io;
use std::iter;

use dms_kafka::ErrorKind;
use rustls::CertificateError;

/// The variables that set a proxy.
const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// What to do about a connection that was not established. `None` if that is not why the call failed.
pub(crate) fn advice(error: &dms_kafka::Error) -> Option<&'static str> {
    let (ErrorKind::Connect | ErrorKind::Credentials | ErrorKind::ProjectId) = error.kind() else {
        return None;
    };
    let first: Option<&(dyn Error + 'static)> = error.source();
    let mut causes = iter::successors(first, |&cause| inner(cause));
    match causes.find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => Some(
            "the server did not reply with TLS: check the port, or use http:// if the service has no TLS",
        ),
        Some(rustls::Error::InvalidCertificate(certificate)) => {
            Some(advice_on_certificate(certificate))
        }
        Some(_) => None,
        None => (error.kind() == ErrorKind::Connect && has_proxy()).then_some(
            "a variable such as HTTPS_PROXY sets a proxy for hosts other than loopback: check that it can be reached",
        ),
    }
}

fn has_proxy() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    PROXIES.into_iter().any(is_set)
}

fn advice_on_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another host: check the endpoint"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid at this time: check the clock of this machine, or renew the certificate"
        }
        CertificateError::UnknownIssuer => {
            "the certificate is not signed by a trusted CA: add the certificate of the CA with --ca-cert FILE"
        }
        _ => {
            "check the certificate of the server: it must be signed by a CA or by itself, and must not be that of a CA itself"
        }
    }
}

/// The cause of an error. `io::Error::source` skips the error that it contains.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
