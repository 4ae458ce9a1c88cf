//! Explains why a TLS connection failed.

use std::error::Error;
use std::io;
use std::iter;

use rustls::CertificateError;

/// What to do about a failed TLS handshake. `None` for any other error.
pub(crate) fn advice(error: &dms_kafka::Error) -> Option<&'static str> {
    let first: Option<&(dyn Error + 'static)> = error.source();
    let mut causes = iter::successors(first, |&cause| inner(cause));
    let tls = causes.find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    match tls {
        rustls::Error::InvalidMessage(_) => Some(
            "the server did not reply with TLS: check the port, or use http:// if the service has no TLS",
        ),
        rustls::Error::InvalidCertificate(certificate) => Some(advice_on_certificate(certificate)),
        _ => None,
    }
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
        _ => {
            "the certificate is not signed by a trusted CA: add the certificate of the CA with --ca-cert FILE"
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
