//! Plans through the gateway: by time, and by all consumer groups.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dms_kafka::{Client, PlanDeletion};
use dms_kafka_gateway::Gateway;

use crate::kafka::{Cluster, INSTANCE, client, count};
use crate::metrics::{Results, Scale};
use crate::process::{Result, memory_kib};

const PARTITIONS: u32 = 100;
const RECORDS: u64 = 1_000_000;
/// Plans by time. By groups there is one in each round.
const PLANS: usize = 50;
const ROUNDS: usize = 3;

#[tokio::main]
pub(crate) async fn run(cluster: &Cluster, scale: &Scale) -> Result<()> {
    let mut results = Results::default();
    let mut push = |row, metric, values| {
        results.push(["Kafka", "Plans", row, metric], values);
    };
    let before = memory_kib(process::id(), "VmRSS")?;
    let memory = Gateway::memory().topic("orders", PARTITIONS, RECORDS);
    let memory = memory.start().await?;
    let of_memory = Client::builder()
        .endpoint(memory.endpoint())
        .project_id(memory.project_id())
        .credentials(memory.credentials())
        .build()?;
    let of_memory = || of_memory.plan_deletion(memory.instance_id(), "orders");
    push("by time, in memory", MS, by_time(of_memory, scale).await?);
    let added = (memory_kib(process::id(), "VmHWM")? - before) / 1024.0;
    push("by time, in memory", "MB added at the peak", vec![added]);

    let gateway = cluster.gateway("")?;
    let client = client(&gateway)?;
    let of_kafka = || client.plan_deletion(INSTANCE, &*cluster.topic);
    push("by time", MS, by_time(of_kafka, scale).await?);

    let before = count(gateway.id(), "task", "")?;
    let (mut times, mut added) = (Vec::new(), Vec::new());
    for _ in 0..scale.of(ROUNDS) {
        let peak = PeakThreads::start(gateway.id());
        let begin = Instant::now();
        let plan = of_kafka().consumed_by_all_groups().resolve().await?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        added.push(peak.end()? - before);
        // Each group has committed in one partition only.
        assert_eq!(plan.skipped().len(), PARTITIONS as usize);
    }
    push("by 1,000 consumer groups", MS, times);
    push(
        "by 1,000 consumer groups",
        "threads added at the peak",
        added,
    );
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

/// Looks at the number of threads of a process until it is told to end.
struct PeakThreads {
    has_ended: Arc<AtomicBool>,
    watcher: thread::JoinHandle<Result<f64, String>>,
}

impl PeakThreads {
    fn start(id: u32) -> Self {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let watcher = thread::spawn(move || {
            let mut peak: f64 = 0.0;
            while !ended.load(Ordering::Relaxed) {
                let now = count(id, "task", "").map_err(|error| error.to_string())?;
                peak = peak.max(now);
                thread::sleep(Duration::from_millis(2));
            }
            Ok(peak)
        });
        Self { has_ended, watcher }
    }

    fn end(self) -> Result<f64> {
        self.has_ended.store(true, Ordering::Relaxed);
        Ok(self.watcher.join().map_err(|_| "the watcher panicked")??)
    }
}
