//! HTTPS. The client is rustls too, so the tests need no other TLS library.

use std::{fs, path::Path, sync::Arc, time::Duration};

use crate::support::{connect, read_to_end, serve};
use dms_kafka_gateway::{Config, ErrorKind};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    anonymous = true
    tls = { certificate_chain_file = "$FOLDER/cert.pem", private_key_file = "$FOLDER/key.pem" }
    limits.header_seconds = 0.5
    instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1, records = 10 }] }]
"#;

/// Writes a self-signed certificate for `localhost`, and returns it.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.join("cert.pem"), made.cert.pem()).expect("a file");
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).expect("PEM")
}

fn connector(root: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

#[tokio::test]
async fn the_api_over_https() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = certificate(folder.path());
    let service = serve(CONFIG, folder.path()).await;
    let endpoint = service.endpoint();
    assert!(endpoint.starts_with("https://127.0.0.1:"), "{endpoint}");

    let stream = connect(service.address()).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = connector(root).connect(name, stream).await;
    let mut stream = stream.expect("a handshake");
    let body = r#"{"partitions":[{"partition":0,"offset":4}]}"#;
    let path = crate::support::path(["p", "i", "t"], "messages/delete");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("a write");
    // Fails unless the gateway closes the TLS session.
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.contains(r#""result":"success""#), "{response}");
    service.shutdown().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let service = serve(CONFIG, folder.path()).await;
    let mut stream = connect(service.address()).await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn connections_without_a_handshake_do_not_keep_others_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = certificate(folder.path());
    let config = CONFIG.replace("limits.header_seconds = 0.5", "limits.connections = 8");
    let service = serve(&config, folder.path()).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(connect(service.address()).await);
    }
    let stream = connect(service.address()).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let handshake = connector(root).connect(name, stream);
    let handshake = tokio::time::timeout(Duration::from_secs(10), handshake).await;
    handshake.expect("in time").expect("a handshake");
}

#[test]
fn invalid_certificate_and_key_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    certificate(other.path());
    let check = |cert: &str, key: &str| {
        let toml = CONFIG
            .replace("$FOLDER/cert.pem", cert)
            .replace("$FOLDER/key.pem", key);
        let config = Config::from_toml(&toml).expect("a configuration");
        config.check(&|_| None).map(drop)
    };
    let path = |folder: &TempDir, file| folder.path().join(file).display().to_string();
    let (cert, key) = (&*path(&folder, "cert.pem"), &*path(&folder, "key.pem"));
    for (cert, key, says) in [
        ("no-such-file", key, "certificate_chain_file"),
        (cert, "hidden", "private_key_file"),
        (cert, cert, "private_key_file"),
        (cert, &path(&other, "key.pem"), "certificate_chain_file"),
    ] {
        let error = check(cert, key).expect_err(says);
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        let error = error.to_string();
        assert!(error.contains(says), "{says:?} is not in {error}");
        // A key instead of the name of its file.
        assert!(!error.contains("hidden"), "{error}");
    }
}
