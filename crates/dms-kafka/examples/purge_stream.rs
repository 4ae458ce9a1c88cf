//! Deletes from many topics, whose rows come from a stream: `cargo run -p dms-kafka --example purge_stream`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use dms_kafka::{CircuitBreaker, Client, DeletionTarget, PurgeTarget};
use dms_kafka_gateway::Gateway;
use futures_util::stream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::memory()
        .topic("orders", 20, 1000)
        .topic("invoices", 20, 1000);
    let gateway = gateway.start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;

    // In a program, the rows are those of a database or a queue. They are grouped into requests as they arrive.
    let before = DeletionTarget::before(400)?;
    let rows = (0..20).flat_map(|partition| ["orders", "invoices"].map(|topic| (topic, partition)));
    let rows: Result<Vec<PurgeTarget>, _> = rows
        .map(|(topic, partition)| PurgeTarget::new(topic, partition, before))
        .collect();
    let mut results = client
        .purge(gateway.instance_id())
        .with_concurrency(8)
        .with_partitions_per_request(10)
        .with_circuit_breaker(CircuitBreaker::new())
        .run_stream(stream::iter(rows?));
    while let Some(result) = results.next().await {
        let (topic, partitions) = (result.topic().to_owned(), result.targets().len());
        match result
            .into_deletion()
            .and_then(dms_kafka::Deletion::into_result)
        {
            Ok(_) => println!("{topic}: {partitions} partitions done"),
            Err(error) => println!("{topic}: {error} ({})", error.outcome()),
        }
    }
    Ok(())
}
