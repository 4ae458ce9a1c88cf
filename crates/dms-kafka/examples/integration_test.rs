//! Tests code that deletes records against a gateway: `cargo test -p dms-kafka --example integration_test`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an example of tests"
)]

use dms_kafka::{Client, Error, Outcome};

/// The code under test: deletes what is older than the last 100 records of each partition.
async fn trim(client: &Client, instance_id: &str, topic: &str) -> Result<i64, Error> {
    let plan = client
        .plan_deletion(instance_id, topic)
        .keep_last(100)
        .resolve()
        .await?;
    if !plan.is_empty() {
        plan.delete().await?.into_result()?;
    }
    Ok(plan.records())
}

#[tokio::main]
async fn main() {
    println!("run it with cargo test");
    let client = Client::builder()
        .endpoint("http://127.0.0.1:1")
        .project_id("p");
    let client = client.credentials(dms_kafka::auth::Credentials::new("ak", "sk").unwrap());
    let error = trim(&client.build().unwrap(), "i", "orders")
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
}

#[cfg(test)]
mod tests {
    use dms_kafka_gateway::{Faults, Gateway};

    use super::*;

    /// A gateway on a free port, for one test, and a client for it.
    async fn service(faults: &str) -> (Gateway, Client) {
        let gateway = Gateway::memory().topic("orders", 2, 1000);
        let gateway = gateway.faults(Faults::from_toml(faults).unwrap());
        let gateway = gateway.start().await.unwrap();
        let client = Client::builder()
            .endpoint(gateway.endpoint())
            .project_id(gateway.project_id())
            .credentials(gateway.credentials());
        (gateway, client.build().unwrap())
    }

    #[tokio::test]
    async fn the_last_hundred_records_are_kept() {
        let (gateway, client) = service("").await;
        gateway.append("orders", 1, 50);
        assert_eq!(
            trim(&client, gateway.instance_id(), "orders")
                .await
                .unwrap(),
            1850
        );
        assert_eq!(
            gateway.partition("orders", 1).unwrap().log_start_offset,
            950
        );
        assert_eq!(
            trim(&client, gateway.instance_id(), "orders")
                .await
                .unwrap(),
            0
        );
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again() {
        let faults = "rule = [{ operation = 'delete', times = 1, fault = { status = 503 } }]";
        let (gateway, client) = service(faults).await;
        assert_eq!(
            trim(&client, gateway.instance_id(), "orders")
                .await
                .unwrap(),
            1800
        );
    }
}
