//! Decides by the outcome of an error what to do next: `cargo run -p dms-kafka --example error_outcome`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use dms_kafka::{Client, Deletion, ErrorKind, Outcome, RetryPolicy};
use dms_kafka_gateway::{Faults, Gateway};

/// The response to the first deletion is lost, the second gets a 503, and in the third one partition fails.
const FAULTS: &str = r"
    rule = [
        { times = 1, fault = { reset = true, after_deleting = true } },
        { times = 1, fault = { status = 503 } },
        { times = 1, fault = { fail = [{ partition = 1, error_code = 7 }] } },
    ]
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::memory()
        .topic("orders", 2, 1000)
        .faults(Faults::from_toml(FAULTS)?);
    let gateway = gateway.start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        // So that this example sees the failures.
        .with_retry(RetryPolicy::never())
        .build()?;

    for _ in 0..4 {
        let deletion = client
            .delete_messages(gateway.instance_id(), "orders")
            .before(0, 400)
            .before(1, 400);
        let result = deletion.send().await.and_then(Deletion::into_result);
        let Err(error) = result else {
            println!("deleted");
            continue;
        };
        let advice = match error.outcome() {
            Outcome::NotApplied => "nothing was deleted: remove the cause and repeat it",
            Outcome::Partial => "repeat it for the partitions that failed",
            // Of a deletion of everything, list the partitions first: newer records may have been written since.
            _ => "records may have been deleted: a deletion before an offset can be repeated",
        };
        println!("{error}\n  {advice}");
        if error.kind() == ErrorKind::PartitionsFailed {
            for failed in error.deletion().into_iter().flat_map(Deletion::failures) {
                let meaning = failed.error_meaning().unwrap_or("unknown code");
                println!("  partition {}: {meaning}", failed.partition());
            }
        }
    }
    Ok(())
}
