//! The suites that need no server from outside, as part of `cargo test`.

use dms_kafka_conformance::client::Subject;
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::{case, client};

#[test]
fn the_contracts_examples_hold_by_its_schemas() {
    let contract = Contract::read().unwrap();
    assert_eq!(contract.example_faults(), Vec::<String>::new());
}

#[test]
fn the_oracle_refuses_what_the_contract_does_not_allow() {
    let contract = Contract::read().unwrap();
    for body in [
        serde_json::json!([]),
        serde_json::json!({"partitions": [["0", 0, "success"]]}),
        serde_json::json!({"partitions": [{"partition": "0"}]}),
        serde_json::json!({"partitions": [{"partition": 0, "error_code": true}]}),
    ] {
        let faults = contract.faults("DeleteKafkaTopicMessagesResponse", &body);
        assert!(!faults.is_empty(), "{body} was accepted");
    }
}

#[tokio::test]
async fn every_client_case_passes() {
    let contract = Contract::read().unwrap();
    let cases = case::read_all().unwrap();
    assert!(cases.len() >= 10, "only {} cases were found", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        for subject in Subject::ALL {
            let faults = client::run(&contract, case, subject).await;
            if !faults.is_empty() {
                failed.push(format!("{} ({subject}): {}", case.name, faults.join("; ")));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
