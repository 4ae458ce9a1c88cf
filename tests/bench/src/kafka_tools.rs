//! Deletions from many partitions by this command and by Kafka's own.

use std::fs;

use rdkafka::producer::{BaseProducer, Producer as _};
use serde_json::json;

use crate::kafka::{COMMAND, Cluster, LONG};
use crate::metrics::{Results, Scale, root};
use crate::process::{Result, command};

const TOPIC: &str = "bench-tools";
const ROUNDS: usize = 5;
/// One record for each command in each round.
const RECORDS: usize = 3 * ROUNDS;
/// The class of `kafka-delete-records.sh`.
const SCRIPT: &str = "org.apache.kafka.tools.DeleteRecordsCommand";

/// Alternates the commands, each with its own offset, and reads the start offsets after each.
#[tokio::main]
pub(crate) async fn run(cluster: &Cluster, scale: &Scale) -> Result<()> {
    let brokers = cluster.processes.len();
    let partitions = u16::try_from(scale.of(1000 * brokers))?;
    cluster.create(TOPIC, partitions, RECORDS).await?;
    let consumer: BaseProducer = cluster.config().create()?;
    let file = root().join("target/bench/offsets.json");
    let cli = root().join(COMMAND).display().to_string();
    let servers = &cluster.bootstrap_servers;
    // The same JVM as for the broker, which is tuned for a quick start.
    let broker = fs::read_to_string(format!("/proc/{}/cmdline", cluster.processes[0]))?;
    let java = broker.split('\0').take_while(|word| *word != "kafka.Kafka");
    let java: Vec<_> = java.map(str::to_owned).collect();
    let table = format!("{brokers} broker(s), {partitions} partitions");
    let mut results = Results::default();
    let mut offset = 0;
    for _ in 0..scale.of(ROUNDS) {
        let mut of_script = None;
        for row in ["kafka-delete-records.sh", "purge", "delete"] {
            offset += 1;
            let (program, arguments) = match row {
                "purge" => (
                    vec![cli.clone()],
                    format!("purge --kafka {servers} --yes --offsets-file"),
                ),
                "delete" => (
                    vec![cli.clone()],
                    format!("delete --kafka {servers} --yes --before-offset {offset} --topic"),
                ),
                _ => (
                    java.clone(),
                    format!("{SCRIPT} --bootstrap-server {servers} --offset-json-file"),
                ),
            };
            let last = if row == "delete" {
                TOPIC.to_owned()
            } else {
                file.display().to_string()
            };
            let arguments = arguments.split(' ').map(str::to_owned).collect();
            let rows = (0..partitions)
                .map(|partition| json!({"topic": TOPIC, "partition": partition, "offset": offset}));
            let rows: Vec<_> = rows.collect();
            fs::write(&file, json!({"partitions": rows, "version": 1}).to_string())?;
            let cost = command(&[program, arguments, vec![last]].concat())?;
            for partition in 0..partitions.into() {
                let (start, _) = consumer.client().fetch_watermarks(TOPIC, partition, LONG)?;
                if start != offset {
                    return Err(format!(
                        "{row}: partition {partition} starts at {start}, not at {offset}"
                    )
                    .into());
                }
            }
            let mut add = |column, value| results.add(["Kafka", &table, row, column], value);
            add("s", cost.wall);
            add(
                "s, x of the script",
                cost.wall / *of_script.get_or_insert(cost.wall),
            );
            add("CPU s", cost.cpu);
        }
    }
    results.write(scale.folder(), &format!("kafka-tools-{brokers}"))
}
