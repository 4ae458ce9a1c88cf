//! One connection, from its first byte to its last.

use std::{convert::Infallible, fmt, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{Extension, Router, response::Response};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tower::{Layer as _, util::MapResult};

use crate::{app::App, http, limits::Limits, refusal::Reset, tls::TlsAcceptor};

/// For how long, and how much, a client may go on sending after its last answer.
///
/// A socket closed with unread bytes in it is reset, and a reset can take the answer away from a client that is still
/// writing.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// When the gateway stops, connections that are kept alive may bring one more request each until nobody has sent one for so
/// long; it is refused with an answer, not by closing the connection under it.
const NOTICE: Duration = Duration::from_secs(1);

/// The other end of the connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// A TCP connection whose other end must take what is written to it within a time.
type Socket = Pin<Box<TimeoutStream<TcpStream>>>;

/// How connections are served.
pub(super) struct Connector {
    tls: Option<TlsAcceptor>,
    http: http1::Builder,
    router: Router,
    app: Arc<App>,
}

impl Connector {
    pub(super) fn new(tls: Option<TlsAcceptor>, app: Arc<App>) -> Self {
        // HTTP/1.1 only: it is what every official SDK speaks, and what can be bounded simply.
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(app.limits.header_timeout)
            .max_header_size(Limits::HEAD);
        Self {
            tls,
            http,
            router: http::router(app.clone()),
            app,
        }
    }

    /// Serves until the client is done, a limit is reached, or `stopping` says that it is time.
    pub(super) async fn serve(
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

    #[cfg(feature = "tls")]
    async fn serve_socket(&self, socket: Socket, peer: SocketAddr, stopping: watch::Receiver<()>) {
        let Some(tls) = &self.tls else {
            return self
                .serve_http(socket, |socket| socket, peer, stopping)
                .await;
        };
        match timeout(self.app.limits.header_timeout, tls.0.accept(socket)).await {
            Ok(Ok(stream)) => {
                self.serve_http(stream, |stream| stream.get_ref().0, peer, stopping)
                    .await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    #[cfg(not(feature = "tls"))]
    async fn serve_socket(&self, socket: Socket, peer: SocketAddr, stopping: watch::Receiver<()>) {
        match &self.tls {
            None => {
                self.serve_http(socket, |socket| socket, peer, stopping)
                    .await;
            }
            Some(never) => match *never {},
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
            Extension(Peer(peer)).layer(self.router.clone()),
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
#[derive(Debug)]
struct ResetAsked;

impl fmt::Display for ResetAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule for faults asked for a reset")
    }
}

impl std::error::Error for ResetAsked {}

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
    // The channel says its one word by closing.
    let _ = stopping.changed().await;
    loop {
        let before = app.late_answers();
        sleep(NOTICE).await;
        if app.late_answers() == before {
            return;
        }
    }
}

/// Reads on, within limits, until the client closes its side too.
async fn linger(stream: impl AsyncRead + Unpin) {
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
