//! One broker: its properties and its process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::java::Java;

/// The timeout for a broker to start on a slow and busy machine.
const START: Duration = Duration::from_secs(120);
/// The timeout for a broker to stop after SIGTERM.
const STOP: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
const READ_TIMEOUT: Duration = Duration::from_secs(2);

const LOOPBACK: &str = "127.0.0.1";

/// The only user, of every SASL mechanism. It may do everything with a topic that has no ACL; without a user, ACLs do not
/// matter.
const USER: &str = "gateway";
const PASSWORD: &str = "gateway-password";

const SCRAM: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

/// A listener: its name, its security protocol, and its properties.
type Listener = (&'static str, &'static str, &'static [&'static str]);

/// Advertised at an address where no broker listens.
const UNREACHABLE: &str = "UNREACHABLE";
const ELSEWHERE: &str = "127.255.255.254";

const LISTENERS: [Listener; 3] = [
    ("PLAINTEXT", "PLAINTEXT", &[]),
    (UNREACHABLE, "PLAINTEXT", &[]),
    (
        "SASL",
        "SASL_PLAINTEXT",
        &[
            "sasl.enabled.mechanisms=PLAIN",
            "plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$USER=\"$PASSWORD\";",
        ],
    ),
];

/// Each needs a private key and its certificate in `NAME.pem` of the folder of certificates, in lower case.
const TLS_LISTENERS: [Listener; 4] = [
    (
        "SCRAM",
        "SASL_SSL",
        &[
            "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
            "scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ],
    ),
    ("MTLS", "SSL", &["ssl.client.auth=required"]),
    ("EXPIRED", "SSL", &[]),
    ("OTHER_HOST", "SSL", &[]),
];

/// The listeners of a broker; `tls` says whether some of them use TLS.
fn listeners(tls: bool) -> impl Iterator<Item = Listener> {
    let more = if tls { &TLS_LISTENERS[..] } else { &[] };
    LISTENERS.into_iter().chain(more.iter().copied())
}

/// How many ports a broker needs.
pub(super) fn ports(tls: bool) -> usize {
    listeners(tls).count()
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Broker {
    pub(super) id: u16,
    /// The port of each listener.
    ports: BTreeMap<String, u16>,
    pub(super) pid: u32,
    properties: PathBuf,
}

impl Broker {
    /// Writes the properties of a new broker to `folder`. Properties that are not set have Kafka's defaults. The first broker
    /// is also the controller, at `controller_port`. With `certificates`, the folder of certificates, it has listeners with TLS.
    pub(super) fn new(
        folder: &Path,
        id: u16,
        ports: &[u16],
        controller_port: u16,
        brokers: u16,
        certificates: Option<&Path>,
    ) -> Result<Self> {
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
        let (mut addresses, mut advertised) = (Vec::new(), Vec::new());
        let (mut protocols, mut more) = (String::new(), String::new());
        let described = || listeners(certificates.is_some()).zip(ports);
        for ((name, protocol, properties), port) in described() {
            let address = |host: &str| format!("{name}://{host}:{port}");
            let is_unreachable = name == UNREACHABLE;
            addresses.push(address(LOOPBACK));
            advertised.push(address(if is_unreachable { ELSEWHERE } else { LOOPBACK }));
            write!(protocols, ",{name}:{protocol}")?;
            let name = name.to_lowercase();
            for property in properties {
                let property = property
                    .replace("$USER", USER)
                    .replace("$PASSWORD", PASSWORD);
                writeln!(more, "listener.name.{name}.{property}")?;
            }
            if let Some(folder) = certificates.filter(|_| protocol.ends_with("SSL")) {
                for (store, file) in [("keystore", &*name), ("truststore", "ca")] {
                    let file = folder.join(file).with_extension("pem");
                    let store = format!("listener.name.{name}.ssl.{store}");
                    writeln!(
                        more,
                        "{store}.type=PEM\n{store}.location={}",
                        file.display()
                    )?;
                }
            }
        }
        let (addresses, advertised) = (addresses.join(","), advertised.join(","));
        let text = format!(
            "process.roles={roles}
node.id={id}
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={addresses}{controller}
advertised.listeners={advertised}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT{protocols}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
log.dirs={data}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2097152
{more}"
        );
        let properties = folder.join(format!("{id}.properties"));
        fs::write(&properties, text).with_context(|| properties.display().to_string())?;
        let ports = described().map(|((name, ..), port)| (name.to_owned(), *port));
        Ok(Self {
            id,
            ports: ports.collect(),
            pid: 0,
            properties,
        })
    }

    /// The port without TLS and authentication.
    pub(super) fn port(&self) -> u16 {
        self.ports["PLAINTEXT"]
    }

    /// Formats the data folder.
    pub(super) fn format(&self, java: &Java, cluster_id: &str) -> Result<()> {
        let config = self.properties.display().to_string();
        let users = SCRAM.map(|it| format!("{it}=[name={USER},password={PASSWORD}]"));
        let mut arguments = vec!["format", "--cluster-id", cluster_id, "--config", &config];
        for user in &users {
            arguments.extend(["--add-scram", user]);
        }
        java.run("kafka.tools.StorageTool", &arguments)
    }

    /// Starts the process, which keeps running when this one ends. See [`Broker::wait`].
    pub(super) fn spawn(&mut self, java: &Java) -> Result<()> {
        let log = self.log();
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| log.display().to_string())?;
        let mut command = java.class("kafka.Kafka");
        command
            .arg(&self.properties)
            .stdout(file.try_clone()?)
            .stderr(file);
        // Ctrl-C at the terminal must not reach the broker.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        self.pid = command.spawn().context("java")?.id();
        Ok(())
    }

    pub(super) fn wait(&self) -> Result<()> {
        let end = Instant::now() + START;
        while let Err(error) = serves(self.port()) {
            // A new process does not have its arguments yet.
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

    /// Whether the process runs. Its id may belong to another process by now, so its arguments are compared too.
    pub(super) fn runs(&self) -> bool {
        let properties = self.properties.to_string_lossy();
        if Path::new("/proc/self/cmdline").exists() {
            // A process that ended but was not waited for has an empty command line.
            let arguments = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments);
            return arguments.split('\0').any(|given| given == properties);
        }
        let pid = self.pid.to_string();
        let output = Command::new("ps")
            .args(["-o", "args=", "-p", &pid])
            .output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*properties))
    }

    pub(super) fn signal(&self, name: &str) -> Result<()> {
        // `kill` is built into the shell; a minimal system does not have a program of that name.
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("kill -{name} {}", self.pid)]);
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        if self.runs() && shell.status().is_ok_and(|status| status.success()) {
            return Ok(());
        }
        bail!("broker {}: it does not run", self.id)
    }

    /// Sends SIGKILL and waits until the process has ended.
    pub(super) fn kill(&self) -> Result<()> {
        self.signal("KILL")?;
        self.has_ended_within(STOP);
        Ok(())
    }

    /// Sends SIGTERM, then SIGKILL after a timeout.
    pub(super) fn stop(&self) {
        // A paused process does not handle SIGTERM.
        let _ = self.signal("CONT");
        if self.signal("TERM").is_ok() && !self.has_ended_within(STOP) {
            let _ = self.kill();
        }
    }

    fn has_ended_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.runs() && Instant::now() < end {
            sleep(POLL);
        }
        !self.runs()
    }

    fn log(&self) -> PathBuf {
        self.properties.with_extension("log")
    }

    fn failure(&self, what: &str) -> Error {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(20)..];
        anyhow!("broker {}: it {what}\n{}", self.id, last.join("\n"))
    }
}

/// Sends a request to the broker at this loopback port. A broker responds once it has joined its cluster.
fn serves(port: u16) -> io::Result<()> {
    /// The length of the request, then `ApiVersions`, version 0, with correlation id 1 and no client id.
    const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.write_all(&API_VERSIONS)?;
    // Length, correlation id, error code.
    let mut head = [0; 10];
    stream.read_exact(&mut head)?;
    if head[4..] == [0, 0, 0, 1, 0, 0] {
        return Ok(());
    }
    Err(io::Error::other(
        "the response is not that of a Kafka broker",
    ))
}
