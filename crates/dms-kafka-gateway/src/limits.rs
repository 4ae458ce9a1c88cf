//! How much of anything one request, or all of them together, may take.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::error::Error;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The longest time that a setting may ask for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The bounds within which requests are served: the table `[limits]` of a configuration.
///
/// Beyond these, a request target may have 32 KiB, one header 32 KiB and all headers of a request together 128 KiB, as
/// the vendor has it. Limits hold for one process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one request body; 12 MiB, as the vendor has it.
    pub body_bytes: usize,
    /// Bytes of all request bodies together that are being read or worked on; 256 MiB.
    pub buffered_bytes: usize,
    /// Requests worked on at the same time; 512.
    pub concurrent_requests: usize,
    /// Connections open at the same time, further ones wait; 4096.
    pub connections: usize,
    /// `header_seconds`: for a TLS handshake, for the head of a request to arrive, and for an idle connection to be
    /// used again; 30 seconds.
    #[serde(rename = "header_seconds", deserialize_with = "seconds")]
    pub header_timeout: Duration,
    /// `body_seconds`: for the whole body of a request to arrive; 30 seconds.
    #[serde(rename = "body_seconds", deserialize_with = "seconds")]
    pub body_timeout: Duration,
    /// `write_seconds`: for a client that reads its answer to take some more of it; 30 seconds.
    #[serde(rename = "write_seconds", deserialize_with = "seconds")]
    pub write_timeout: Duration,
    /// `backend_seconds`: for the backend to do what a request asks for; 30 seconds.
    #[serde(rename = "backend_seconds", deserialize_with = "seconds")]
    pub backend_timeout: Duration,
    /// `shutdown_seconds`: for requests in flight to finish after the gateway was asked to stop; 60 seconds.
    #[serde(rename = "shutdown_seconds", deserialize_with = "seconds")]
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// Bytes of a request target.
    pub(crate) const URI: usize = 32 * KIB;
    /// Bytes of one header, name and value.
    pub(crate) const HEADER: usize = 32 * KIB;
    /// Bytes of all headers of a request together.
    pub(crate) const HEADERS: usize = 128 * KIB;
    /// Bytes of everything before the body, beyond which the connection is closed without reading on.
    pub(crate) const HEAD: usize = 192 * KIB;

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
    if time.is_zero() || time > LONGEST {
        let rule = "it must be more than 0 and at most a day";
        return Err(Error::invalid_setting(name, time, rule));
    }
    Ok(())
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 12 * MIB,
            buffered_bytes: 256 * MIB,
            concurrent_requests: 512,
            connections: 4096,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            backend_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(60),
        }
    }
}

/// A number of seconds, with a fraction where that is wanted.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}
