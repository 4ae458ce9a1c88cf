//! What the gateway adds to a deletion on a real Kafka.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use dms_kafka::Client;
use dms_kafka_gateway::{Config, Service};
use huaweicloud_auth::Credentials;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::kafka_cost::KafkaCost;
use crate::statistics::Spread;
use crate::{Result, write_json};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The cluster.
    #[arg(long, value_name = "HOST:PORT,...")]
    bootstrap_servers: String,
    /// A topic of three partitions, from which nothing is deleted: every offset asked for is 0.
    #[arg(long)]
    topic: String,
    /// Deletions, each way.
    #[arg(long, default_value_t = 2000)]
    calls: u16,
    /// Where the results go.
    #[arg(long, value_name = "FILE", default_value = "target/bench/kafka.json")]
    json: PathBuf,
}

const PARTITIONS: i32 = 3;
/// Parts of the deletions, of which each has a median.
const ROUNDS: usize = 10;
const INSTANCE: &str = "instance";
const PROJECT: &str = "project";
const ACCESS_KEY: &str = "BENCHMARKACCESSKEY00";
const SECRET_KEY: &str = "benchmark-secret-key-of-forty-characters";

pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let cost = runtime.block_on(measure(options))?;
    println!("directly            {} ms", cost.direct);
    println!("through the gateway {} ms", cost.through_the_gateway);
    println!("added               {} ms", cost.added);
    write_json(&options.json, &cost)
}

/// One way after the other, in turn, so that both meet the same broker.
async fn measure(options: &Options) -> Result<KafkaCost> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap_servers)
        .create()?;
    let gateway = gateway(&options.bootstrap_servers).await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(PROJECT)
        .credentials(Credentials::new(ACCESS_KEY, SECRET_KEY)?)
        .build()?;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for call in 0..options.calls + 20 {
        let begin = Instant::now();
        directly(&admin, &options.topic).await?;
        let between = Instant::now();
        through_the_gateway(&client, &options.topic).await?;
        // The first ones connect.
        if call >= 20 {
            direct.push((between - begin).as_secs_f64() * 1e3);
            through.push(between.elapsed().as_secs_f64() * 1e3);
        }
    }
    gateway.shutdown().await;
    let medians = |times: &[f64]| -> Vec<f64> {
        let rounds = times.chunks(times.len().div_ceil(ROUNDS));
        rounds
            .map(|round| Spread::of(round.to_vec()).median)
            .collect()
    };
    let added = medians(&through).into_iter().zip(medians(&direct));
    Ok(KafkaCost {
        added: Spread::of(added.map(|(through, direct)| through - direct).collect()),
        direct: Spread::of(direct),
        through_the_gateway: Spread::of(through),
    })
}

async fn gateway(bootstrap_servers: &str) -> Result<Service> {
    let config = format!(
        r#"
        listen = "127.0.0.1:0"
        [[access_key]]
        access_key = "{ACCESS_KEY}"
        secret_key = {{ env = "SECRET_KEY" }}
        [[instance]]
        id = "{INSTANCE}"
        project_id = "{PROJECT}"
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
