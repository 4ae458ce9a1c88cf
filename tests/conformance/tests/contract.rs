//! The contract as an oracle: its examples, its schemas, and what its model makes of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use dms_kafka_conformance::contract::Contract;
use serde_json::{Value, json};

#[test]
fn the_contracts_examples_hold_by_its_schemas() {
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

/// What openapiv3 makes of the contract is what stands in it: nothing is lost on the way to the oracle.
#[test]
fn the_contract_survives_the_round_trip_through_its_model() {
    let mut written = Contract::tree().unwrap();
    let mut modelled = serde_json::to_value(Contract::read().unwrap().document()).unwrap();
    without_defaults(&mut written);
    without_defaults(&mut modelled);
    assert_eq!(written, modelled);
}

/// Takes out what says no more than its absence.
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
