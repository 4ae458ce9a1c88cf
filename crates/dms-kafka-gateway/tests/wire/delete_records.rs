//! Kafka's rules for deleting records, one table for every backend.

use std::time::Duration;

use crate::support::{cases, delete};
use dms_kafka_gateway::{Gateway, PartitionOffsets};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    topic: Option<String>,
    #[serde(default = "one")]
    partitions: u32,
    #[serde(default)]
    records: u64,
    cleanup_policy: Option<String>,
    #[serde(default = "yes")]
    create: bool,
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    append: Option<(i32, u64)>,
    rows: Vec<(i32, i64)>,
    #[serde(default)]
    codes: Vec<String>,
    refused: Option<String>,
    #[serde(default)]
    left: Vec<(i64, i64)>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

#[tokio::test]
async fn the_memory_backend_deletes_by_kafkas_rules() {
    let cases: Vec<Case> = cases("delete_records.toml");
    assert!(cases.len() >= 25, "the table has shrunk to {}", cases.len());
    for case in cases {
        run(&case).await;
    }
}

async fn run(case: &Case) {
    let topic = case.topic.as_deref().unwrap_or("orders");
    let gateway = match (case.partitions, case.cleanup_policy.as_deref()) {
        (0, _) => Gateway::memory(),
        (partitions, Some("compact")) => {
            Gateway::memory().compacted_topic(topic, partitions, case.records)
        }
        (partitions, _) => Gateway::memory().topic(topic, partitions, case.records),
    };
    let gateway = gateway.start().await.expect("a gateway");
    assert!(
        case.create || case.topic.is_some(),
        "{}: a topic that is not created needs a name",
        case.name
    );
    for step in &case.step {
        run_step(&gateway, topic, &case.name, step).await;
    }
    tokio::time::timeout(Duration::from_secs(5), gateway.shutdown())
        .await
        .expect("a shutdown in time");
}

async fn run_step(gateway: &Gateway, topic: &str, case: &str, step: &Step) {
    if let Some((partition, records)) = step.append {
        gateway
            .append(topic, partition, records)
            .expect("the partition exists");
    }
    let answer = delete(gateway, topic, body(&step.rows)).await;
    if let Some(code) = &step.refused {
        answer.assert_refused(400, code);
    } else {
        assert_eq!(answer.status, 200, "{case}: {answer:?}");
        assert_eq!(answer.body, expected(step), "{case}");
    }
    for (partition, &(log_start_offset, high_watermark)) in (0..).zip(&step.left) {
        let left = gateway
            .partition(topic, partition)
            .expect("the partition exists");
        let PartitionOffsets {
            log_start_offset: start,
            high_watermark: end,
            ..
        } = left;
        assert_eq!(
            (start, end),
            (log_start_offset, high_watermark),
            "{case}: partition {partition}"
        );
    }
}

fn body(rows: &[(i32, i64)]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(partition, offset)| json!({"partition": partition, "offset": offset}))
        .collect();
    json!({"partitions": rows}).to_string()
}

fn expected(step: &Step) -> Value {
    assert_eq!(step.rows.len(), step.codes.len(), "as many codes as rows");
    let rows: Vec<Value> = step.rows.iter().zip(&step.codes).map(row).collect();
    json!({"partitions": rows})
}

fn row(((partition, _), code): (&(i32, i64), &String)) -> Value {
    let result = if code == "0" { "success" } else { "fail" };
    json!({"partition": partition, "result": result, "error_code": code})
}
