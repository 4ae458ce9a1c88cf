//! The brokers that `cargo xtask kafka test` started.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

/// The state file of `cargo xtask kafka`.
const STATE: &str = "DMS_KAFKA_TEST_CLUSTER";
/// The program behind `cargo xtask`.
const XTASK: &str = "DMS_KAFKA_TEST_XTASK";

/// A test may kill brokers, so there is one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A cluster, for the exclusive use of one test.
pub(crate) struct Brokers {
    state: PathBuf,
    /// The action that restores each broker that was killed or paused.
    to_restore: RefCell<BTreeMap<i32, &'static str>>,
    pub(crate) bootstrap_servers: String,
    pub(crate) count: usize,
    /// The state file.
    cluster: Value,
    /// Whether the test started it.
    is_own: bool,
    _turn: MutexGuard<'static, ()>,
}

impl Brokers {
    /// The cluster, if its number of brokers is in `counts`; otherwise prints that the test is skipped.
    pub(crate) async fn take(counts: &[usize]) -> Option<Self> {
        let Some(state) = env::var_os(STATE).map(PathBuf::from) else {
            eprintln!("skipped: no Apache Kafka; `cargo xtask kafka test` runs this");
            return None;
        };
        let brokers = Self::read(state, false).await;
        if !counts.contains(&brokers.count) {
            eprintln!(
                "skipped: this is for {counts:?} brokers, not for {}",
                brokers.count
            );
            return None;
        }
        Some(brokers)
    }

    /// Starts another cluster, of one broker with TLS and the certificates of this folder.
    #[cfg(feature = "kafka-tls")]
    pub(crate) async fn with_tls(certificates: &Path) -> Option<Self> {
        // Where this test runs, there is one broker.
        drop(Self::take(&[1]).await?);
        let state = certificates.join("cluster.json");
        let mut up = xtask();
        up.args(["up", "--state"]).arg(&state);
        let status = up.arg("--certificates").arg(certificates).status();
        assert!(status.expect("cargo xtask").success(), "no broker with TLS");
        Some(Self::read(state, true).await)
    }

    async fn read(state: PathBuf, is_own: bool) -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        let text = fs::read_to_string(&state).expect("the state of a cluster");
        let cluster: Value = serde_json::from_str(&text).expect("JSON");
        Self {
            bootstrap_servers: servers(&cluster, "PLAINTEXT", "127.0.0.1"),
            count: cluster["brokers"].as_array().map_or(0, Vec::len),
            state,
            to_restore: RefCell::default(),
            cluster,
            is_own,
            _turn: turn,
        }
    }

    /// The addresses of one of the listeners of `xtask/src/kafka/broker.rs`, on a host that is this machine.
    pub(crate) fn servers(&self, listener: &str, host: &str) -> String {
        servers(&self.cluster, listener, host)
    }

    /// Kills a broker.
    pub(crate) fn kill(&self, broker: i32) {
        self.act(broker, "kill");
        self.to_restore.borrow_mut().insert(broker, "start");
    }

    /// Makes a broker hang.
    pub(crate) fn pause(&self, broker: i32) {
        self.act(broker, "pause");
        self.to_restore.borrow_mut().insert(broker, "resume");
    }

    /// Restores every broker that was killed or paused.
    pub(crate) fn restore(&self) {
        for (broker, action) in self.to_restore.take() {
            self.act(broker, action);
        }
    }

    fn act(&self, broker: i32, action: &str) {
        let status = self.xtask(broker, action);
        assert!(status.success(), "{action} broker {broker}");
        println!("{action} broker {broker}");
    }

    fn xtask(&self, broker: i32, action: &str) -> ExitStatus {
        let mut xtask = xtask();
        xtask.args(["broker", &broker.to_string(), action, "--state"]);
        xtask.arg(&self.state).status().expect("cargo xtask")
    }

    /// Deletes the rows of a file as `kafka-delete-records.sh` does.
    pub(crate) fn delete_records(&self, offsets_file: &Path) {
        let mut tool = xtask();
        tool.args(["tool", "org.apache.kafka.tools.DeleteRecordsCommand"]);
        tool.args(["--bootstrap-server", &self.bootstrap_servers]);
        tool.arg("--offset-json-file").arg(offsets_file);
        let output = tool.output().expect("cargo xtask");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("completed"), "{output:?}");
    }

    /// Adds an ACL: only this principal may use the topic, for this operation.
    pub(crate) fn allow(&self, principal: &str, operation: &str, topic: &str) {
        let mut tool = xtask();
        tool.args(["tool", "org.apache.kafka.tools.AclCommand", "--add"]);
        tool.args(["--bootstrap-server", &self.bootstrap_servers]);
        tool.args(["--allow-principal", principal, "--operation", operation]);
        let output = tool.args(["--topic", topic]).output();
        let output = output.expect("cargo xtask");
        assert!(output.status.success(), "{output:?}");
    }

    /// The lag of a group in each partition of a topic, as Kafka's `ConsumerGroupCommand` shows it.
    pub(crate) fn lag(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let mut tool = xtask();
        let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        tool.args(["tool", class, "--describe", "--group", group]);
        tool.args(["--bootstrap-server", &self.bootstrap_servers]);
        let output = tool.output().expect("cargo xtask");
        let text = String::from_utf8_lossy(&output.stdout);
        // Group, topic, partition, current offset, end offset, lag.
        let lines = text.lines().map(|line| line.split_whitespace().collect());
        let lag = |columns: Vec<&str>| match columns[..] {
            [_, of, partition, _, _, lag, ..] if of == topic => {
                Some((partition.parse().ok()?, lag.parse().ok()?))
            }
            _ => None,
        };
        let lags: BTreeMap<_, _> = lines.filter_map(lag).collect();
        assert!(!lags.is_empty(), "{output:?}");
        lags
    }
}

fn servers(cluster: &Value, listener: &str, host: &str) -> String {
    let brokers = cluster["brokers"].as_array().into_iter().flatten();
    let servers = brokers.map(|broker| format!("{host}:{}", broker["ports"][listener]));
    servers.collect::<Vec<_>>().join(",")
}

fn xtask() -> Command {
    let mut xtask = Command::new(env::var_os(XTASK).expect("the program behind cargo xtask"));
    xtask.arg("kafka");
    xtask
}

/// Restores the brokers for the next test, even if this one failed.
impl Drop for Brokers {
    fn drop(&mut self) {
        for (broker, action) in self.to_restore.take() {
            self.xtask(broker, action);
        }
        if self.is_own {
            let _ = xtask().args(["down", "--state"]).arg(&self.state).status();
        }
    }
}
