//! Dropped calls leave no connections or tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{builder, listen, read_request, until};
use dms_kafka::auth::Credentials;
use dms_kafka::{Client, DeletionTarget, PurgeTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Notify;

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = builder(&endpoint).build().unwrap();
    let call = tokio::spawn(
        client
            .delete_messages("instance", "orders")
            .before(0, 1)
            .send(),
    );
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await.unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        .await
        .unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let mut rest = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut rest));
    assert!(
        matches!(read.await.unwrap(), Ok(0) | Err(_)),
        "the connection is still open"
    );
}

/// The stage at which the call is dropped.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Connected. The server does not read.
    Connected,
    /// The server has read the request.
    Sent,
    /// The server has sent a part of the response.
    Responding,
    /// The client waits before the next attempt.
    Pausing,
}

const STAGES: [Stage; 4] = [
    Stage::Connected,
    Stage::Sent,
    Stage::Responding,
    Stage::Pausing,
];

async fn hold(stream: &mut TcpStream, stage: Stage, reached: &Notify) -> Option<()> {
    if !matches!(stage, Stage::Connected) {
        read_request(stream).await?;
    }
    let response: &[u8] = match stage {
        Stage::Connected | Stage::Sent => b"",
        Stage::Responding => b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        Stage::Pausing => {
            b"HTTP/1.1 429 Busy\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        }
    };
    stream.write_all(response).await.ok()?;
    reached.notify_one();
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.ok()? > 0 {}
    Some(())
}

/// A server that keeps each connection at a stage until the client closes it.
struct Holding {
    endpoint: String,
    connections: Arc<AtomicUsize>,
    reached: Arc<Notify>,
}

impl Holding {
    async fn start(stage: Stage) -> Self {
        let (connections, reached) = <(Arc<AtomicUsize>, Arc<Notify>)>::default();
        let shared = (connections.clone(), reached.clone());
        let address = listen(move |mut stream| {
            let (connections, reached) = shared.clone();
            connections.fetch_add(1, Ordering::SeqCst);
            async move {
                hold(&mut stream, stage, &reached).await;
                drop(stream);
                connections.fetch_sub(1, Ordering::SeqCst);
            }
        });
        Self {
            endpoint: format!("http://{}", address.await),
            connections,
            reached,
        }
    }
}

fn client(endpoint: &str, credentials: &Arc<Credentials>) -> Client {
    builder(endpoint)
        .credentials(Arc::clone(credentials))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_call_dropped_at_any_stage_leaves_no_connection_or_task() {
    for stage in STAGES {
        let server = Holding::start(stage).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let credentials = Arc::new(Credentials::new("access-key", "secret-key").unwrap());
        let client = client(&server.endpoint, &credentials);
        for _ in 0..50 {
            let request = client.delete_messages("instance", "orders").before(0, 1);
            let call = tokio::spawn(request.send());
            server.reached.notified().await;
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled(), "{stage:?}");
        }
        until(|| server.connections.load(Ordering::SeqCst) == 0).await;
        drop(client);
        until(|| Arc::strong_count(&credentials) == 1).await;
        until(|| Handle::current().metrics().num_alive_tasks() <= tasks).await;
    }
}

#[tokio::test]
async fn a_dropped_purge_leaves_no_connection_or_task_and_sends_nothing_more() {
    let server = Holding::start(Stage::Sent).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let credentials = Arc::new(Credentials::new("access-key", "secret-key").unwrap());
    let client = client(&server.endpoint, &credentials);
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let rows = (0..i32::MAX).map(move |partition| {
        counter.fetch_add(1, Ordering::SeqCst);
        PurgeTarget::new("orders", partition, DeletionTarget::before(1).unwrap()).unwrap()
    });
    let mut results = client
        .purge("instance")
        .with_concurrency(4)
        .with_window(100)
        .run(rows);
    let call = tokio::spawn(async move { results.next().await });
    until(|| server.connections.load(Ordering::SeqCst) == 4).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    until(|| server.connections.load(Ordering::SeqCst) == 0).await;
    assert_eq!(Arc::strong_count(&read), 1, "the rows were not dropped");
    assert_eq!(read.load(Ordering::SeqCst), 100);
    drop(client);
    until(|| Arc::strong_count(&credentials) == 1).await;
    until(|| Handle::current().metrics().num_alive_tasks() <= tasks).await;
}
