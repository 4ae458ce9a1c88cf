//! The listener: accepting connections, serving them, and letting them finish when it is time to stop.

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

use crate::{app::App, limits::Limits, refusal::Reset, tls::TlsAcceptor};

/// How long to wait before accepting again when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After so long without a new connection the listener closes. A connection that is made just then is reset, so there must
/// have been none for much longer than a busy machine takes from one to the next.
const QUIET: Duration = Duration::from_millis(100);

/// For how long, and how much, a client may go on sending after its last answer.
///
/// A socket closed with unread bytes in it is reset, and a reset can take the answer away from a client that is still
/// writing.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// When the gateway stops, connections that are kept alive may bring one more request each until nobody has sent one for so
/// long; it is refused with an answer, not by closing the connection under it.
const NOTICE: Duration = Duration::from_secs(1);

/// Serves `router` until the sender of `stopping` is dropped, then lets the requests in flight finish, no longer than the limit
/// for that.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    app: Arc<App>,
    stopping: watch::Receiver<()>,
) {
    let acceptor = Acceptor {
        slots: Arc::new(Semaphore::new(app.limits.connections)),
        connector: Arc::new(Connector::new(tls, router, app)),
        connections: JoinSet::new(),
        stopping,
    };
    acceptor.run(listener).await;
}

struct Acceptor {
    connector: Arc<Connector>,
    connections: JoinSet<()>,
    stopping: watch::Receiver<()>,
    /// One for each connection that may be open.
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
                accepted = accept(&listener, &self.slots) => self.take(accepted).await,
            }
        }
        let app = self.connector.app.clone();
        app.drain();
        let end = Instant::now() + app.limits.shutdown_timeout;
        self.refuse_until_quiet(&listener, end).await;
        drop(listener);
        let finish = async { while self.connections.join_next().await.is_some() {} };
        if timeout_at(end, finish).await.is_err() {
            tracing::warn!(
                "connections still open at the end of the time for shutting down are cut"
            );
        }
    }

    /// Serves new connections, whose requests are refused, until there are none: closing the listener would reset them.
    async fn refuse_until_quiet(&mut self, listener: &TcpListener, end: Instant) {
        while Instant::now() < end {
            let quiet = end.min(Instant::now() + QUIET);
            let Ok(accepted) = timeout_at(quiet, accept(listener, &self.slots)).await else {
                return;
            };
            self.take(accepted).await;
        }
    }

    async fn take(&mut self, accepted: io::Result<Accepted>) {
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

/// A connection, its other end, and its share of those that may be open.
type Accepted = (OwnedSemaphorePermit, TcpStream, SocketAddr);

/// The next connection, once one more may be open.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<Accepted> {
    let slot = slots.clone().acquire_owned().await;
    let slot = slot.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((slot, stream, peer))
}

/// A TCP connection whose other end must take what is written to it within a time.
type Socket = Pin<Box<TimeoutStream<TcpStream>>>;

struct Connector {
    tls: Option<TlsAcceptor>,
    http: http1::Builder,
    router: Router,
    app: Arc<App>,
}

impl Connector {
    fn new(tls: Option<TlsAcceptor>, router: Router, app: Arc<App>) -> Self {
        // HTTP/1.1 only: it is what every official SDK speaks, and what can be bounded simply.
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(app.limits.header_timeout)
            .max_header_size(Limits::HEAD);
        Self {
            tls,
            http,
            router,
            app,
        }
    }

    /// Serves until the client is done, a limit is reached, or `stopping` says that it is time.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        stopping: watch::Receiver<()>,
    ) {
        self.app.metrics.connections.inc();
        // Answers are small and written at once; waiting for more to send would only delay them.
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
        let service = MapResult::new(
            Extension(ConnectInfo(peer)).layer(self.router.clone()),
            reset_if_asked,
        );
        let mut connection = self
            .http
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let ended = tokio::select! {
            // A request that has arrived goes before closing.
            biased;
            ended = &mut connection => ended,
            () = notice(stopping, &self.app) => {
                Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        let stream = connection.into_parts().io.into_inner();
        match ended {
            Err(error) if error.is_user() => return reset(socket(&stream).get_ref()),
            Err(error) => tracing::debug!(%error, "a connection ended early"),
            Ok(()) => {}
        }
        linger(stream).await;
    }
}

/// Why a connection is reset.
#[derive(Debug, thiserror::Error)]
#[error("a rule for faults asked for a reset")]
struct ResetAsked;

impl From<Infallible> for ResetAsked {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn reset_if_asked(answered: Result<Response, Infallible>) -> Result<Response, ResetAsked> {
    let Ok(response) = answered;
    match response.extensions().get::<Reset>() {
        Some(_) => Err(ResetAsked),
        None => Ok(response),
    }
}

fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::warn!(%error, "a connection is closed, but not reset");
    }
}

/// Comes when connections that are idle are to be closed.
async fn notice(mut stopping: watch::Receiver<()>, app: &App) {
    // Closing the channel is the signal.
    let _ = stopping.changed().await;
    loop {
        let before = app.late_answers.load(Ordering::Relaxed);
        sleep(NOTICE).await;
        if app.late_answers.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// Reads on, within limits, until the client closes its side too.
async fn linger(stream: impl AsyncRead + Unpin) {
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
