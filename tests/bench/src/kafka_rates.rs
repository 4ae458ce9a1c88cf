//! Deletions per second on a real Kafka: directly, with a connection for each deletion in flight, and through the gateway.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _};
use clap::Args;
use dms_kafka::Client;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use huaweicloud_auth::Credentials;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kafka::{INSTANCE, PROJECT, gateway};
use crate::metrics::{Results, Scale, quantile};
use crate::peers::{ACCESS_KEY, SECRET_KEY};
use crate::process::Result;

#[derive(Debug, Args)]
pub(crate) struct KafkaRates {
    /// Bootstrap servers of the cluster.
    #[arg(long, value_name = "HOST:PORT,...")]
    bootstrap_servers: String,
    /// Number of brokers, up to 3. It is also the replication factor.
    #[arg(long)]
    brokers: u16,
    /// Concurrent deletions, each from a partition of its own.
    #[arg(long)]
    concurrency: u16,
}

const TOPIC: &str = "bench-rates";
const NUDGE_TOPIC: &str = "bench-nudges";
const ROUNDS: usize = 5;
/// Deletions from each partition in one measurement.
const PASSES: i64 = 4;
const LONG: Duration = Duration::from_secs(60);

#[tokio::main]
pub(crate) async fn run(options: &KafkaRates, scale: &Scale) -> Result<()> {
    let servers = &options.bootstrap_servers;
    create_topics(options).await?;
    let direct = Direct::new(options)?;
    let nudge = format!("nudge_topic = \"{NUDGE_TOPIC}\"");
    let mut gateways = Vec::new();
    for setting in ["", &nudge] {
        let service = gateway(servers, setting).await?;
        let client = Client::builder()
            .endpoint(service.endpoint())
            .project_id(PROJECT)
            .credentials(Credentials::new(ACCESS_KEY, SECRET_KEY)?)
            .build()?;
        gateways.push((service, client));
    }
    let mut rates = vec![Vec::new(); 3];
    let mut single = vec![Vec::new(); 3];
    let mut offset = 1;
    for round in 0..=scale.of(ROUNDS) {
        for peer in 0..3 {
            let delete = async |partition, offset| match peer {
                0 => direct.delete(partition, offset).await,
                _ => through(&gateways[peer - 1].1, partition, offset).await,
            };
            let calls = (0..PASSES).flat_map(|pass| {
                (0..i32::from(options.concurrency)).map(move |id| (id, offset + pass))
            });
            let started = Instant::now();
            let deleting = stream::iter(calls).map(async |(id, offset)| delete(id, offset).await);
            let deleting = deleting.buffer_unordered(options.concurrency.into());
            deleting.try_collect::<()>().await?;
            let deletions = f64::from(options.concurrency) * 4.0;
            let rate = deletions / started.elapsed().as_secs_f64();
            offset += PASSES;
            let mut times = Vec::new();
            for _ in 0..PASSES {
                let started = Instant::now();
                delete(0, offset).await?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
                offset += 1;
            }
            // The first round connects.
            if round > 0 {
                rates[peer].push(rate);
                single[peer].push(quantile(&times, 0.5));
            }
        }
    }
    for (service, _) in gateways {
        service.shutdown().await;
    }
    let title = format!(
        "{} broker(s), {} concurrent",
        options.brokers, options.concurrency
    );
    let mut results = Results::default();
    for (peer, row) in ["directly", "gateway", "gateway, nudge_topic"]
        .into_iter()
        .enumerate()
    {
        let ratios = rates[peer]
            .iter()
            .zip(&rates[0])
            .map(|(own, direct)| own / direct);
        let ratios = ratios.collect();
        results.push(["Kafka", &title, row, "deletions/s"], rates[peer].clone());
        results.push(["Kafka", &title, row, "x of direct"], ratios);
        results.push(
            ["Kafka", &title, row, "ms, one at a time"],
            single[peer].clone(),
        );
    }
    results.write(scale.folder(), &format!("kafka-{}", options.brokers))
}

async fn create_topics(options: &KafkaRates) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.bootstrap_servers);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let topics = [
        (TOPIC, options.concurrency),
        (NUDGE_TOPIC, options.brokers * 3),
    ]
    .map(|(name, partitions)| {
        let replication = TopicReplication::Fixed(options.brokers.into());
        NewTopic::new(name, partitions.into(), replication)
    });
    for created in admin.create_topics(&topics, &AdminOptions::new()).await? {
        created.map_err(|(topic, code)| format!("{topic}: {code}"))?;
    }
    let producer: BaseProducer = config.create()?;
    for partition in 0..i32::from(options.concurrency) {
        for _ in 0..500 {
            let record = BaseRecord::<(), str>::to(TOPIC)
                .partition(partition)
                .payload("r");
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(LONG)?;
    }
    Ok(())
}

async fn through(client: &Client, partition: i32, offset: i64) -> Result<()> {
    let call = client.delete_messages(INSTANCE, TOPIC);
    call.before(partition, offset).send().await?.into_result()?;
    Ok(())
}

/// A client with a connection for each partition.
struct Direct {
    connections: Vec<tokio::sync::Mutex<Option<TcpStream>>>,
    /// The address of each partition's leader.
    leaders: BTreeMap<i32, String>,
}

impl Direct {
    fn new(options: &KafkaRates) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &options.bootstrap_servers);
        let producer: BaseProducer = config.create()?;
        let metadata = producer.client().fetch_metadata(Some(TOPIC), LONG)?;
        let brokers: BTreeMap<i32, String> = metadata
            .brokers()
            .iter()
            .map(|broker| (broker.id(), format!("{}:{}", broker.host(), broker.port())))
            .collect();
        let partitions = metadata.topics()[0].partitions().iter();
        Ok(Self {
            connections: (0..options.concurrency)
                .map(|_| tokio::sync::Mutex::default())
                .collect(),
            leaders: partitions
                .map(|partition| (partition.id(), brokers[&partition.leader()].clone()))
                .collect(),
        })
    }

    /// Sends `DeleteRecords`, version 1.
    async fn delete(&self, partition: i32, offset: i64) -> Result<()> {
        let mut request = Vec::new();
        request.put_i16(21);
        request.put_i16(1);
        // Correlation id, and no client id.
        request.put_i32(1);
        request.put_i16(-1);
        request.put_i32(1);
        request.put_i16(i16::try_from(TOPIC.len())?);
        request.put_slice(TOPIC.as_bytes());
        request.put_i32(1);
        request.put_i32(partition);
        request.put_i64(offset);
        request.put_i32(30_000);
        let mut connection = self.connections[usize::try_from(partition)?].lock().await;
        let connection = match &mut *connection {
            Some(connection) => connection,
            new => {
                let connected = TcpStream::connect(&self.leaders[&partition]).await?;
                connected.set_nodelay(true)?;
                new.insert(connected)
            }
        };
        connection.write_i32(i32::try_from(request.len())?).await?;
        connection.write_all(&request).await?;
        let mut response = vec![0; usize::try_from(connection.read_i32().await?)?];
        connection.read_exact(&mut response).await?;
        // The last field is the partition's error code.
        let code = (&response[response.len() - 2..]).get_i16();
        if code != 0 {
            return Err(format!("partition {partition}: code {code}").into());
        }
        Ok(())
    }
}
