//! HTTP/2, if the server offers it.
#![cfg(feature = "rustls")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use crate::support::log::Log;
use crate::support::{DELETED, builder, canary_credentials, delete, listen};
use bytes::Bytes;
use dms_kafka::auth::signing::{Payload, RequestTarget, SigningRequest};
use dms_kafka::auth::verification::{Authorization, Verifier};
use dms_kafka::{Client, ErrorKind, Outcome, RetryPolicy};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::{Accept, TlsAcceptor};

type Respond = fn(&Request<Bytes>, SendResponse<Bytes>);

/// A server that only supports HTTP/2.
struct Server {
    endpoint: String,
    pem: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn start(respond: Respond) -> Self {
        let own = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config(&own)));
        let (connections, requests) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (opened, received) = (connections.clone(), requests.clone());
        let address = listen(move |stream| {
            opened.fetch_add(1, Ordering::SeqCst);
            serve(acceptor.accept(stream), respond, received.clone())
        });
        Self {
            endpoint: format!("https://{}", address.await),
            pem: own.cert.pem(),
            connections,
            requests,
        }
    }

    fn client(&self) -> Client {
        builder(&self.endpoint)
            .with_root_certificates(&*self.pem)
            .with_retry(RetryPolicy::never())
            .build()
            .unwrap()
    }
}

fn config(own: &CertifiedKey<KeyPair>) -> ServerConfig {
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

async fn serve(handshake: Accept<TcpStream>, respond: Respond, requests: Arc<AtomicUsize>) {
    let stream = handshake.await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, sender))) = connection.accept().await {
        requests.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let (head, body) = request.into_parts();
            let body = read(body).await;
            respond(&Request::from_parts(head, body), sender);
        });
    }
}

async fn read(mut body: RecvStream) -> Bytes {
    let mut whole = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
        whole.extend_from_slice(&chunk);
    }
    whole.into()
}

/// Deletes if the signature is valid for the host that HTTP/2 sends, which is the authority.
fn verify_and_delete(request: &Request<Bytes>, mut respond: SendResponse<Bytes>) {
    assert_eq!(request.version(), Version::HTTP_2);
    let authority = request.uri().authority().unwrap().as_str();
    let mut headers = request.headers().clone();
    headers.insert(HOST, HeaderValue::from_str(authority).unwrap());
    let signed = SigningRequest {
        target: RequestTarget {
            method: request.method(),
            host: authority,
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
        },
        headers: &headers,
        payload: Payload::Bytes(request.body()),
    };
    let verified = Authorization::from_headers(&headers).and_then(|authorization| {
        Verifier::default().verify(&authorization, &signed, "secret-key", SystemTime::now())
    });
    let status = if verified.is_ok() { 200 } else { 401 };
    let response = Response::builder().status(status).body(()).unwrap();
    let mut body = respond.send_response(response, false).unwrap();
    body.send_data(DELETED.into(), true).unwrap();
}

fn refuse(_: &Request<Bytes>, mut respond: SendResponse<Bytes>) {
    respond.send_reset(Reason::REFUSED_STREAM);
}

#[tokio::test]
async fn calls_share_one_connection_and_have_valid_signatures() {
    let server = Server::start(verify_and_delete).await;
    let client = server.client();
    delete(&client).await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { delete(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.requests.load(Ordering::SeqCst), 21);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

/// h2 logs frames and headers at level TRACE.
#[tokio::test]
async fn no_secret_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // The runtime of this test has one thread.
    let _logging = tracing::subscriber::set_default(subscriber);
    let server = Server::start(verify_and_delete).await;
    for credentials in canary_credentials() {
        let builder = builder(&server.endpoint).with_root_certificates(&*server.pem);
        let client = builder.credentials(credentials).build().unwrap();
        delete(&client).await.unwrap_err();
    }
    let log = log.text();
    assert!(log.contains("h2::"), "h2 is logged");
    assert!(!log.contains("canary"), "{log}");
    assert!(!log.contains("Signature="), "{log}");
}

fn long_header(_: &Request<Bytes>, mut respond: SendResponse<Bytes>) {
    let response = Response::builder().header("x-long", "a".repeat(100_000));
    respond
        .send_response(response.body(()).unwrap(), true)
        .unwrap();
}

#[tokio::test]
async fn a_response_that_cannot_be_read_is_one_attempt() {
    let server = Server::start(long_header).await;
    let client = builder(&server.endpoint)
        .with_root_certificates(&*server.pem)
        .build()
        .unwrap();
    let error = delete(&client).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.attempts()),
        (ErrorKind::InvalidAnswer, Outcome::Unknown, 1),
        "{error:?}"
    );
    assert!(error.to_string().contains("16 KiB"), "{error}");
}

/// By default, reqwest sends the request again, and that would not count as an attempt.
#[tokio::test]
async fn a_refused_stream_is_one_failed_attempt() {
    let server = Server::start(refuse).await;
    let error = delete(&server.client()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.attempts()),
        (ErrorKind::Connection, Outcome::Unknown, 1)
    );
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}
