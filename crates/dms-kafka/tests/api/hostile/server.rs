//! The misbehaving server: one list of actions for each connection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::case::Action;
use crate::support::{listen, read_request};

const DELETED: &str = r#"{"partitions":[{"partition":0,"result":"success","error_code":"0"},{"partition":1,"result":"success","error_code":"0"}]}"#;

pub(crate) struct Server {
    port: u16,
    requests: Arc<AtomicU32>,
}

impl Server {
    pub(crate) async fn start(scripts: Vec<Vec<Action>>) -> Self {
        let requests = Arc::<AtomicU32>::default();
        let counter = Arc::clone(&requests);
        let scripts = Mutex::new(scripts.into_iter());
        let address = listen(move |stream| {
            let script = scripts.lock().unwrap().next().unwrap_or_default();
            play(stream, script, Arc::clone(&counter))
        });
        Self {
            port: address.await.port(),
            requests,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The number of complete requests received.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A port that refuses connections, and that nothing else can use while the socket exists.
pub(crate) fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

async fn play(mut stream: TcpStream, script: Vec<Action>, requests: Arc<AtomicU32>) {
    if !matches!(script.first(), Some(Action::Early | Action::Partly)) {
        if read_request(&mut stream).await.is_none() {
            return;
        }
        requests.fetch_add(1, Ordering::SeqCst);
    }
    for action in script {
        if act(&mut stream, action).await.is_err() {
            return; // the client has disconnected
        }
    }
}

async fn act(stream: &mut TcpStream, action: Action) -> std::io::Result<()> {
    match action {
        Action::Early => Ok(()),
        Action::Partly => stream.read_exact(&mut [0; 8]).await.map(|_| ()),
        Action::Deleted => stream.write_all(&response(200, &[], DELETED)).await,
        Action::Response {
            status,
            headers,
            body,
        } => stream.write_all(&response(status, &headers, &body)).await,
        Action::Raw(text) => stream.write_all(text.as_bytes()).await,
        Action::Fill(length) => stream.write_all(&vec![b'a'; length]).await,
        Action::Drip => loop {
            stream.write_all(b" ").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        },
        Action::Stall => loop {
            if stream.read(&mut [0; 1024]).await? == 0 {
                return Ok(());
            }
        },
        Action::Hold => std::future::pending().await,
        Action::Reset => stream.set_zero_linger(),
        Action::Close => stream.shutdown().await,
    }
}

fn response(status: u16, headers: &[String], body: &str) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 {status} Status\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
