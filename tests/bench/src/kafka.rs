//! The time that the gateway adds to a deletion on a real Kafka, and that of its first deletion.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use dms_kafka::Client;
use huaweicloud_auth::Credentials;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::time::sleep;

use crate::metrics::{Results, Scale, quantile, root};
use crate::peers::{ACCESS_KEY, SECRET_KEY};
use crate::process::{Result, Server};

#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// Bootstrap servers of the cluster.
    #[arg(long, value_name = "HOST:PORT,...")]
    pub(crate) bootstrap_servers: String,
    /// Processes of the brokers.
    #[arg(long, value_delimiter = ',', value_name = "PID,...")]
    pub(crate) processes: Vec<u32>,
    /// A topic for deletions before offset 0, which delete nothing, or for plans.
    #[arg(long)]
    pub(crate) topic: String,
}

const PARTITIONS: i32 = 3;
/// Deletions through the gateway, and without it.
const CALLS: usize = 2000;
/// The deletions are divided into rounds, each with its median.
const ROUNDS: usize = 10;
/// The first deletions are not measured: they connect.
const WARM_UP: usize = 20;
const STARTS: usize = 100;
pub(crate) const LONG: Duration = Duration::from_secs(300);
pub(crate) const INSTANCE: &str = "instance";
pub(crate) const PROJECT: &str = "project";
pub(crate) const COMMAND: &str = "target/release/dms-kafka";

/// Alternates deletions without and with the gateway, so that the broker is in the same state for both.
#[tokio::main]
pub(crate) async fn run(cluster: &Cluster, scale: &Scale) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = cluster.config().create()?;
    let gateway = cluster.gateway("")?;
    let client = client(&gateway)?;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for call in 0..scale.of(CALLS) + WARM_UP {
        let begin = Instant::now();
        directly(&admin, &cluster.topic).await?;
        let between = Instant::now();
        through_the_gateway(&client, &cluster.topic).await?;
        if call >= WARM_UP {
            direct.push((between - begin).as_secs_f64() * 1e3);
            through.push(between.elapsed().as_secs_f64() * 1e3);
        }
    }
    let round = direct.len().div_ceil(ROUNDS);
    let rounds = direct.chunks(round).zip(through.chunks(round));
    let added = rounds.map(|(direct, through)| quantile(through, 0.5) - quantile(direct, 0.5));
    let added = added.collect();
    let mut first = Vec::new();
    for _ in 0..scale.of(STARTS) {
        let gateway = cluster.gateway("")?;
        let client = self::client(&gateway)?;
        let begin = Instant::now();
        through_the_gateway(&client, &cluster.topic).await?;
        first.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let mut results = Results::default();
    let mut push = |row, column, times| results.push(["Kafka", "", row, column], times);
    push("directly", "ms", direct);
    push("through the gateway", "ms", through);
    push("added at the median", "ms", added);
    let p99 = quantile(&first, 0.99);
    push("the first after a start", "ms", first);
    push("the first after a start", "ms, p99", vec![p99]);
    results.write(scale.folder(), "kafka")
}

impl Cluster {
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config
    }

    /// A gateway in front of the cluster. `setting` is one more of its instance.
    pub(crate) fn gateway(&self, setting: &str) -> Result<Server> {
        let config = format!(
            r#"
            listen = "127.0.0.1:0"
            [[access_key]]
            access_key = "{ACCESS_KEY}"
            secret_key = {{ env = "SECRET_KEY" }}
            [[instance]]
            id = "{INSTANCE}"
            project_id = "{PROJECT}"
            {setting}
            [instance.kafka]
            "bootstrap.servers" = "{}"
            "#,
            self.bootstrap_servers
        );
        let file = root().join("target/bench/gateway.toml");
        fs::create_dir_all(root().join("target/bench"))?;
        fs::write(&file, config)?;
        let mut serve = Command::new(root().join(COMMAND));
        serve.args(["serve", "--exit-with-stdin", "--config"]);
        Server::spawn(serve.arg(file).env("SECRET_KEY", SECRET_KEY), None)
    }

    /// Creates a topic with a replica on each broker, and writes records to each partition.
    pub(crate) async fn create(&self, topic: &str, partitions: u16, records: usize) -> Result<()> {
        let mut config = self.config();
        config.set("queue.buffering.max.messages", "1000000");
        // A request of librdkafka is for one partition, and would wait for the followers before the next one.
        config.set("acks", "1");
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let replicas = TopicReplication::Fixed(i32::try_from(self.processes.len())?);
        let new = NewTopic::new(topic, partitions.into(), replicas);
        let options = AdminOptions::new().operation_timeout(Some(LONG));
        for created in admin.create_topics([&new], &options).await? {
            created.map_err(|(topic, code)| format!("{topic}: {code}"))?;
        }
        let producer: BaseProducer = config.create()?;
        for partition in 0..i32::from(partitions) {
            for _ in 0..records {
                let record = BaseRecord::<(), str>::to(topic).payload("r");
                let record = record.partition(partition);
                producer.send(record).map_err(|(error, _)| error)?;
            }
        }
        producer.flush(LONG)?;
        let (all, end) = (i64::try_from(records)?, Instant::now() + LONG);
        for partition in 0..partitions.into() {
            // A new leader refuses for a moment, and followers may be behind.
            let watermarks = || producer.client().fetch_watermarks(topic, partition, LONG);
            while !watermarks().is_ok_and(|(_, high)| high >= all) {
                if Instant::now() > end {
                    return Err(format!(
                        "{topic}: partition {partition} does not have {all} records"
                    )
                    .into());
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }
}

pub(crate) fn client(gateway: &Server) -> Result<Client> {
    let client = Client::builder().endpoint(&*gateway.endpoint);
    let client = client.project_id(PROJECT);
    Ok(client
        .credentials(Credentials::new(ACCESS_KEY, SECRET_KEY)?)
        .build()?)
}

/// Seconds of CPU time of a process, user and system.
pub(crate) fn cpu_seconds(id: u32) -> Result<f64> {
    /// Linux shows times in hundredths of a second.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is the name of the program, which may contain spaces. The times are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
    let times = fields.split_whitespace().skip(11).take(2);
    let times = times
        .map(str::parse::<f64>)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(times.iter().sum::<f64>() / TICKS)
}

/// The number of entries in a folder of a process: `task` for its threads, `fd` for its open files. A symbolic link counts if
/// its target begins with `target`.
pub(crate) fn count(id: u32, folder: &str, target: &str) -> Result<f64> {
    let mut count = 0.0;
    for entry in fs::read_dir(format!("/proc/{id}/{folder}"))? {
        let link = fs::read_link(entry?.path()).unwrap_or_default();
        count += f64::from(u8::from(link.to_string_lossy().starts_with(target)));
    }
    Ok(count)
}

async fn directly(admin: &AdminClient<DefaultClientContext>, topic: &str) -> Result<()> {
    let mut offsets = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        offsets.add_partition_offset(topic, partition, Offset::Offset(0))?;
    }
    let deleted = admin.delete_records(&offsets, &AdminOptions::new()).await?;
    for element in deleted.elements() {
        element.error()?;
    }
    Ok(())
}

async fn through_the_gateway(client: &Client, topic: &str) -> Result<()> {
    let mut call = client.delete_messages(INSTANCE, topic);
    for partition in 0..PARTITIONS {
        call = call.before(partition, 0);
    }
    call.send().await?.into_result()?;
    Ok(())
}
