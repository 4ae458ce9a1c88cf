//! Uses the client in a program without async code: `cargo run -p dms-kafka --example blocking`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use dms_kafka::{Client, PartitionInfo};
use dms_kafka_gateway::Gateway;
use tokio::runtime::{Builder, Runtime};

/// A client and the runtime for its calls.
struct Blocking {
    runtime: Runtime,
    client: Client,
}

impl Blocking {
    fn delete(
        &self,
        instance: &str,
        topic: &str,
        before: &[(i32, i64)],
    ) -> Result<(), dms_kafka::Error> {
        let mut deletion = self.client.delete_messages(instance, topic);
        for &(partition, offset) in before {
            deletion = deletion.before(partition, offset);
        }
        self.runtime.block_on(deletion.send())?.into_result()?;
        Ok(())
    }

    fn partitions(
        &self,
        instance: &str,
        topic: &str,
    ) -> Result<Vec<PartitionInfo>, dms_kafka::Error> {
        self.runtime
            .block_on(self.client.list_partitions(instance, topic))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // One thread for the gateway and for the client's connections.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let gateway = runtime.block_on(Gateway::memory().topic("orders", 2, 1000).start())?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;
    let blocking = Blocking { runtime, client };

    blocking.delete(gateway.instance_id(), "orders", &[(0, 400), (1, 1000)])?;
    for partition in blocking.partitions(gateway.instance_id(), "orders")? {
        println!(
            "{}: {} records left",
            partition.partition(),
            partition.records()
        );
    }
    Ok(())
}
