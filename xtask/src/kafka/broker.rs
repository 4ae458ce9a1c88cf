//! One broker: its settings, its process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::jars::Java;
use super::{protocol, signal};
use crate::failure::{Failure, Result};

/// How long a broker may take to start, on a slow and busy machine.
const START: Duration = Duration::from_secs(120);
/// How long it may take to stop when asked to.
const STOP: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// What checks passwords, and the one user that it knows.
const LOGIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const USER: &str = "gateway";

/// One broker of a cluster.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Broker {
    pub(super) id: u16,
    pub(super) port: u16,
    /// The port on which users have to say who they are, with SASL PLAIN.
    sasl_port: u16,
    pid: u32,
    properties: PathBuf,
}

impl Broker {
    /// A broker that does not run yet, with its properties in `folder`.
    ///
    /// The first one is the controller too, at `controller_port`.
    pub(super) fn new(
        folder: &Path,
        id: u16,
        (port, sasl_port): (u16, u16),
        controller_port: u16,
        brokers: u16,
    ) -> Result<Self> {
        let properties = folder.join(format!("{id}.properties"));
        let text = settings(folder, id, (port, sasl_port), controller_port, brokers);
        fs::write(&properties, text).map_err(|error| Failure::file(properties.display(), error))?;
        Ok(Self {
            id,
            port,
            sasl_port,
            pid: 0,
            properties,
        })
    }

    /// Prepares its data folder for a cluster.
    pub(super) fn format(&self, java: &Java, cluster_id: &str) -> Result<()> {
        let mut tool = java.class("kafka.tools.StorageTool");
        tool.args(["format", "--cluster-id", cluster_id, "--config"]);
        let output = tool.arg(&self.properties).output();
        let output = output.map_err(|error| Failure::file("java", error))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure::file("kafka.tools.StorageTool", said))
    }

    /// Starts the process, which outlives this one. See [`Broker::wait`].
    pub(super) fn spawn(&mut self, java: &Java) -> Result<()> {
        let log = self.log();
        let file = File::options().create(true).append(true).open(&log);
        let file = file.map_err(|error| Failure::file(log.display(), error))?;
        let mut command = java.class("kafka.Kafka");
        command
            .arg(&self.properties)
            .stdout(
                file.try_clone()
                    .map_err(|error| Failure::file(log.display(), error))?,
            )
            .stderr(file);
        apart(&mut command);
        let child = command
            .spawn()
            .map_err(|error| Failure::file("java", error))?;
        self.pid = child.id();
        Ok(())
    }

    /// Waits until it serves.
    pub(super) fn wait(&self) -> Result<()> {
        let end = Instant::now() + START;
        while let Err(error) = protocol::serves(self.port) {
            // A process that was just made does not show its arguments yet.
            sleep(POLL);
            if !self.runs() {
                return Err(self.failure("ended while it started"));
            }
            if Instant::now() > end {
                return Err(self.failure(&format!("did not start in time: {error}")));
            }
        }
        Ok(())
    }

    pub(super) fn runs(&self) -> bool {
        signal::runs(self.pid, &self.properties)
    }

    pub(super) fn signal(&self, name: &str) -> Result<()> {
        if self.runs() && signal::send(self.pid, name) {
            return Ok(());
        }
        Err(Failure::file(
            format_args!("broker {}", self.id),
            "it does not run",
        ))
    }

    /// Ends it without warning, and waits until it is gone.
    pub(super) fn kill(&self) -> Result<()> {
        self.signal("KILL")?;
        self.gone_within(STOP);
        Ok(())
    }

    /// Stops it, without asking twice.
    pub(super) fn stop(&self) {
        // Whatever is paused cannot end.
        let _ = self.signal("CONT");
        if self.signal("TERM").is_ok() && !self.gone_within(STOP) {
            let _ = self.kill();
        }
    }

    fn gone_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.runs() && Instant::now() < end {
            sleep(POLL);
        }
        !self.runs()
    }

    fn log(&self) -> PathBuf {
        self.properties.with_extension("log")
    }

    fn failure(&self, what: &str) -> Failure {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Failure::file(
            format_args!("broker {}", self.id),
            format_args!("it {what}\n{}", last.join("\n")),
        )
    }
}

/// Keeps an interrupt at the terminal from the broker.
fn apart(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// A broker's properties. What is not here has Kafka's default, the creation of topics that somebody asks about too.
fn settings(
    folder: &Path,
    id: u16,
    (port, sasl_port): (u16, u16),
    controller_port: u16,
    brokers: u16,
) -> String {
    let data = folder.join(id.to_string());
    let data = data.display();
    let replicas = brokers.min(3);
    let in_sync = brokers.min(2);
    let (roles, controller) = match id {
        1 => (
            "broker,controller",
            format!(",CONTROLLER://127.0.0.1:{controller_port}"),
        ),
        _ => ("broker", String::new()),
    };
    format!(
        "process.roles={roles}
node.id={id}
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl_port}{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl_port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT
listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config={LOGIN} required user_{USER}=\"{USER}-password\";
log.dirs={data}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=1000
log.cleaner.dedupe.buffer.size=2097152
"
    )
}
