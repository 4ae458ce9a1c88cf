//! Plans through the gateway: by time, and by all consumer groups.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use dms_kafka::{Client, PlanDeletion};
use dms_kafka_gateway::Gateway;
use huaweicloud_auth::Credentials;

use crate::kafka::{INSTANCE, PROJECT, gateway};
use crate::metrics::{Results, Scale};
use crate::peers::{ACCESS_KEY, SECRET_KEY};
use crate::process::Result;

#[derive(Debug, Args)]
pub(crate) struct Plans {
    /// Bootstrap servers of the cluster.
    #[arg(long, value_name = "HOST:PORT,...")]
    bootstrap_servers: String,
    /// A topic in which every consumer group has a committed offset.
    #[arg(long)]
    topic: String,
}

const PARTITIONS: u32 = 100;
const RECORDS: u64 = 1_000_000;
/// Plans by time. By groups there is one in each round.
const PLANS: usize = 50;
const ROUNDS: usize = 3;

#[tokio::main]
pub(crate) async fn run(options: &Plans, scale: &Scale) -> Result<()> {
    let mut results = Results::default();
    let mut push = |row, metric, values| {
        results.push(["Kafka", "Plans", row, metric], values);
    };
    let memory = Gateway::memory().topic("orders", PARTITIONS, RECORDS);
    let memory = memory.start().await?;
    let client = Client::builder()
        .endpoint(memory.endpoint())
        .project_id(memory.project_id())
        .credentials(memory.credentials())
        .build()?;
    let of_memory = || client.plan_deletion(memory.instance_id(), "orders");
    push("by time, in memory", MS, by_time(of_memory, scale).await?);

    let service = gateway(&options.bootstrap_servers, "").await?;
    let client = Client::builder()
        .endpoint(service.endpoint())
        .project_id(PROJECT)
        .credentials(Credentials::new(ACCESS_KEY, SECRET_KEY)?)
        .build()?;
    let of_kafka = || client.plan_deletion(INSTANCE, &*options.topic);
    push("by time", MS, by_time(of_kafka, scale).await?);

    let before = f64::from(threads()?);
    let (mut times, mut added) = (Vec::new(), Vec::new());
    for _ in 0..scale.of(ROUNDS) {
        let peak = PeakThreads::start();
        let begin = Instant::now();
        let plan = of_kafka().consumed_by_all_groups().resolve().await?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        added.push(f64::from(peak.end()?) - before);
        // Each group has committed in one partition only.
        assert_eq!(plan.skipped().len(), PARTITIONS as usize);
    }
    push("by 1,000 consumer groups", MS, times);
    push(
        "by 1,000 consumer groups",
        "threads added at the peak",
        added,
    );
    service.shutdown().await;
    results.write(scale.folder(), "plans")
}

const MS: &str = "ms";

async fn by_time(plan: impl Fn() -> PlanDeletion, scale: &Scale) -> Result<Vec<f64>> {
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let mut times = Vec::new();
    // The first one connects.
    for number in 0..=scale.of(PLANS) {
        let begin = Instant::now();
        let plan = plan().before_time(an_hour_ago).resolve().await?;
        assert!(plan.is_exact(), "the gateway finds offsets by time");
        if number > 0 {
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

/// Looks at the number of threads of this process until it is told to end.
struct PeakThreads {
    state: Arc<(AtomicU32, AtomicBool)>,
    watcher: thread::JoinHandle<Result<(), String>>,
}

impl PeakThreads {
    fn start() -> Self {
        let state = Arc::new((AtomicU32::new(0), AtomicBool::new(false)));
        let seen = Arc::clone(&state);
        let watcher = thread::spawn(move || {
            while !seen.1.load(Ordering::Relaxed) {
                let now = threads().map_err(|error| error.to_string())?;
                seen.0.fetch_max(now, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
            Ok(())
        });
        Self { state, watcher }
    }

    fn end(self) -> Result<u32> {
        self.state.1.store(true, Ordering::Relaxed);
        self.watcher.join().map_err(|_| "the watcher panicked")??;
        Ok(self.state.0.load(Ordering::Relaxed))
    }
}

/// The number of threads of this process.
fn threads() -> Result<u32> {
    Ok(u32::try_from(fs::read_dir("/proc/self/task")?.count())?)
}
