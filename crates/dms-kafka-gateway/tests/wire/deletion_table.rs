//! Kafka's rules for deleting records: a table for every backend.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Response, cases};

/// One topic and what happens to it; the file of cases explains each field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    topic: Option<String>,
    #[serde(default = "one")]
    pub(crate) partitions: u32,
    #[serde(default)]
    pub(crate) records: u64,
    pub(crate) cleanup_policy: Option<String>,
    #[serde(default = "yes")]
    pub(crate) create: bool,
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

/// A gateway, and direct access to the topics behind it.
pub(crate) trait TestedGateway {
    /// Sends a signed deletion with this body.
    async fn delete(&self, topic: &str, body: String) -> Response;

    /// Appends records to a partition, as a producer.
    async fn append(&self, topic: &str, partition: i32, records: u64);

    /// Log start offset and high watermark of a partition.
    async fn offsets(&self, topic: &str, partition: i32) -> (i64, i64);
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// The whole table.
pub(crate) fn table() -> Vec<Case> {
    let cases: Vec<Case> = cases("delete_records.toml");
    assert!(cases.len() >= 25, "the table has shrunk to {}", cases.len());
    for case in &cases {
        let named = case.create || case.topic.is_some();
        assert!(named, "{}: a topic needs a name", case.name);
    }
    cases
}

impl Case {
    /// The topic's fixed name, or `name`.
    pub(crate) fn topic_or<'a>(&'a self, name: &'a str) -> &'a str {
        self.topic.as_deref().unwrap_or(name)
    }

    pub(crate) async fn run(&self, topic: &str, gateway: &impl TestedGateway) {
        for (index, step) in self.step.iter().enumerate() {
            step.run(index, topic, &self.name, gateway).await;
        }
    }
}

impl Step {
    async fn run(&self, index: usize, topic: &str, case: &str, gateway: &impl TestedGateway) {
        if let Some((partition, records)) = self.append {
            gateway.append(topic, partition, records).await;
        }
        // Requests of the same second need different bodies: a signature with -1 is used once.
        let body = deletion_of(&self.rows) + &" ".repeat(index);
        let response = gateway.delete(topic, body).await;
        if let Some(code) = &self.refused {
            response.assert_refused(400, code);
        } else {
            assert_eq!(response.status, 200, "{case}: {response:?}");
            assert_eq!(response.body, self.expected(), "{case}");
        }
        for (partition, left) in (0..).zip(&self.left) {
            let offsets = gateway.offsets(topic, partition).await;
            assert_eq!(offsets, *left, "{case}: partition {partition}");
        }
    }

    fn expected(&self) -> Value {
        assert_eq!(self.rows.len(), self.codes.len(), "as many codes as rows");
        let rows: Vec<Value> = self.rows.iter().zip(&self.codes).map(row).collect();
        json!({"partitions": rows})
    }
}

/// The body of a request for these partitions and offsets.
pub(crate) fn deletion_of(rows: &[(i32, i64)]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(partition, offset)| json!({"partition": partition, "offset": offset}))
        .collect();
    json!({"partitions": rows}).to_string()
}

fn row(((partition, _), code): (&(i32, i64), &String)) -> Value {
    let result = if code == "0" { "success" } else { "fail" };
    json!({"partition": partition, "result": result, "error_code": code})
}
