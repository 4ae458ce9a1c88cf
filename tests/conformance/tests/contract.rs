//! The contract as an oracle: its examples, schemas and model.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dms_kafka_conformance::contract::Contract;
use serde_json::{Value, json};

#[test]
fn the_examples_of_the_contract_are_valid_by_its_schemas() {
    let contract = Contract::read().unwrap();
    assert_eq!(contract.example_faults(), Vec::<String>::new());
}

#[test]
fn the_oracle_refuses_what_the_contract_does_not_allow() {
    let contract = Contract::read().unwrap();
    for body in [
        json!([]),
        json!({"partitions": [["0", 0, "success"]]}),
        json!({"partitions": [{"partition": "0"}]}),
        json!({"partitions": [{"partition": 0, "error_code": true}]}),
    ] {
        let faults = contract.faults("DeleteKafkaTopicMessagesResponse", &body);
        assert!(!faults.is_empty(), "{body} was accepted");
    }
}

/// What openapiv3 reads and writes again is the document.
#[test]
fn the_model_loses_nothing_of_the_contract() {
    let mut written = Contract::tree().unwrap();
    let mut modelled = serde_json::to_value(Contract::read().unwrap().document()).unwrap();
    without_defaults(&mut written);
    without_defaults(&mut modelled);
    assert_eq!(written, modelled);
}

/// Removes fields that have their default values.
fn without_defaults(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| !is_default(name, value));
            fields.values_mut().for_each(without_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(without_defaults),
        _ => {}
    }
}

fn is_default(name: &str, value: &Value) -> bool {
    matches!(
        (name, value.as_str(), value.as_bool()),
        ("style", Some("simple" | "form"), _)
            | (
                "explode" | "required" | "deprecated" | "nullable" | "allowReserved",
                _,
                Some(false)
            )
    )
}
