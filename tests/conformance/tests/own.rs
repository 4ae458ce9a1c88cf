//! The suites over this project's own clients and gateway.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;

use dms_kafka_conformance::cases::Cases;
use dms_kafka_conformance::client;
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::coverage::{Coverage, Rows};
use dms_kafka_conformance::deviations::KnownDeviations;
use dms_kafka_conformance::faults::{self, TOPIC};
use dms_kafka_conformance::report::{Judged, Verdict};
use dms_kafka_conformance::server::{self, Server, Target};
use dms_kafka_conformance::suite::Suite;
use dms_kafka_gateway::Config;
use huaweicloud_auth::Credentials;
use serde_json::Value;

fn cases() -> Cases {
    Cases::read(None).unwrap()
}

fn failures(judged: Vec<Judged>) -> String {
    let failed = judged.into_iter().filter(Judged::is_failure);
    let lines = failed.map(|one| format!("{}: {}", one.name, one.verdict.remarks().join("; ")));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_skipped(judged: &Judged) -> bool {
    matches!(judged.verdict, Verdict::NotTestable { .. })
}

#[tokio::test]
async fn every_client_case_passes() {
    let contract = Contract::read().unwrap();
    let judged = client::run_all(&contract, &cases().client, None).await;
    assert_eq!(failures(judged), "");
}

#[tokio::test]
async fn every_server_case_passes_with_the_gateway_in_memory() {
    let (gateway, target) = faults::memory_gateway().await.unwrap();
    let contract = Contract::read().unwrap();
    let (endpoint, credentials) = (gateway.endpoint(), gateway.credentials());
    let server = Server::connect(&contract, endpoint, &target, credentials, true);
    let server = server.await.unwrap().with_extensions(true);
    let judged = server.run_all(&cases().server).await;
    assert!(!judged.iter().any(is_skipped));
    assert_eq!(failures(judged), "");
}

/// The gateway records every deletion that it executes, and locks a key after the first wrong signature that follows another.
#[tokio::test]
async fn without_destructive_no_record_is_named_and_the_key_is_not_locked() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let config = format!(
        r#"
        listen = "127.0.0.1:0"
        audit.file = '{}'
        lock_out = {{ failures = 1, seconds = 300 }}
        access_key = [{{ access_key = "Key", secret_key = {{ env = "SK" }} }}]
        [[instance]]
        id = "Instance"
        project_id = "Project"
        memory.topics = [{{ name = "{TOPIC}", partitions = 3, records = 1000 }}]
        memory.groups = [{{ name = "audit", commits = [{{ topic = "{TOPIC}", partition = 0, offset = 250 }}] }}]
        "#,
        audit.display()
    );
    let config = Config::from_toml(&config).unwrap();
    let service = config.check(&|_| Some("secret-key".to_owned())).unwrap();
    let service = service.start().await.unwrap();
    let contract = Contract::read().unwrap();
    let target = Target::new("Project", "Instance", TOPIC);
    let connect = || {
        let credentials = Credentials::new("Key", "secret-key").unwrap();
        Server::connect(&contract, service.endpoint(), &target, credentials, false)
    };
    let server = connect().await.unwrap().with_extensions(true);
    let cases = cases().server;
    let judged = server.run_all(&cases).await;
    let unexpected = judged.iter().filter(|one| {
        let case = cases.iter().find(|case| case.name == one.name).unwrap();
        is_skipped(one) != case.traits.destructive
    });
    let unexpected: Vec<_> = unexpected.map(|one| &one.name).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(failures(judged), "");
    // It fails if the key is refused.
    connect().await.unwrap();

    let lines = fs::read_to_string(audit).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let rows = lines.flat_map(|line: Value| {
        // The topic may not exist.
        assert!(
            line["partitions"].is_array() || line["error"].is_string(),
            "{line}"
        );
        line["partitions"].as_array().cloned().unwrap_or_default()
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 1000, "{}", rows.len());
    for row in rows {
        let is_absent = row["partition"].as_i64() >= Some(2_147_483_000);
        // An intent has no code.
        let is_not_deleted = row["error_code"].is_null() || row["error_code"] == 3;
        assert!(
            is_absent && is_not_deleted && row["low_watermark"].is_null(),
            "{row}"
        );
    }
}

#[test]
fn every_case_that_may_delete_records_is_marked_as_destructive() {
    let cases = cases().server;
    assert_eq!(server::harmful(&cases).unwrap(), Vec::<&str>::new());
}

#[test]
fn every_row_of_the_page_has_a_case() {
    let rows = Rows::read(Contract::read().unwrap().document()).unwrap();
    let coverage = Coverage::new(&rows, &cases()).unwrap();
    assert_eq!(coverage.empty().collect::<Vec<_>>(), Vec::<&str>::new());
    let coverage = Coverage::new(&rows, &Cases::default()).unwrap();
    assert_eq!(coverage.empty().count(), rows.iter().count());
}

#[test]
fn a_case_that_proves_no_row_is_refused() {
    let rows = Rows::read(Contract::read().unwrap().document()).unwrap();
    let mut cases = cases();
    cases.server[0].proves = vec!["Table 3, offsets".to_owned()];
    let error = Coverage::new(&rows, &cases).unwrap_err().to_string();
    assert!(
        error.contains(&cases.server[0].name) && error.contains("Table 3, offset;"),
        "{error}"
    );
}

#[test]
fn the_known_deviations_name_cases_that_exist() {
    KnownDeviations::embedded(&cases().verdict_names()).unwrap();
}

/// Each rule has a fault that one of its cases must detect.
#[test]
fn every_rule_has_a_fault() {
    let cases = cases().server;
    let rules = cases.iter().map(server::ServerCase::rule);
    // Random requests may detect any fault.
    let rules: BTreeSet<_> = rules.filter(|rule| *rule != "model").collect();
    let faults = faults::faults().unwrap();
    let of_servers = faults.iter().filter(|fault| fault.side == Suite::Server);
    let caught: BTreeSet<_> = of_servers.map(|fault| &*fault.caught_by).collect();
    assert_eq!(caught, rules);
}

/// Those of the proxy and those that are mutants.
#[test]
fn fault_names_are_unique_within_a_side() {
    let mutants: toml::Table = toml::from_str(include_str!("../mutants.toml")).unwrap();
    let mutants = mutants["detected"].as_array().unwrap().iter();
    let mutants = mutants.map(|one| (Suite::Client, one["fault"].as_str().unwrap().to_owned()));
    let faults = faults::faults().unwrap().into_iter();
    let faults = faults.map(|fault| (fault.side, fault.name));
    let mut seen = BTreeSet::new();
    for fault in faults.chain(mutants) {
        assert!(seen.insert(fault.clone()), "{fault:?}");
    }
}
