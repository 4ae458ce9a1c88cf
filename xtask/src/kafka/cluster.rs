//! A cluster of brokers and its state file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::broker::{self, Broker};
use super::java::Java;
use crate::process;

/// The cluster id: 16 bytes in URL-safe base64.
const CLUSTER_ID: &str = "ZG1zLWthZmthLXRlc3RzLg";

/// Another program may bind a free port before the broker does.
const ATTEMPTS: usize = 3;

/// The content of the state file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    brokers: Vec<Broker>,
    /// Properties, logs and data of the brokers.
    folder: PathBuf,
}

/// Starts a cluster and waits until every broker serves. With a folder of certificates, the brokers have listeners with TLS.
pub(super) fn start(
    java: &Java,
    state: &Path,
    brokers: u16,
    certificates: Option<&Path>,
) -> Result<Cluster> {
    let mut attempt = 1;
    loop {
        let mut cluster = Cluster::new(brokers, certificates)?;
        // Written before anything runs, so that `down` always finds it.
        match cluster
            .write(state)
            .and_then(|()| cluster.start(java, state))
        {
            Ok(()) => return Ok(cluster),
            Err(failure) => {
                cluster.stop(state)?;
                if attempt == ATTEMPTS {
                    return Err(failure);
                }
                eprintln!("retrying after: {failure:#}");
                attempt += 1;
            }
        }
    }
}

impl Cluster {
    fn new(brokers: u16, certificates: Option<&Path>) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("dms-kafka-")
            .tempdir()?
            .keep();
        let of_each = broker::ports(certificates.is_some());
        let ports = process::free_addresses(1 + of_each * usize::from(brokers))?;
        let ports: Vec<u16> = ports.iter().map(SocketAddr::port).collect();
        let (controller, ports) = ports.split_first().context("no free ports")?;
        let described = (1..)
            .zip(ports.chunks_exact(of_each))
            .map(|(id, ports)| Broker::new(&folder, id, ports, *controller, brokers, certificates));
        Ok(Self {
            brokers: described.collect::<Result<_>>()?,
            folder,
        })
    }

    fn start(&mut self, java: &Java, state: &Path) -> Result<()> {
        for broker in &mut self.brokers {
            broker.format(java, CLUSTER_ID)?;
            broker.spawn(java)?;
        }
        self.write(state)?;
        self.brokers.iter().try_for_each(Broker::wait)
    }

    /// Reads a state file, if it exists.
    pub(super) fn read(state: &Path) -> Result<Option<Self>> {
        if !state.exists() {
            return Ok(None);
        }
        let cluster = serde_json::from_slice(&fs::read(state)?);
        cluster.with_context(|| state.display().to_string())
    }

    fn write(&self, state: &Path) -> Result<()> {
        if let Some(folder) = state.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_vec_pretty(self)?;
        fs::write(state, text).with_context(|| state.display().to_string())
    }

    /// Whether the cluster has this number of brokers and all of them run.
    pub(super) fn is_whole(&self, brokers: u16) -> bool {
        self.brokers.len() == usize::from(brokers) && self.brokers.iter().all(Broker::runs)
    }

    pub(super) fn is_running(&self) -> bool {
        self.brokers.iter().any(Broker::runs)
    }

    /// The processes of the brokers.
    pub(crate) fn processes(&self) -> impl Iterator<Item = u32> {
        self.brokers.iter().map(|broker| broker.pid)
    }

    pub(crate) fn bootstrap_servers(&self) -> String {
        let server = |broker: &Broker| format!("127.0.0.1:{}", broker.port());
        let servers: Vec<String> = self.brokers.iter().map(server).collect();
        servers.join(",")
    }

    pub(super) fn broker(&self, id: u16) -> Result<&Broker> {
        let found = self.brokers.iter().find(|broker| broker.id == id);
        found.with_context(|| format!("broker {id}: the cluster does not have this broker"))
    }

    /// Starts a broker if it does not run, and waits until it serves.
    pub(super) fn start_broker(&mut self, java: &Java, state: &Path, id: u16) -> Result<()> {
        let mut brokers = self.brokers.iter_mut();
        if let Some(broker) = brokers.find(|broker| broker.id == id && !broker.runs()) {
            broker.spawn(java)?;
            self.write(state)?;
        }
        self.broker(id)?.wait()
    }

    /// Stops the cluster of a state file, if the file exists.
    pub(super) fn end(state: &Path) -> Result<()> {
        Self::read(state)?.map_or(Ok(()), |cluster| cluster.stop(state))
    }

    /// Stops every broker and removes data and state file. The controller is the last to stop, because the others need it.
    fn stop(&self, state: &Path) -> Result<()> {
        self.brokers.iter().rev().for_each(Broker::stop);
        let removed = fs::remove_dir_all(&self.folder);
        if self.folder.exists() {
            removed.with_context(|| self.folder.display().to_string())?;
        }
        fs::remove_file(state).with_context(|| state.display().to_string())
    }
}
