//! The listeners: accept connections, serve them, and complete their requests at a shutdown.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, http::Request, response::Response};
use futures_util::future::join_all;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutStream;
use tower::util::{MapRequest, MapResult};

use crate::{
    app::App,
    framing::HeadWatch,
    limits::Limits,
    peers::{OpenConnection, PeerConnection, Peers, RequestInProgress},
    refusal::Reset,
    tls::TlsAcceptor,
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

/// File descriptors that are not for connections: files, the runtime, and connections to clusters.
const OTHER_DESCRIPTORS: usize = 256;

/// An address, and what is served there.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) router: Router,
    pub(crate) peers: Arc<Peers>,
}

/// Serves until the sender of `stopping` is dropped, then waits for the requests in flight, but no longer than the shutdown
/// timeout.
pub(crate) async fn serve(listeners: Vec<Listener>, app: Arc<App>, stopping: watch::Receiver<()>) {
    // HTTP/1.1 only: every official SDK supports it, and its limits are simple.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(app.limits.header_timeout)
        // Of a head, and of each buffer.
        .max_buf_size(Limits::HEAD);
    let serving = listeners.into_iter().map(|listener| {
        let acceptor = Acceptor {
            peers: listener.peers,
            connector: Arc::new(Connector {
                tls: listener.tls,
                http: http.clone(),
                router: listener.router,
                app: app.clone(),
            }),
            connections: JoinSet::new(),
            stopping: stopping.clone(),
        };
        acceptor.run(listener.socket)
    });
    join_all(serving).await;
}

/// Raises the limit of open files for this many connections if necessary and possible. Returns how many connections it
/// allows.
pub(crate) fn allowed_connections(connections: usize) -> usize {
    let needed = connections.saturating_add(OTHER_DESCRIPTORS) as u64;
    let limit = match rlimit::increase_nofile_limit(needed) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "cannot read or raise the limit of open files");
            return connections;
        }
    };
    if limit >= needed {
        return connections;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let allowed = limit
        .saturating_sub(OTHER_DESCRIPTORS)
        .max(limit / 2)
        .max(1);
    tracing::warn!(
        configured = connections,
        allowed,
        limit,
        "the limit of open files allows fewer connections than configured"
    );
    allowed
}

struct Acceptor {
    connector: Arc<Connector>,
    connections: JoinSet<()>,
    stopping: watch::Receiver<()>,
    peers: Arc<Peers>,
}

impl Acceptor {
    async fn run(mut self, listener: TcpListener) {
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                biased;
                _ = stopping.changed() => break,
                Some(_) = self.connections.join_next() => {}
                accepted = accept(&listener, &self.peers) => self.spawn(accepted).await,
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
            let Ok(accepted) = timeout_at(quiet, accept(listener, &self.peers)).await else {
                return;
            };
            self.spawn(accepted).await;
        }
    }

    async fn spawn(&mut self, accepted: io::Result<Accepted>) {
        match accepted {
            Ok((slot, stream, peer)) => {
                let connector = self.connector.clone();
                let Some(open) = self.peers.open(slot, peer.ip()) else {
                    connector.app.metrics.connections_refused.inc();
                    return;
                };
                let stopping = self.stopping.clone();
                self.connections
                    .spawn(async move { connector.serve(stream, peer, &open, stopping).await });
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
async fn accept(listener: &TcpListener, peers: &Peers) -> io::Result<Accepted> {
    let slot = peers.slot().await;
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
        open: &OpenConnection,
        stopping: watch::Receiver<()>,
    ) {
        self.app.metrics.connections.inc();
        // Responses are written at once; waiting for more to send would delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let mut socket = TimeoutStream::new(stream);
        socket.set_write_timeout(Some(self.app.limits.write_timeout));
        self.serve_socket(Box::pin(socket), peer, &open.connection, stopping)
            .await;
        self.app.metrics.connections.dec();
    }

    async fn serve_socket(
        &self,
        socket: Socket,
        peer: SocketAddr,
        open: &Arc<PeerConnection>,
        stopping: watch::Receiver<()>,
    ) {
        let Some(tls) = &self.tls else {
            return self
                .serve_http(socket, |socket| socket, peer, open, stopping)
                .await;
        };
        let handshake = timeout(self.app.limits.header_timeout, tls.accept(socket));
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            () = open.evicted() => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                self.serve_http(stream, TlsAcceptor::transport, peer, open, stopping)
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
        open: &Arc<PeerConnection>,
        stopping: watch::Receiver<()>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let watch = HeadWatch::default();
        let stream = watch.wrap(stream);
        let opened = open.clone();
        let with_connection = move |mut request: Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(watch.clone());
            extensions.insert(Arc::new(RequestInProgress::new(opened.clone())));
            request
        };
        let service = MapResult::new(
            MapRequest::new(self.router.clone(), with_connection),
            reset_if_marked,
        );
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
            () = open.evicted() => {
                if open.waiting().is_some() {
                    return;
                }
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
