//! Whatever bytes the service answers, a failed or unreported partition never looks deleted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use dms_kafka::{Client, RetryPolicy};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use support::Echo;

/// One item of an answer, field by field as text; a field may stand there several times.
#[derive(Clone, Debug)]
struct Item {
    fields: Vec<(&'static str, String)>,
    /// The values alone, in an array: what decoders of objects may take for one.
    as_array: bool,
}

impl Item {
    fn text(&self) -> String {
        if self.as_array {
            let values: Vec<&str> = self
                .fields
                .iter()
                .map(|(_, value)| value.as_str())
                .collect();
            return format!("[{}]", values.join(","));
        }
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name:?}:{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    /// The values of a field, in order.
    fn values(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn may_speak_of(&self, partition: i32) -> bool {
        self.values("partition")
            .contains(&partition.to_string().as_str())
    }

    fn is_a_plain_success(&self) -> bool {
        !self.as_array
            && self.values("partition").len() == 1
            && self.values("result") == [r#""success""#]
            && matches!(
                self.values("error_code")[..],
                [] | ["0" | r#""0""# | "null"]
            )
    }
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let partition = prop_oneof![8 => "[01]", 1 => "2|-1|null|\"0\"|0\\.0|4294967296"];
    let result =
        prop_oneof![6 => Just("\"success\"".to_owned()), 1 => "\"(fail|Success|)\"|null|true|0"];
    let code = prop_oneof![4 => "0|\"0\"|null", 1 => "1|7|-1|\"1\"|\"00\"|\"\"|0\\.0|\\[\\]|false"];
    let field = prop_oneof![
        partition.prop_map(|value| ("partition", value)),
        result.prop_map(|value| ("result", value)),
        code.prop_map(|value| ("error_code", value)),
        "[a-z]{1,8}".prop_map(|value| ("other", format!("{value:?}"))),
    ];
    let object = prop::collection::vec(field, 0..5).prop_map(|fields| Item {
        fields,
        as_array: false,
    });
    let array = (0..2).prop_map(|partition: i32| Item {
        fields: vec![
            ("error_code", "\"0\"".to_owned()),
            ("partition", partition.to_string()),
            ("result", "\"success\"".to_owned()),
        ],
        as_array: true,
    });
    prop::collection::vec(prop_oneof![9 => object, 1 => array], 0..4)
}

/// A valid answer with some of its bytes changed, removed or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let valid = br#"{"partitions":[{"partition":0,"result":"success","error_code":"0"},{"partition":1,"result":"fail","error_code":"1"}]}"#;
    let edit = (
        0..valid.len(),
        prop_oneof![any::<u8>(), prop::sample::select(b"[]{},:\"01 ".to_vec())],
        0..3,
    );
    prop::collection::vec(edit, 0..4).prop_map(move |edits| {
        let mut bytes = valid.to_vec();
        for (at, byte, kind) in edits {
            let at = at.min(bytes.len() - 1);
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => _ = bytes.remove(at),
            }
        }
        bytes
    })
}

/// The partitions that an answer certainly reports as deleted, read without any type of the client.
fn certainly_deleted(bytes: &[u8]) -> Vec<i64> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(bytes) else {
        return Vec::new();
    };
    let Some(items) = answer.get("partitions").and_then(Value::as_array) else {
        return Vec::new();
    };
    let success = |item: &&Value| {
        let code = &item["error_code"];
        item["result"] == "success" && (code.is_null() || *code == "0" || *code == 0)
    };
    let partition = |item: &Value| item["partition"].as_i64();
    items.iter().filter(success).filter_map(partition).collect()
}

struct Setup {
    runtime: tokio::runtime::Runtime,
    server: Echo,
    client: Client,
}

impl Setup {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Echo::start());
        let client = support::builder(&server.endpoint)
            .with_retry(RetryPolicy::never())
            .build()
            .unwrap();
        Self {
            runtime,
            server,
            client,
        }
    }

    /// Which of the partitions 0 and 1 look deleted after this answer.
    fn deleted(&self, answer: &[u8]) -> Vec<i32> {
        self.server.answer(answer.to_vec());
        let request = self.client.delete_messages("instance", "orders");
        let result = self
            .runtime
            .block_on(request.before(0, 400).before(1, 500).send());
        let Ok(deletion) = result else {
            return Vec::new();
        };
        let deleted = deletion.partitions().iter().filter(|row| row.is_deleted());
        let deleted: Vec<i32> = deleted.map(|row| row.partition().get()).collect();
        if deletion.into_result().is_ok() {
            assert_eq!(deleted, [0, 1]);
        }
        deleted
    }
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn only_one_plain_success_makes_a_partition_deleted() {
    let setup = Setup::new();
    runner()
        .run(&items(), |items| {
            let texts: Vec<String> = items.iter().map(Item::text).collect();
            let answer = format!(r#"{{"partitions":[{}]}}"#, texts.join(","));
            for partition in setup.deleted(answer.as_bytes()) {
                let about: Vec<&Item> = items
                    .iter()
                    .filter(|item| item.may_speak_of(partition))
                    .collect();
                prop_assert!(
                    about.len() == 1 && about[0].is_a_plain_success(),
                    "{answer}"
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn damaged_bytes_never_make_a_failed_partition_deleted() {
    let setup = Setup::new();
    runner()
        .run(&mutated(), |bytes| {
            let allowed = certainly_deleted(&bytes);
            for partition in setup.deleted(&bytes) {
                prop_assert!(
                    allowed.contains(&i64::from(partition)),
                    "{}",
                    String::from_utf8_lossy(&bytes)
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn arbitrary_bytes_never_look_deleted() {
    let setup = Setup::new();
    runner()
        .run(&prop::collection::vec(any::<u8>(), 0..200), |bytes| {
            prop_assert!(setup.deleted(&bytes).is_empty());
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_answer_that_is_no_text_is_not_trusted() {
    let answer = b"{\"partitions\":[{\"partition\":0,\"result\":\"success\",\"note\":\"\xff\"}]}";
    assert!(Setup::new().deleted(answer).is_empty());
}
