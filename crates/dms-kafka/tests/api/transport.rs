//! TLS with custom certificates, and proxies.
#![cfg(feature = "rustls")]

use std::sync::Arc;

use crate::support::{self, DELETED, builder, chain, deleted, listen, ok, read_request, server};
#[cfg(feature = "providers")]
use dms_kafka::{Client, Region, auth::Credentials};
use dms_kafka::{ClientBuilder, ErrorKind, Outcome, RetryPolicy};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

type SelfSigned = CertifiedKey<KeyPair>;

fn self_signed() -> SelfSigned {
    generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap()
}

/// A server with this certificate that responds with `body`. If `clients` is not empty, it requires one of these
/// certificates.
async fn tls_server(own: &SelfSigned, clients: &[&SelfSigned], body: &'static str) -> String {
    let mut roots = RootCertStore::empty();
    for client in clients {
        roots.add(client.cert.der().clone()).unwrap();
    }
    let config = ServerConfig::builder();
    let config = if clients.is_empty() {
        config.with_no_client_auth()
    } else {
        config
            .with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build().unwrap())
    };
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = config
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = listen(move |stream| {
        let handshake = acceptor.accept(stream);
        async move {
            let mut stream = handshake.await.ok()?;
            read_request(&mut stream).await?;
            stream.write_all(ok(body).as_bytes()).await.ok()
        }
    });
    format!("https://{}", address.await)
}

async fn delete(builder: ClientBuilder) -> Result<(), dms_kafka::Error> {
    support::delete(&builder.with_retry(RetryPolicy::never()).build()?).await
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused_and_nothing_is_sent() {
    let endpoint = tls_server(&self_signed(), &[], DELETED).await;
    let error = delete(builder(&endpoint)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Connect, Outcome::NotApplied)
    );
    assert!(chain(&error).contains("certificate"), "{error}");
}

#[tokio::test]
async fn custom_root_certificates_are_trusted() {
    let (own, other) = (self_signed(), self_signed());
    let endpoint = tls_server(&own, &[], DELETED).await;
    let pem = other.cert.pem() + &own.cert.pem();
    delete(builder(&endpoint).with_root_certificates(pem))
        .await
        .unwrap();
    let wrong = builder(&endpoint).with_root_certificates(other.cert.pem());
    assert_eq!(delete(wrong).await.unwrap_err().kind(), ErrorKind::Connect);
}

/// The endpoint is plain HTTP on loopback, so its client loads no certificates.
#[cfg(feature = "providers")]
#[tokio::test]
async fn custom_root_certificates_are_also_trusted_for_iam() {
    let own = self_signed();
    let iam = tls_server(&own, &[], r#"{"projects":[{"id":"looked-up"}]}"#).await;
    let service = server(vec![deleted(&[0])]).await;
    let environment = [("HUAWEICLOUD_SDK_IAM_ENDPOINT", iam)];
    let builder = Client::builder()
        .region(Region::AP_SOUTHEAST_1)
        .endpoint(service.uri())
        .credentials(Credentials::new("access-key", "secret-key").unwrap())
        .with_environment(environment.into_iter().collect());
    delete(builder.clone().with_root_certificates(own.cert.pem()))
        .await
        .unwrap();
    let error = delete(builder).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProjectId, "{error}");
    assert!(chain(&error).contains("certificate"), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_client_certificate_is_sent_and_a_missing_one_breaks_the_connection() {
    let (own, client) = (self_signed(), self_signed());
    let endpoint = tls_server(&own, &[&client], DELETED).await;
    let trusting = || builder(&endpoint).with_root_certificates(own.cert.pem());
    let identity = client.cert.pem() + &client.signing_key.serialize_pem();
    delete(trusting().with_client_certificate(identity))
        .await
        .unwrap();
    // With TLS 1.3 the server checks it after the client has started to send.
    let error = delete(trusting()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Connection, Outcome::Unknown)
    );
}

#[tokio::test]
async fn an_explicit_proxy_is_also_used_for_loopback() {
    let proxy = server(vec![deleted(&[0])]).await;
    // Nothing listens on port 1, so the proxy responded.
    let endpoint = "http://127.0.0.1:1";
    delete(builder(endpoint).with_proxy(proxy.uri()))
        .await
        .unwrap();
    let error = delete(builder(endpoint).with_proxy(proxy.uri()).without_proxy())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn a_proxy_with_tls_is_trusted_by_the_same_certificates_for_an_endpoint_without() {
    let (own, other) = (self_signed(), self_signed());
    let proxy = tls_server(&own, &[], DELETED).await;
    let through = |roots: &SelfSigned| {
        builder("http://dms.example.invalid")
            .allow_plaintext_http()
            .with_proxy(&*proxy)
            .with_root_certificates(roots.cert.pem())
    };
    delete(through(&own)).await.unwrap();
    let error = delete(through(&other)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}
