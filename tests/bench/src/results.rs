//! What a run has measured, as it is kept.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::gateway_load;
use crate::statistics::Spread;

/// Everything one run has measured.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) cpus: usize,
    pub(crate) rustc: String,
    pub(crate) rounds: usize,
    pub(crate) workloads: Vec<Workload>,
    /// CPU time of the facade's call with 100,000 partitions against ten of its calls with 10,000, round by round.
    pub(crate) growth: Spread,
    pub(crate) signing: Signing,
    pub(crate) cold_start: ColdStart,
    pub(crate) gateway: Vec<gateway_load::Row>,
    pub(crate) purge_of_a_file: FilePurge,
    /// Peers that were left out, and why.
    pub(crate) skipped: Vec<String>,
}

/// One kind of work, done by several peers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    pub(crate) in_flight: usize,
    pub(crate) peers: Vec<PeerRow>,
}

/// One peer over all rounds.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct PeerRow {
    pub(crate) peer: String,
    /// Microseconds for each call.
    pub(crate) cpu_micros: Spread,
    pub(crate) calls_per_second: Spread,
    /// CPU time against the first peer in the same round.
    pub(crate) cpu_ratio: Spread,
    /// Calls a second against the first peer in the same round.
    pub(crate) rate_ratio: Spread,
    /// KiB.
    pub(crate) peak_rss: i64,
    /// Pages that the system had to hand out, for each call.
    pub(crate) page_faults: Spread,
}

/// Signing, without a network.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Signing {
    /// Microseconds for a request with a small body.
    pub(crate) small_micros: Spread,
    /// A body of 1 MiB against its bare SHA-256.
    pub(crate) mebibyte_ratio: Spread,
}

/// `dms-kafka delete`, from start to end of the process.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ColdStart {
    pub(crate) wall_millis: Spread,
    pub(crate) cpu_millis: Spread,
    /// KiB, which the system counts roughly: a start differs from the next by some hundred.
    pub(crate) peak_rss: Spread,
}

/// `dms-kafka purge` of a file of rows.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct FilePurge {
    pub(crate) rows: usize,
    pub(crate) rows_per_second: Spread,
    /// Rows a second against the facade in the same round.
    pub(crate) against_the_facade: Spread,
    /// KiB.
    pub(crate) peak_rss: i64,
}

impl Results {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            format!("{}: {error}; run `cargo xtask bench` first", path.display())
        })?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn workload(&self, partitions: usize, in_flight: usize) -> Option<&Workload> {
        let mut workloads = self.workloads.iter();
        workloads.find(|work| work.partitions == partitions && work.in_flight == in_flight)
    }
}

impl Workload {
    pub(crate) fn peer(&self, name: &str) -> Option<&PeerRow> {
        self.peers.iter().find(|row| row.peer == name)
    }
}
