//! Open connections: how many there may be, and the share of one peer.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::body_memory::MemoryBudget;

/// The open connections of a listener.
#[derive(Debug)]
pub(crate) struct Peers {
    slots: Arc<Semaphore>,
    /// Connections of one peer.
    connections: usize,
    /// Bytes of bodies of one peer.
    bytes: usize,
    open: Mutex<HashMap<IpAddr, Peer>>,
}

/// The connections from one IPv4 address, or from one network of 64 bits of IPv6: a host can use all addresses of it.
#[derive(Debug)]
struct Peer {
    memory: MemoryBudget,
    connections: Vec<Arc<PeerConnection>>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct PeerConnection {
    /// The memory for bodies of its peer.
    pub(crate) memory: MemoryBudget,
    /// `None` while a request is being processed.
    waiting_since: Mutex<Option<Instant>>,
    evicted: Notify,
}

/// An open connection and its slot. Dropping it makes room for another one.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    pub(crate) connection: Arc<PeerConnection>,
    peers: Arc<Peers>,
    peer: IpAddr,
    _slot: OwnedSemaphorePermit,
}

/// A request that has arrived completely, and whose response has not been written yet: its connection is not closed.
#[derive(Debug)]
pub(crate) struct RequestInProgress(pub(crate) Arc<PeerConnection>);

impl Peers {
    /// Limits the connections in total, and connections and bytes of bodies of one peer.
    pub(crate) fn new(total: usize, connections: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(total)),
            connections,
            bytes,
            open: Mutex::default(),
        })
    }

    /// Waits until there may be another connection.
    pub(crate) async fn slot(&self) -> OwnedSemaphorePermit {
        let slot = self.slots.clone().acquire_owned().await;
        match slot {
            Ok(slot) => slot,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Adds a connection, or returns `None` if its peer has its share and a request on each of them.
    ///
    /// A connection that waits for a request is closed to make room: of the same peer if it has used up its share, of the
    /// peer with the most connections if all slots are taken.
    pub(crate) fn open(
        self: &Arc<Self>,
        slot: OwnedSemaphorePermit,
        address: IpAddr,
    ) -> Option<OpenConnection> {
        let address = peer_of(address);
        let mut open = self.lock();
        let peer = open.entry(address).or_insert_with(|| Peer {
            memory: MemoryBudget::new(self.bytes),
            connections: Vec::new(),
        });
        if peer.connections.len() >= self.connections && !peer.evict() {
            return None;
        }
        let connection = Arc::new(PeerConnection {
            memory: peer.memory.clone(),
            waiting_since: Mutex::new(Some(Instant::now())),
            evicted: Notify::new(),
        });
        if self.slots.available_permits() == 0
            && let Some(largest) = open.values_mut().max_by_key(|peer| peer.connections.len())
        {
            largest.evict();
        }
        if let Some(peer) = open.get_mut(&address) {
            peer.connections.push(connection.clone());
        }
        Some(OpenConnection {
            connection,
            peers: self.clone(),
            peer: address,
            _slot: slot,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        // Every change is one insertion or removal.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// Asks the connection that has waited longest for a request to close; `false` if none waits.
    fn evict(&mut self) -> bool {
        let waiting = self.connections.iter().enumerate();
        let waiting = waiting.filter_map(|(at, connection)| Some((connection.waiting()?, at)));
        let Some((_, at)) = waiting.min() else {
            return false;
        };
        // `notify_one` is remembered if the connection does not wait for it at this moment.
        self.connections.swap_remove(at).evicted.notify_one();
        true
    }
}

impl PeerConnection {
    /// Ends when the connection is to be closed, at once or after the request in progress.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Since when the connection has waited for a request.
    pub(crate) fn waiting(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.waiting_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        if let Some(peer) = open.get_mut(&self.peer) {
            peer.connections
                .retain(|connection| !Arc::ptr_eq(connection, &self.connection));
            if peer.connections.is_empty() {
                open.remove(&self.peer);
            }
        }
    }
}

impl RequestInProgress {
    pub(crate) fn new(connection: Arc<PeerConnection>) -> Self {
        *connection.lock() = None;
        Self(connection)
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        *self.0.lock() = Some(Instant::now());
    }
}

fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_peer() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::1", "127.0.0.1", false),
        ] {
            let [one, other] = [one, other].map(|address| peer_of(address.parse().expect("IP")));
            assert_eq!(one == other, same, "{one} and {other}");
        }
    }
}
