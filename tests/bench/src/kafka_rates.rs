//! Deletions per second on a real Kafka: directly, with a connection for each deletion in flight, and through the gateway.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _};
use dms_kafka::Client;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

use crate::kafka::{Cluster, INSTANCE, LONG, client, count, cpu_seconds};
use crate::metrics::{Results, Scale, quantile};
use crate::process::{Result, Server};

const TOPIC: &str = "bench-rates";
const NUDGE_TOPIC: &str = "bench-nudges";
const BACKGROUND_TOPIC: &str = "bench-background";
const ROUNDS: usize = 5;
const SETTLE: Duration = Duration::from_secs(2);
/// Deletions in a round, one at a time.
const SINGLE: i64 = 4;

#[tokio::main]
pub(crate) async fn run(cluster: &Cluster, scale: &Scale) -> Result<()> {
    let brokers = u16::try_from(cluster.processes.len())?;
    // Without followers, a deletion takes far less time, so a round has more. It includes what the brokers write later.
    let (concurrency, passes) = if brokers == 1 { (64, 200) } else { (256, 4) };
    // More than the offsets below.
    let records = 6 * (ROUNDS + 1) * (passes + 2 * usize::try_from(SINGLE)?);
    cluster.create(TOPIC, concurrency, records).await?;
    cluster.create(NUDGE_TOPIC, brokers * 3, 0).await?;
    cluster.create(BACKGROUND_TOPIC, brokers, 0).await?;
    let direct = Direct::new(cluster, concurrency)?;
    let nudge = format!("nudge_topic = \"{NUDGE_TOPIC}\"");
    let mut deleters = vec![("directly", Deleter::Direct(direct))];
    for (row, setting) in [("gateway", ""), ("gateway, nudge_topic", &nudge)] {
        let gateway = cluster.gateway(setting)?;
        let client = client(&gateway)?;
        deleters.push((row, Deleter::Gateway(gateway, client)));
    }
    let title = format!("{brokers} broker(s), {concurrency} concurrent");
    let mut tables = vec![(title.clone(), false)];
    if brokers > 1 {
        tables.push((title + ", 20 records/s on each broker", true));
    }
    let mut results = Results::default();
    let mut offset = 1;
    for round in 0..=scale.of(ROUNDS) {
        for (table, has_background) in &tables {
            let background = has_background.then(|| write_records(cluster)).transpose()?;
            let mut rate_of_direct = None;
            for (row, deleter) in &deleters {
                let offsets = offset..offset + i64::try_from(scale.of(passes))?;
                offset = offsets.end;
                // Brokers write checkpoints after their responses: one row must not pay for the one before.
                sleep(SETTLE).await;
                let [seconds, deletions, cpu @ ..] =
                    deleter.all(cluster, concurrency, offsets).await?;
                let single = deleter.single(offset).await?;
                offset += SINGLE;
                // The first round connects.
                if round == 0 {
                    continue;
                }
                let mut add =
                    |column: &str, value| results.add(["Kafka", table, row, column], value);
                let rate = deletions / seconds;
                add("deletions/s", rate);
                add("x of direct", rate / *rate_of_direct.get_or_insert(rate));
                add("ms, one at a time", single);
                add("CPUs in use", cpu.iter().sum::<f64>() / seconds);
                let processes = ["load", "brokers", "gateway"];
                for (process, cpu) in processes.into_iter().zip(cpu) {
                    add(
                        &format!("{process}, CPU ms per deletion"),
                        cpu * 1e3 / deletions,
                    );
                }
            }
            if let Some(background) = background {
                background.abort();
            }
        }
    }
    let table = format!("10 s after load, {brokers} broker(s)");
    // Without the clients, whose connections are closed.
    let gateways: Vec<_> = deleters
        .into_iter()
        .filter_map(|(row, deleter)| match deleter {
            Deleter::Direct(_) => None,
            Deleter::Gateway(gateway, _) => Some((row, gateway)),
        })
        .collect();
    sleep(Duration::from_secs(scale.of(10) as u64)).await;
    for (row, gateway) in gateways {
        let mut add = |column, count| results.add(["Kafka", &table, row, column], count);
        add("threads", count(gateway.id(), "task", "")?);
        add("sockets", count(gateway.id(), "fd", "socket:")?);
    }
    results.write(scale.folder(), &format!("kafka-{brokers}"))
}

