//! Timeouts and retries of single calls. The gateway in memory delays the first listing.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::time::Duration;

use dms_kafka::{Client, ErrorKind, RetryPolicy};
use dms_kafka_gateway::{FaultRule, Gateway};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let slow = FaultRule::delay(Duration::from_secs(5)).on_lists().times(1);
    let gateway = Gateway::memory().topic("orders", 3, 1000).faults(slow);
    let gateway = gateway.start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;
    let (instance, topic) = (gateway.instance_id(), "orders");

    // A read for a web page: half a second at most. A copy of the client shares its connections.
    let impatient = client.clone().with_call_timeout(Duration::from_millis(500));
    let late = impatient.list_partitions(instance, topic).await;
    assert!(late.is_err_and(|error| error.kind() == ErrorKind::Timeout));

    // A deletion in a nightly job: more attempts, and more time for all of them.
    let deletion = client
        .delete_messages(instance, topic)
        .before(0, 400)
        .with_retry(RetryPolicy::default().with_max_attempts(10))
        .with_call_timeout(Duration::from_secs(600))
        .send()
        .await?;
    println!("{deletion}");
    deletion.into_result()?;

    // A plan, and the deletion that executes it, have settings of their own, too.
    let plan = client.plan_deletion(instance, topic).keep_last(100);
    let plan = plan.with_attempt_timeout(Duration::from_secs(5));
    let plan = plan.resolve().await?.with_retry(RetryPolicy::never());
    plan.delete().await?.into_result()?;
    Ok(())
}
