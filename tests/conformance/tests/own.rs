//! The suites over this project's own clients and gateway.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use dms_kafka_conformance::cases::Cases;
use dms_kafka_conformance::client;
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::coverage::{Coverage, Rows};
use dms_kafka_conformance::deviations::KnownDeviations;
use dms_kafka_conformance::faults::{self, Extent, TOPIC};
use dms_kafka_conformance::report::{Judged, Verdict};
use dms_kafka_conformance::server::{self, Server};
use dms_kafka_conformance::suite::Suite;
use dms_kafka_gateway::Gateway;

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

/// Judges a gateway in memory by all server cases.
async fn judge_gateway(destructive: bool) -> (Gateway, Vec<Judged>) {
    let (gateway, target) = faults::memory_gateway().await.unwrap();
    let contract = Contract::read().unwrap();
    let (endpoint, credentials) = (gateway.endpoint(), gateway.credentials());
    let server = Server::connect(&contract, endpoint, &target, credentials, destructive);
    let server = server.await.unwrap().with_extensions(true);
    let judged = server.run_all(&cases().server).await;
    (gateway, judged)
}

#[tokio::test]
async fn every_server_case_passes_with_the_gateway_in_memory() {
    let (_, judged) = judge_gateway(true).await;
    assert!(!judged.iter().any(is_skipped));
    assert_eq!(failures(judged), "");
}

#[tokio::test]
async fn without_destructive_nothing_is_deleted() {
    let (gateway, judged) = judge_gateway(false).await;
    let cases = cases().server;
    let unexpected = judged.iter().filter(|one| {
        let case = cases.iter().find(|case| case.name == one.name).unwrap();
        is_skipped(one) != case.traits.destructive
    });
    let unexpected: Vec<_> = unexpected.map(|one| &one.name).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(failures(judged), "");
    for partition in 0..3 {
        let partition = gateway.partition(TOPIC, partition).unwrap();
        assert_eq!(partition.log_start_offset, 0);
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

/// Also checks that each case passes behind a proxy without a fault.
#[tokio::test(flavor = "multi_thread")]
async fn each_injected_fault_makes_its_case_fail() {
    let contract = Contract::read().unwrap();
    let faults = faults::run(&contract, &cases(), Extent::NamedCase).await;
    let faults = faults.unwrap();
    assert!(faults.all_caught(), "{faults}");
}

/// Each rule has a fault that one of its cases must detect.
#[test]
fn every_rule_has_a_fault() {
    let cases = cases().server;
    let rules = cases.iter().map(server::ServerCase::rule);
    // Random requests may detect any fault.
    let rules: BTreeSet<_> = rules.filter(|rule| *rule != "model").collect();
    let faults = faults::all().unwrap();
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
    let faults = faults::all().unwrap().into_iter();
    let faults = faults.map(|fault| (fault.side, fault.name));
    let mut seen = BTreeSet::new();
    for fault in faults.chain(mutants) {
        assert!(seen.insert(fault.clone()), "{fault:?}");
    }
}
