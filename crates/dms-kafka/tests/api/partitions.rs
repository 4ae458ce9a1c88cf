//! Status and outcome of failed partitions.

use std::time::Duration;

use crate::support::{builder, server};
use dms_kafka::{Deletion, ErrorKind, Outcome, PartitionStatus, RetryPolicy};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

/// Deletes from partitions 0 and 1. The server sends the responses in order.
async fn delete(responses: Vec<ResponseTemplate>) -> Deletion {
    let server = server(responses).await;
    let at_once = RetryPolicy::default().with_base(Duration::ZERO);
    let client = builder(&server.uri()).with_retry(at_once).build().unwrap();
    let request = client.delete_messages("instance", "orders");
    request.before(0, 400).before(1, 500).send().await.unwrap()
}

/// Partition 0 is deleted, and `item` is the item of partition 1.
fn response(item: &Value) -> ResponseTemplate {
    let first = json!({"partition": 0, "result": "success", "error_code": "0"});
    let items: Vec<&Value> = [&first, item]
        .into_iter()
        .filter(|item| !item.is_null())
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({ "partitions": items }))
}

fn failed(code: &str) -> Value {
    json!({"partition": 1, "result": "fail", "error_code": code})
}

#[tokio::test]
async fn only_early_refusals_of_kafka_are_not_applied() {
    let contradiction = json!({"partition": 1, "result": "success", "error_code": "1"});
    let codeless = json!({"partition": 1, "result": "fail"});
    for (item, outcome) in [
        (failed("1"), Outcome::NotApplied),
        (failed("3"), Outcome::NotApplied),
        (failed("17"), Outcome::NotApplied),
        (failed("29"), Outcome::NotApplied),
        (failed("44"), Outcome::NotApplied),
        (failed("6"), Outcome::Unknown),
        (failed("7"), Outcome::Unknown),
        (failed("13"), Outcome::Unknown),
        (failed("56"), Outcome::Unknown),
        (failed("-1"), Outcome::Unknown),
        (failed("0"), Outcome::Unknown),
        (failed("01"), Outcome::Unknown),
        (failed("DMS.00400062"), Outcome::Unknown),
        (contradiction, Outcome::Unknown),
        (codeless, Outcome::Unknown),
    ] {
        let deletion = delete(vec![response(&item)]).await;
        let [good, bad] = deletion.partitions() else {
            unreachable!("two were requested");
        };
        assert!(good.is_deleted() && good.outcome().is_none(), "{item}");
        assert_eq!(bad.status(), PartitionStatus::Failed, "{item}");
        assert_eq!(bad.outcome(), Some(outcome), "{item}");
        let whole = match outcome {
            Outcome::NotApplied => Outcome::Partial,
            other => other,
        };
        let error = deletion.into_result().unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::PartitionsFailed, whole)
        );
        assert_eq!(error.deletion().unwrap().failures().count(), 1);
    }
}

#[tokio::test]
async fn the_outcome_of_an_unreported_partition_is_unknown() {
    let deletion = delete(vec![response(&Value::Null)]).await;
    let bad = &deletion.partitions()[1];
    assert_eq!(bad.status(), PartitionStatus::NotReported);
    assert_eq!(bad.outcome(), Some(Outcome::Unknown));
    let text = deletion.into_result().unwrap_err().to_string();
    assert!(text.contains("partition 1 was not reported"), "{text}");
}

#[tokio::test]
async fn a_refusal_after_an_unknown_attempt_is_unknown() {
    let responses = vec![ResponseTemplate::new(503), response(&failed("1"))];
    let deletion = delete(responses).await;
    assert_eq!(deletion.attempts(), 2);
    assert_eq!(deletion.partitions()[1].outcome(), Some(Outcome::Unknown));
}

#[tokio::test]
async fn each_failed_partition_is_listed_with_its_code() {
    let items = [(0, "1"), (1, "44")].map(
        |(partition, code)| json!({"partition": partition, "result": "fail", "error_code": code}),
    );
    let body = json!({ "partitions": items });
    let error = delete(vec![ResponseTemplate::new(200).set_body_json(body)])
        .await
        .into_result()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("partition 0 has code 1 (offset out of range)"),
        "{text}"
    );
    assert!(
        text.contains("partition 1 has code 44 (the topic is compacted only)"),
        "{text}"
    );
    assert_eq!(error.outcome(), Outcome::NotApplied);
}