enum Deleter {
    Direct(Direct),
    Gateway(Server, Client),
}

impl Deleter {
    async fn delete(&self, partition: i32, offset: i64) -> Result<()> {
        match self {
            Self::Direct(direct) => direct.delete(partition, offset).await,
            Self::Gateway(_, client) => {
                let call = client.delete_messages(INSTANCE, TOPIC);
                call.before(partition, offset).send().await?.into_result()?;
                Ok(())
            }
        }
    }

    /// Deletes before each of these offsets from each partition. Returns the seconds, the deletions, and the CPU time of this
    /// process, the brokers and the gateway.
    async fn all(
        &self,
        cluster: &Cluster,
        concurrency: u16,
        offsets: Range<i64>,
    ) -> Result<[f64; 5]> {
        let partitions = 0..i32::from(concurrency);
        let calls =
            offsets.flat_map(|offset| partitions.clone().map(move |partition| (partition, offset)));
        let (before, started) = (self.cpu(cluster)?, Instant::now());
        let deleting = stream::iter(calls)
            .map(async |(partition, offset)| self.delete(partition, offset).await);
        let deleting = deleting.buffer_unordered(concurrency.into());
        let deletions = deleting
            .try_fold(0.0, async |sum, ()| Ok(sum + 1.0))
            .await?;
        let (seconds, after) = (started.elapsed().as_secs_f64(), self.cpu(cluster)?);
        let [load, brokers, gateway] = [0, 1, 2].map(|at| after[at] - before[at]);
        Ok([seconds, deletions, load, brokers, gateway])
    }

    /// The median milliseconds of deletions one at a time.
    async fn single(&self, offset: i64) -> Result<f64> {
        let mut times = Vec::new();
        for offset in offset..offset + SINGLE {
            let started = Instant::now();
            self.delete(0, offset).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(quantile(&times, 0.5))
    }

    /// Seconds of CPU time so far.
    fn cpu(&self, cluster: &Cluster) -> Result<[f64; 3]> {
        let brokers = cluster.processes.iter().map(|id| cpu_seconds(*id));
        let gateway = match self {
            Self::Direct(_) => 0.0,
            Self::Gateway(gateway, _) => cpu_seconds(gateway.id())?,
        };
        Ok([
            cpu_seconds(process::id())?,
            brokers.sum::<Result<_>>()?,
            gateway,
        ])
    }
}

/// Writes 20 records per second to a partition of each broker until it is aborted.
fn write_records(cluster: &Cluster) -> Result<JoinHandle<()>> {
    let producer: BaseProducer = cluster.config().create()?;
    let metadata = producer
        .client()
        .fetch_metadata(Some(BACKGROUND_TOPIC), LONG)?;
    let partitions = metadata.topics()[0].partitions().iter();
    let led: BTreeMap<_, _> = partitions
        .map(|partition| (partition.leader(), partition.id()))
        .collect();
    if led.len() != cluster.processes.len() {
        return Err(format!(
            "{BACKGROUND_TOPIC}: only {} brokers lead a partition",
            led.len()
        )
        .into());
    }
    let write = move |producer: &BaseProducer| {
        for partition in led.values() {
            let record = BaseRecord::<(), str>::to(BACKGROUND_TOPIC).payload("r");
            producer
                .send(record.partition(*partition))
                .map_err(|(error, _)| error)?;
        }
        Ok::<_, KafkaError>(())
    };
    // The first records connect.
    write(&producer)?;
    producer.flush(LONG)?;
    Ok(tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(50));
        while write(&producer).is_ok() {
            producer.poll(Duration::ZERO);
            ticks.tick().await;
        }
    }))
}

/// A client with a connection for each partition.
struct Direct {
    connections: Vec<tokio::sync::Mutex<Option<TcpStream>>>,
    /// The address of each partition's leader.
    leaders: BTreeMap<i32, String>,
}

impl Direct {
    fn new(cluster: &Cluster, concurrency: u16) -> Result<Self> {
        let producer: BaseProducer = cluster.config().create()?;
        let metadata = producer.client().fetch_metadata(Some(TOPIC), LONG)?;
        let brokers: BTreeMap<i32, String> = metadata
            .brokers()
            .iter()
            .map(|broker| (broker.id(), format!("{}:{}", broker.host(), broker.port())))
            .collect();
        let partitions = metadata.topics()[0].partitions().iter();
        Ok(Self {
            connections: (0..concurrency)
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
