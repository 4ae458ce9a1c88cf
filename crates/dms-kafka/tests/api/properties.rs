//! No response makes a failed or unreported partition count as deleted.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};

/// One item of a response. Its values are JSON, and fields can be repeated.
#[derive(Clone, Debug)]
struct Item {
    fields: Vec<(&'static str, String)>,
    /// An array of the values, which a decoder may accept as an object.
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

    fn values(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn may_be_about(&self, partition: i32) -> bool {
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

/// A valid response with some bytes changed, removed or inserted.
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

fn check<S: Strategy>(inputs: S, test: impl Fn(S::Value) -> TestCaseResult) {
    let config = Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config).run(&inputs, test).unwrap();
}

#[test]
fn a_partition_is_deleted_only_by_one_plain_success() {
    check(items(), |items| {
        let texts: Vec<String> = items.iter().map(Item::text).collect();
        let response = format!(r#"{{"partitions":[{}]}}"#, texts.join(","));
        for partition in targets::response(response.as_bytes()) {
            let about: Vec<&Item> = items
                .iter()
                .filter(|item| item.may_be_about(partition))
                .collect();
            prop_assert!(
                about.len() == 1 && about[0].is_a_plain_success(),
                "{response}"
            );
        }
        Ok(())
    });
}

/// The fuzz target compares the deleted partitions with the bytes.
#[test]
fn damaged_bytes_never_report_a_failed_partition_as_deleted() {
    check(mutated(), |bytes| {
        targets::response(&bytes);
        Ok(())
    });
}

#[test]
fn arbitrary_bytes_never_report_a_deletion() {
    check(prop::collection::vec(any::<u8>(), 0..200), |bytes| {
        prop_assert!(targets::response(&bytes).is_empty());
        Ok(())
    });
}

#[test]
fn a_response_that_is_not_utf_8_is_refused() {
    let response = b"{\"partitions\":[{\"partition\":0,\"result\":\"success\",\"note\":\"\xff\"}]}";
    assert!(targets::response(response).is_empty());
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(target);
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let seeds: Vec<_> = files.map(|file| fs::read(file.path()).unwrap()).collect();
    assert!(seeds.len() > 10);
    seeds
}

#[test]
fn the_fuzz_targets_accept_their_seeds() {
    for seed in seeds("response") {
        targets::response(&seed);
    }
    for seed in seeds("error") {
        targets::error(&seed);
    }
}
