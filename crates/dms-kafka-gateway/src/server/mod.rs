//! The listener: taking connections, and letting them finish when it is time to stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout_at},
};

use crate::{app::App, tls::TlsAcceptor};

mod connection;

use connection::Connector;
pub(crate) use connection::Peer;

/// How long to wait before accepting again when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After so long without a new connection the listener closes. A connection that is made just then is reset, so there must
/// have been none for much longer than a busy machine takes from one to the next.
const QUIET: Duration = Duration::from_millis(100);

/// A listener and everything it has accepted; dropping it asks it to stop.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on `address` and serves the operations of `app` there.
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        app: Arc<App>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(());
        let acceptor = Acceptor {
            slots: Arc::new(Semaphore::new(app.limits.connections)),
            connector: Arc::new(Connector::new(tls, app.clone())),
            connections: JoinSet::new(),
            stopping,
            app,
        };
        Ok(Self {
            address,
            stop,
            task: tokio::spawn(acceptor.run(listener)),
        })
    }

    /// The address that connections are taken on, with the port that was chosen for port 0.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking connections and waits for the requests in flight, no longer than the limit for that.
    pub(crate) async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the accepting task failed");
        }
    }
}

struct Acceptor {
    connector: Arc<Connector>,
    connections: JoinSet<()>,
    /// Changes, by closing, when it is time to stop.
    stopping: watch::Receiver<()>,
    /// One for each connection that may be open.
    slots: Arc<Semaphore>,
    app: Arc<App>,
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
        self.app.drain();
        let end = Instant::now() + self.app.limits.shutdown_timeout;
        self.refuse_until_quiet(&listener, end).await;
        drop(listener);
        let finish = async { while self.connections.join_next().await.is_some() {} };
        if timeout_at(end, finish).await.is_err() {
            tracing::warn!(
                "connections still open at the end of the time for shutting down are cut"
            );
        }
    }

    /// Whoever still comes is told that it is over; closing the listener would only reset them.
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
            Ok(accepted) => {
                let serving = self.connector.clone().serve(
                    accepted.stream,
                    accepted.peer,
                    self.stopping.clone(),
                );
                self.connections.spawn(async move {
                    serving.await;
                    drop(accepted.slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Accepted {
    slot: OwnedSemaphorePermit,
    stream: TcpStream,
    peer: SocketAddr,
}

/// The next connection, once one more may be open.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<Accepted> {
    let slot = slots
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok(Accepted { slot, stream, peer })
}
