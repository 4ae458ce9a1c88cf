//! Shows what a deletion would delete, and who has not read it, before it deletes anything:
//! `cargo run -p dms-kafka --example plan_with_losses`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use dms_kafka::{Client, Losses};
use dms_kafka_gateway::Gateway;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway =
        Gateway::memory()
            .topic("orders", 2, 1000)
            .group("billing", "orders", [(0, 700), (1, 950)]);
    let gateway = gateway.start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;

    // Other selectors are before_time, before_offset, consumed_by and up_to_end. Together, the lowest offset wins.
    let plan = client
        .plan_deletion(gateway.instance_id(), "orders")
        .keep_last(200)
        .with_consumer_groups()
        .resolve()
        .await?;
    for partition in plan.partitions() {
        let (number, records) = (partition.partition(), partition.records());
        println!(
            "partition {number}: {records} records before {}",
            partition.before()
        );
    }
    match plan.losses() {
        Losses::Known(groups) => {
            for group in groups {
                println!("{} loses {} unread records", group.group(), group.records());
            }
        }
        other => println!("losses: {other:?}"),
    }

    // A plan can be stored, approved and executed later: exactly as it was shown, or not at all.
    let stored = plan.to_json();
    let approved = plan.digest();
    let plan = client.stored_plan(gateway.instance_id(), &stored)?;
    assert_eq!(plan.digest(), approved);
    plan.delete().await?.into_result()?;
    Ok(())
}
