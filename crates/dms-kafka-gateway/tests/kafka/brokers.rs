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

/// The cluster, for the exclusive use of one test.
pub(crate) struct Brokers {
    state: PathBuf,
    /// The action that restores each broker that was killed or paused.
    to_restore: RefCell<BTreeMap<i32, &'static str>>,
    pub(crate) bootstrap_servers: String,
    /// Listeners that require SASL PLAIN, with user `gateway`.
    pub(crate) sasl_servers: String,
    pub(crate) count: usize,
    _turn: MutexGuard<'static, ()>,
}

impl Brokers {
    /// The cluster, if its number of brokers is in `counts`; otherwise prints that the test is skipped.
    pub(crate) async fn take(counts: &[usize]) -> Option<Self> {
        let Some(state) = env::var_os(STATE).map(PathBuf::from) else {
            eprintln!("skipped: no Apache Kafka; `cargo xtask kafka test` runs this");
            return None;
        };
        let turn = ONE_AT_A_TIME.lock().await;
        let text = fs::read_to_string(&state).expect("the state of a cluster");
        let cluster: Value = serde_json::from_str(&text).expect("JSON");
        let brokers = cluster["brokers"].as_array().expect("brokers");
        if !counts.contains(&brokers.len()) {
            eprintln!(
                "skipped: this is for {counts:?} brokers, not for {}",
                brokers.len()
            );
            return None;
        }
        let servers = |port: &str| {
            let servers = brokers
                .iter()
                .map(|broker| format!("127.0.0.1:{}", broker[port]));
            servers.collect::<Vec<_>>().join(",")
        };
        Some(Self {
            bootstrap_servers: servers("port"),
            sasl_servers: servers("sasl_port"),
            count: brokers.len(),
            state,
            to_restore: RefCell::default(),
            _turn: turn,
        })
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
    }
}
