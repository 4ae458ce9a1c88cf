//! Why a connection to a broker cannot work: another security protocol, or a certificate that is not valid.
//!
//! librdkafka has one message for every certificate that it refuses, and cannot tell another protocol from a broker that
//! closes connections. So after it reports an error, the listener is asked which protocol it has.

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use openssl::{
    error::ErrorStack,
    pkey::PKey,
    ssl::{self, SslConnector, SslMethod, SslVerifyMode},
    x509::{X509, X509VerifyResult},
};
use rdkafka::ClientConfig;
use zeroize::Zeroizing;

use super::client::lock;

/// For each step of a connection.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How many bootstrap servers are asked.
const MAX_SERVERS: usize = 3;

/// `SaslHandshake`, version 0, with correlation id 1, no client id, and a mechanism that no broker has.
const SASL_HANDSHAKE: [u8; 17] = [0, 0, 0, 13, 0, 17, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 1, b'?'];
/// Kafka's codes in the response.
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;

/// What does not fit between the configuration and a listener; `reason` is a message of librdkafka, which may name the broker.
pub(super) fn mismatch(config: &ClientConfig, reason: &str) -> Option<String> {
    let named = reason
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'));
    let servers = named.map(|(address, _)| address);
    let servers = servers.or_else(|| config.get("bootstrap.servers"))?;
    let servers = servers.split(',').take(MAX_SERVERS);
    servers
        .map(|server| server.rsplit("://").next().unwrap_or(server).trim())
        .find_map(|address| mismatch_of(config, address))
}

fn mismatch_of(config: &ClientConfig, address: &str) -> Option<String> {
    let protocol = config.get("security.protocol").unwrap_or("plaintext");
    let protocol = protocol.to_uppercase();
    let (found, refusal) = match Tls::connect(config, address) {
        Some(mut tls) => {
            let sasl = has_sasl(&mut tls.stream);
            let name = match &sasl {
                Ok(true) => "SASL_SSL",
                _ => "SSL",
            };
            let refusal = sasl.err().and_then(|error| alert(config, &error));
            // With a refusal, whether there is SASL is not known.
            let is_same = protocol.ends_with("SSL") && refusal.is_some();
            let name = if is_same { &*protocol } else { name };
            (name.to_owned(), tls.refused.or(refusal))
        }
        None => match has_sasl(&mut connect(address).ok()?) {
            Ok(true) => ("SASL_PLAINTEXT".to_owned(), None),
            Ok(false) => ("PLAINTEXT".to_owned(), None),
            Err(_) => return None,
        },
    };
    if found != protocol {
        return Some(format!(
            "the listener at {address} uses {found}, but security.protocol is {protocol}"
        ));
    }
    refusal.map(|refusal| format!("{address}: {refusal}"))
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let found = address.to_socket_addrs()?.next();
    let found = found.ok_or(io::ErrorKind::NotFound)?;
    let stream = TcpStream::connect_timeout(&found, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Whether a listener authenticates by SASL.
fn has_sasl(stream: &mut (impl Read + Write)) -> io::Result<bool> {
    stream.write_all(&SASL_HANDSHAKE)?;
    // Length, correlation id, error code.
    let mut head = [0; 10];
    stream.read_exact(&mut head)?;
    match i16::from_be_bytes([head[8], head[9]]) {
        UNSUPPORTED_SASL_MECHANISM => Ok(true),
        ILLEGAL_SASL_STATE => Ok(false),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A connection with TLS, whatever certificate the broker has.
struct Tls {
    stream: ssl::SslStream<TcpStream>,
    /// Why the certificate is not valid.
    refused: Option<String>,
}

impl Tls {
    fn connect(config: &ClientConfig, address: &str) -> Option<Self> {
        let results = Arc::new(Mutex::new(Vec::new()));
        let found = results.clone();
        let connector = connector(config, move |result| lock(&found).push(result)).ok()?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let stream = connector.connect(host.trim_matches(['[', ']']), connect(address).ok()?);
        let stream = stream.ok()?;
        let mut results: Vec<&str> = lock(&results).iter().copied().map(problem).collect();
        results.dedup();
        let refused = (!results.is_empty()).then(|| results.join("; "));
        Some(Self { stream, refused })
    }
}

/// A connector with the certificates of the configuration, which passes the problems of the broker's to `refused`.
fn connector(
    config: &ClientConfig,
    refused: impl Fn(X509VerifyResult) + Send + Sync + 'static,
) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    if let Some(pem) = pem(config, "ca") {
        for ca in X509::stack_from_pem(&pem)? {
            builder.cert_store_mut().add_cert(ca)?;
        }
    }
    if let (Some(chain), Some(key)) = (pem(config, "certificate"), pem(config, "key")) {
        let mut chain = X509::stack_from_pem(&chain)?.into_iter();
        if let Some(certificate) = chain.next() {
            builder.set_certificate(&certificate)?;
        }
        for issuer in chain {
            builder.add_extra_chain_cert(issuer)?;
        }
        let password = config.get("ssl.key.password").unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&key, password.as_bytes())?;
        builder.set_private_key(&key)?;
    }
    builder.set_verify_callback(SslVerifyMode::PEER, move |is_valid, context| {
        if !is_valid {
            refused(context.error());
        }
        true
    });
    Ok(builder.build())
}

/// The content of `ssl.….pem`, or of the file `ssl.….location`.
fn pem(config: &ClientConfig, what: &str) -> Option<Zeroizing<Vec<u8>>> {
    let inline = config.get(&format!("ssl.{what}.pem"));
    let inline = inline.map(|pem| pem.as_bytes().to_vec());
    let read = || fs::read(config.get(&format!("ssl.{what}.location"))?).ok();
    inline.or_else(read).map(Zeroizing::new)
}

/// What is wrong with a certificate.
fn problem(result: X509VerifyResult) -> &'static str {
    // The numbers of `X509_V_ERR_...` of OpenSSL.
    match result.as_raw() {
        9 | 10 => "the certificate has expired or is not valid yet",
        18..=21 => "the certificate is not signed by a CA of ssl.ca.location",
        62 | 64 => "the certificate is for another host",
        _ => result.error_string(),
    }
}

/// What the broker says about the client's certificate. It says so after the handshake.
fn alert(config: &ClientConfig, error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<ssl::Error>()?;
    let reason = error.ssl_error()?.errors().first()?.reason()?;
    let what = if config.get("ssl.keystore.location").is_some() {
        // Its certificate was not presented.
        return None;
    } else if pem(config, "certificate").is_some() {
        "refuses the certificate of ssl.certificate.location"
    } else {
        "requires a certificate, and ssl.certificate.location is not set"
    };
    Some(format!("the broker {what} ({reason})"))
}
