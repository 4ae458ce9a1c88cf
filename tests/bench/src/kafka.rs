//! The time that the gateway adds to a deletion on a real Kafka.

use std::time::Instant;

use clap::Args;
use dms_kafka::Client;
use dms_kafka_gateway::{Config, Service};
use huaweicloud_auth::Credentials;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::metrics::{Results, Scale, quantile};
use crate::peers::{ACCESS_KEY, SECRET_KEY};
use crate::process::Result;

#[derive(Debug, Args)]
pub(crate) struct Kafka {
    /// Bootstrap servers of the cluster.
    #[arg(long, value_name = "HOST:PORT,...")]
    bootstrap_servers: String,
    /// A topic of three partitions. Every deletion is before offset 0, so no record is deleted.
    #[arg(long)]
    topic: String,
    /// Number of deletions through the gateway, and without it.
    #[arg(long, default_value_t = 2000)]
    calls: u16,
}

const PARTITIONS: i32 = 3;
/// The deletions are divided into rounds, each with its median.
const ROUNDS: usize = 10;
/// The first deletions are not measured: they connect.
const WARM_UP: usize = 20;
pub(crate) const INSTANCE: &str = "instance";
pub(crate) const PROJECT: &str = "project";

/// Alternates deletions without and with the gateway, so that the broker is in the same state for both.
#[tokio::main]
pub(crate) async fn run(options: &Kafka, scale: &Scale) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap_servers)
        .create()?;
    let gateway = gateway(&options.bootstrap_servers, "").await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(PROJECT)
        .credentials(Credentials::new(ACCESS_KEY, SECRET_KEY)?)
        .build()?;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for call in 0..scale.of(usize::from(options.calls)) + WARM_UP {
        let begin = Instant::now();
        directly(&admin, &options.topic).await?;
        let between = Instant::now();
        through_the_gateway(&client, &options.topic).await?;
        if call >= WARM_UP {
            direct.push((between - begin).as_secs_f64() * 1e3);
            through.push(between.elapsed().as_secs_f64() * 1e3);
        }
    }
    gateway.shutdown().await;
    let round = direct.len().div_ceil(ROUNDS);
    let rounds = direct.chunks(round).zip(through.chunks(round));
    let added = rounds.map(|(direct, through)| quantile(through, 0.5) - quantile(direct, 0.5));
    let added = added.collect();
    let mut results = Results::default();
    let mut push = |row, times| results.push(["Kafka", "", row, "ms"], times);
    push("directly", direct);
    push("through the gateway", through);
    push("added at the median", added);
    results.write(scale.folder(), "kafka")
}

/// A gateway in this process. `setting` is one more of its instance.
pub(crate) async fn gateway(bootstrap_servers: &str, setting: &str) -> Result<Service> {
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
        "bootstrap.servers" = "{bootstrap_servers}"
        "#
    );
    let secret = |_: &str| Some(SECRET_KEY.to_owned());
    Ok(Config::from_toml(&config)?.check(&secret)?.start().await?)
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
