//! Limits for one request, and for all of them together.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::error::Error;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// The limits of one process: the table `[limits]` of a configuration.
///
/// In addition, a request target may have 32 KiB and one header 32 KiB, as with the vendor, and all headers of a request
/// together 48 KiB, less than the vendor's 128: anyone may send a head, and memory for it is needed before it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one request body; 12 MiB, as with the vendor.
    pub body_bytes: usize,
    /// Total bytes of all requests that are being read or processed, and of results that their clients have not read yet;
    /// 256 MiB. The first 64 KiB of each request do not count, so small requests are served even if large ones have taken all.
    pub buffered_bytes: usize,
    /// The part of `buffered_bytes` that requests with one key or token may take; by default three quarters, but at least `body_bytes`.
    pub buffered_bytes_per_key: Option<usize>,
    /// The part of `buffered_bytes` that requests from one peer may take; by default half, but at least `body_bytes`.
    ///
    /// A peer is an IPv4 address or an IPv6 network of 64 bits, loopback included. Behind a proxy, all requests come from
    /// one peer: set the limits of a peer to the total.
    pub buffered_bytes_per_peer: Option<usize>,
    /// Concurrent requests; 512.
    pub concurrent_requests: usize,
    /// Open connections; 4096. When all are taken, the one that has waited longest for a request is closed for a new one;
    /// if all have a request, new ones wait.
    pub connections: usize,
    /// The part of `connections` that one peer may have; by default a quarter. Beyond it, the peer's connection that has
    /// waited longest for a request is closed for a new one; if all have a request, new ones are closed.
    pub connections_per_peer: Option<usize>,
    /// Signatures of requests with offset -1 that are remembered for each access key, so that no such request is executed
    /// twice; 100,000. Each is kept until its date is 15 minutes old; when there are more, new requests with -1 get 503.
    /// With 0 none is remembered, and a request may be sent again until then.
    pub replay_entries: usize,
    /// `header_seconds`: timeout for a TLS handshake, for the head of a request, and for an idle connection; 30 seconds.
    #[serde(rename = "header_seconds", deserialize_with = "seconds")]
    pub header_timeout: Duration,
    /// `body_seconds`: timeout for the whole body of a request; 30 seconds.
    #[serde(rename = "body_seconds", deserialize_with = "seconds")]
    pub body_timeout: Duration,
    /// `write_seconds`: timeout for writing to a client that does not read its response; 30 seconds.
    #[serde(rename = "write_seconds", deserialize_with = "seconds")]
    pub write_timeout: Duration,
    /// `backend_seconds`: timeout for the backend's part of a request; 30 seconds.
    #[serde(rename = "backend_seconds", deserialize_with = "seconds")]
    pub backend_timeout: Duration,
    /// `shutdown_seconds`: timeout for requests in flight when the gateway stops; 60 seconds.
    #[serde(rename = "shutdown_seconds", deserialize_with = "seconds")]
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// Bytes of a body that is hashed and parsed at once, which takes a fraction of a millisecond, and whose memory does not
    /// count.
    pub(crate) const SMALL_BODY: usize = 64 * KIB;
    /// Bytes of a request target.
    pub(crate) const URI: usize = 32 * KIB;
    /// Bytes of one header, name and value.
    pub(crate) const HEADER: usize = 32 * KIB;
    /// Bytes of all headers of a request together.
    pub(crate) const HEADERS: usize = 48 * KIB;
    /// Bytes of the whole head, and of each buffer of a connection: the connection is closed when a head is larger.
    pub(crate) const HEAD: usize = 64 * KIB;

    pub(crate) fn bytes_per_key(&self) -> usize {
        let share = self.body_bytes.max(self.buffered_bytes / 4 * 3);
        self.buffered_bytes_per_key.unwrap_or(share)
    }

    pub(crate) fn bytes_per_peer(&self) -> usize {
        let share = self.body_bytes.max(self.buffered_bytes / 2);
        self.buffered_bytes_per_peer.unwrap_or(share)
    }

    /// When there may be `total` connections, which is less than configured if the limit of open files is.
    pub(crate) fn peer_connections(&self, total: usize) -> usize {
        self.connections_per_peer.unwrap_or(total.div_ceil(4))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let counts = [
            ("limits.body_bytes", self.body_bytes),
            ("limits.concurrent_requests", self.concurrent_requests),
            ("limits.connections", self.connections),
        ];
        for (name, count) in counts {
            if !(1..=u32::MAX as usize).contains(&count) {
                let rule = "it must be from 1 to 4294967295";
                return Err(Error::invalid_setting(name, count, rule));
            }
        }
        let bytes = self.buffered_bytes;
        if !(self.body_bytes..=u32::MAX as usize * KIB).contains(&bytes) {
            let rule = "it must be at least body_bytes, and less than 4 TiB";
            return Err(Error::invalid_setting("limits.buffered_bytes", bytes, rule));
        }
        let shares = [
            (
                "limits.buffered_bytes_per_key",
                self.buffered_bytes_per_key,
                self.body_bytes,
                bytes,
            ),
            (
                "limits.buffered_bytes_per_peer",
                self.buffered_bytes_per_peer,
                self.body_bytes,
                bytes,
            ),
            (
                "limits.connections_per_peer",
                self.connections_per_peer,
                1,
                self.connections,
            ),
        ];
        for (name, share, least, most) in shares {
            if let Some(share) = share
                && !(least..=most).contains(&share)
            {
                let rule = format!("it must be from {least} to {most}");
                return Err(Error::invalid_setting(name, share, &rule));
            }
        }
        let times = [
            ("limits.header_seconds", self.header_timeout),
            ("limits.body_seconds", self.body_timeout),
            ("limits.write_seconds", self.write_timeout),
            ("limits.backend_seconds", self.backend_timeout),
            ("limits.shutdown_seconds", self.shutdown_timeout),
        ];
        times
            .into_iter()
            .try_for_each(|(name, time)| check_time(name, time))
    }
}

pub(crate) fn check_time(name: &str, time: Duration) -> Result<(), Error> {
    if time.is_zero() || time > MAX_TIMEOUT {
        let rule = "it must be more than 0 and at most 24 hours";
        return Err(Error::invalid_setting(name, time, rule));
    }
    Ok(())
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 12 * MIB,
            buffered_bytes: 256 * MIB,
            buffered_bytes_per_key: None,
            buffered_bytes_per_peer: None,
            concurrent_requests: 512,
            connections: 4096,
            connections_per_peer: None,
            replay_entries: 100_000,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            backend_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(60),
        }
    }
}

/// A number of seconds, with or without a fraction.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}
