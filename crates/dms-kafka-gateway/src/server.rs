//! The listener: accepts connections, serves them, and completes their requests at a shutdown.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{Extension, Router, extract::ConnectInfo, response::Response};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutStream;
use tower::{Layer as _, util::MapResult};

use crate::{
    app::App, framing::ContentLengthWatch, limits::Limits, refusal::Reset, tls::TlsAcceptor,
};

/// The pause before the next accept when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// At a shutdown, the listener closes after this time without a new connection. A connection that is made at that moment is
/// reset, so the time is much longer than the usual time between two connections on a busy machine.
const QUIET_PERIOD: Duration = Duration::from_millis(100);

/// How long, and how much, a client may continue to send after its last response.
///
/// Closing a socket with unread bytes resets it, and a client that is still writing may then lose the response.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// At a shutdown, idle connections stay open until no request has arrived for this time. So a request gets a refusal instead
/// of a closed connection.
const IDLE_PERIOD: Duration = Duration::from_secs(1);

/// Serves `router` until the sender of `stopping` is dropped, then waits for the requests in flight, but no longer than the
/// shutdown timeout.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    app: Arc<App>,
    stopping: watch::Receiver<()>,
) {
    // HTTP/1.1 only: every official SDK supports it, and its limits are simple.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(app.limits.header_timeout)
        .max_header_size(Limits::HEAD);
    let acceptor = Acceptor {
        slots: Arc::new(Semaphore::new(app.limits.connections)),
        connector: Arc::new(Connector {
            tls,
            http,
            router,
            app,
        }),
        connections: JoinSet::new(),
        stopping,
    };
    acceptor.run(listener).await;
}

struct Acceptor {
    connector: Arc<Connector>,
    connections: JoinSet<()>,
    stopping: watch::Receiver<()>,
    /// One permit for each connection that may be open.
    slots: Arc<Semaphore>,
}

impl Acceptor {
    async fn run(mut self, listener: TcpListener) {
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                biased;
                _ = stopping.changed() => break,
                Some(_) = self.connections.join_next() => {}
                accepted = accept(&listener, &self.slots) => self.spawn(accepted).await,
            }
        }
        let app = self.connector.app.clone();
        app.drain();
        let end = Instant::now() + app.limits.shutdown_timeout;
        self.refuse_until_quiet(&listener, end).await;
        drop(listener);
        let finish = async { while self.connections.join_next().await.is_some() {} };
        if timeout_at(end, finish).await.is_err() {
            tracing::warn!("shutdown timeout: connections that are still open are closed");
        }
    }

    /// Accepts new connections and refuses their requests, until none arrive: closing the listener would reset them.
    async fn refuse_until_quiet(&mut self, listener: &TcpListener, end: Instant) {
        while Instant::now() < end {
            let quiet = end.min(Instant::now() + QUIET_PERIOD);
            let Ok(accepted) = timeout_at(quiet, accept(listener, &self.slots)).await else {
                return;
            };
            self.spawn(accepted).await;
        }
    }

    async fn spawn(&mut self, accepted: io::Result<Accepted>) {
        match accepted {
            Ok((slot, stream, peer)) => {
                let connector = self.connector.clone();
                let serving = connector.serve(stream, peer, self.stopping.clone());
                self.connections.spawn(async move {
                    serving.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection, its permit and the address of its peer.
type Accepted = (OwnedSemaphorePermit, TcpStream, SocketAddr);

/// Accepts the next connection when the limit allows another one.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<Accepted> {
    let slot = slots.clone().acquire_owned().await;
    let slot = slot.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((slot, stream, peer))
}

/// A TCP connection with a timeout for writing.
type Socket = Pin<Box<TimeoutStream<TcpStream>>>;

struct Connector {
    tls: Option<TlsAcceptor>,
    http: http1::Builder,
    router: Router,
    app: Arc<App>,
}

impl Connector {
    /// Serves until the client closes the connection, a limit is reached, or the gateway stops.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        stopping: watch::Receiver<()>,
    ) {
        self.app.metrics.connections.inc();
        // Responses are written at once; waiting for more to send would delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let mut socket = TimeoutStream::new(stream);
        socket.set_write_timeout(Some(self.app.limits.write_timeout));
        self.serve_socket(Box::pin(socket), peer, stopping).await;
        self.app.metrics.connections.dec();
    }

    async fn serve_socket(&self, socket: Socket, peer: SocketAddr, stopping: watch::Receiver<()>) {
        let Some(tls) = &self.tls else {
            return self
                .serve_http(socket, |socket| socket, peer, stopping)
                .await;
        };
        match timeout(self.app.limits.header_timeout, tls.accept(socket)).await {
            Ok(Ok(stream)) => {
                self.serve_http(stream, TlsAcceptor::transport, peer, stopping)
                    .await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn serve_http<S>(
        &self,
        stream: S,
        socket: fn(&S) -> &Socket,
        peer: SocketAddr,
        stopping: watch::Receiver<()>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let watch = ContentLengthWatch::default();
        let stream = watch.wrap(stream);
        let router = Extension(ConnectInfo(peer)).layer(self.router.clone());
        let service = MapResult::new(Extension(watch).layer(router), reset_if_marked);
        let mut connection = self
            .http
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let ended = tokio::select! {
            // A request that has arrived is served before the connection is closed.
            biased;
            ended = &mut connection => ended,
            () = until_idle(stopping, &self.app) => {
                Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        let stream = connection.into_parts().io.into_inner();
        let stream = stream.into_inner().into_inner();
        match ended {
            Err(error) if error.is_user() => return reset(socket(&stream).get_ref()),
            Err(error) => tracing::debug!(%error, "a connection ended early"),
            Ok(()) => {}
        }
        linger(stream).await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a fault rule configures a reset")]
struct ResetRequested;

impl From<Infallible> for ResetRequested {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn reset_if_marked(answered: Result<Response, Infallible>) -> Result<Response, ResetRequested> {
    let Ok(response) = answered;
    match response.extensions().get::<Reset>() {
        Some(_) => Err(ResetRequested),
        None => Ok(response),
    }
}

fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::warn!(%error, "a connection is closed, but not reset");
    }
}

/// Ends when the gateway stops and idle connections are to be closed.
async fn until_idle(mut stopping: watch::Receiver<()>, app: &App) {
    // Closing the channel is the signal.
    let _ = stopping.changed().await;
    loop {
        let before = app.late_responses.load(Ordering::Relaxed);
        sleep(IDLE_PERIOD).await;
        if app.late_responses.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// Reads until the client closes its side, within limits.
async fn linger(stream: impl AsyncRead + Unpin) {
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
