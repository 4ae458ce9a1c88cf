//! Deletes records of two partitions: `cargo run -p dms-kafka --example delete`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use dms_kafka::Client;
use dms_kafka_gateway::Gateway;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A gateway in this process. For the cloud: Client::from_env()?.build()?, with DMS_KAFKA_REGION and credentials.
    let gateway = Gateway::memory().topic("orders", 4, 1000).start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;

    let deletion = client
        .delete_messages(gateway.instance_id(), "orders")
        .before(0, 400)
        .everything(3)
        .send()
        .await?;
    // The service returns 200 even if partitions failed. This returns an error then.
    let partitions = deletion.into_result()?;
    println!("{} partitions: records deleted", partitions.len());

    for partition in client
        .list_partitions(gateway.instance_id(), "orders")
        .await?
    {
        println!(
            "{}: {} records left",
            partition.partition(),
            partition.records()
        );
    }
    Ok(())
}
