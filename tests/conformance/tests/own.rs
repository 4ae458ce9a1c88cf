//! The suites over this project's own products, as part of `cargo test`.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::sync::Arc;

use dms_kafka_conformance::client::{self, Answer};
use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::coverage::{Coverage, Rows};
use dms_kafka_conformance::deviations::KnownDeviations;
use dms_kafka_conformance::faults::{self, Extent};
use dms_kafka_conformance::listen::Recorder;
use dms_kafka_conformance::report::{Judged, Report, Verdict};
use dms_kafka_conformance::server::{self, Server, Target};
use dms_kafka_conformance::source::{Source, Suite};
use dms_kafka_gateway::Gateway;
use huaweicloud_auth::Credentials;

fn client_cases() -> Vec<client::Case> {
    Source::default().read().unwrap()
}

fn server_cases() -> Vec<server::Case> {
    Source::default().read().unwrap()
}

fn failures(judged: Vec<Judged>) -> String {
    let failed = judged.into_iter().filter(Judged::is_failure);
    let lines = failed.map(|one| format!("{}: {}", one.name, one.verdict.remarks().join("; ")));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_client_case_passes() {
    let contract = Contract::read().unwrap();
    let judged = client::run_all(&contract, &client_cases(), None).await;
    assert_eq!(failures(judged), "");
}

#[tokio::test]
async fn every_server_case_passes_with_the_gateway_in_memory() {
    let gateway = Gateway::memory()
        .topic("orders", 3, 1000)
        .start()
        .await
        .unwrap();
    let contract = Contract::read().unwrap();
    let server = connect(&contract, &gateway, true).await;
    let judged = server.run_all(&server_cases()).await;
    let skipped = judged
        .iter()
        .filter(|one| matches!(one.verdict, Verdict::NotTestable { .. }));
    assert_eq!(skipped.count(), 0);
    assert_eq!(failures(judged), "");
}

#[tokio::test]
async fn without_destructive_nothing_is_deleted() {
    let gateway = Gateway::memory()
        .topic("orders", 3, 1000)
        .start()
        .await
        .unwrap();
    let contract = Contract::read().unwrap();
    let server = connect(&contract, &gateway, false).await;
    let judged = server.run_all(&server_cases()).await;
    for one in &judged {
        let skipped = matches!(one.verdict, Verdict::NotTestable { .. });
        let mut cases = server_cases().into_iter();
        let case = cases.find(|case| case.name == one.name).unwrap();
        assert_eq!(skipped, case.destructive, "{}", one.name);
    }
    assert_eq!(failures(judged), "");
    for partition in 0..3 {
        assert_eq!(
            gateway
                .partition("orders", partition)
                .unwrap()
                .log_start_offset,
            0
        );
    }
}

async fn connect<'a>(contract: &'a Contract, gateway: &Gateway, destructive: bool) -> Server<'a> {
    let target = Target {
        project_id: gateway.project_id().to_owned(),
        instance_id: gateway.instance_id().to_owned(),
        topic: "orders".to_owned(),
    };
    Server::connect(
        contract,
        gateway.endpoint(),
        &target,
        gateway.credentials(),
        destructive,
    )
    .await
    .unwrap()
}

#[test]
fn no_case_that_may_do_harm_is_left_unmarked() {
    assert_eq!(server::harmful(&server_cases()), Vec::<&str>::new());
}

#[test]
fn there_are_forty_malformed_bodies_that_do_no_harm() {
    let cases = server_cases();
    let bodies = cases
        .iter()
        .filter(|case| case.name.starts_with("body-") && !case.destructive);
    assert!(bodies.clone().count() >= 40, "{}", bodies.count());
}

/// Whatever the service answers, the key that it was given is not locked: more than five wrong signatures in a row do
/// that.
#[tokio::test]
async fn wrong_signatures_of_the_own_key_alternate_with_right_ones() {
    let credentials = Credentials::new("AccessKey", "SecretKey").unwrap();
    let contract = Arc::new(Contract::read().unwrap());
    let loopback = "127.0.0.1:0".parse().unwrap();
    let mut recorder = Recorder::start(loopback, contract.clone(), credentials.clone(), Vec::new())
        .await
        .unwrap();
    let target = Target {
        project_id: "p".to_owned(),
        instance_id: "i".to_owned(),
        topic: "orders".to_owned(),
    };
    let endpoint = format!("http://{}", recorder.address());
    let server = Server::connect(&contract, &endpoint, &target, credentials.clone(), true)
        .await
        .unwrap();
    server.run_all(&server_cases()).await;
    drop(server);

    let (mut in_a_row, mut most, mut wrong) = (0, 0, 0);
    while let Ok(Some(heard)) =
        tokio::time::timeout(std::time::Duration::from_millis(100), recorder.next()).await
    {
        let Some(request) = heard.request else {
            continue;
        };
        if request.authenticate(&credentials).is_ok() {
            in_a_row = 0;
        } else if names_key(&request.headers, "AccessKey") {
            in_a_row += 1;
            wrong += 1;
        }
        most = most.max(in_a_row);
    }
    assert!(
        wrong >= 10,
        "only {wrong} wrong signatures of the own key were sent"
    );
    assert!(most <= 3, "{most} in a row");
}

/// What a faulty service repeats must not get into a report that people pass on.
#[tokio::test]
async fn a_secret_that_the_service_repeats_is_not_reported() {
    let credentials = Credentials::new("AccessKey", "a-secret-that-is-repeated").unwrap();
    let contract = Arc::new(Contract::read().unwrap());
    let answer = Answer {
        status: 429,
        headers: [].into(),
        body: r#"{"error_msg":"your key is a-secret-that-is-repeated"}"#.to_owned(),
        breaks_contract: false,
    };
    let loopback = "127.0.0.1:0".parse().unwrap();
    let recorder = Recorder::start(
        loopback,
        contract.clone(),
        credentials.clone(),
        vec![answer],
    );
    let recorder = recorder.await.unwrap();
    let target = Target {
        project_id: "p".to_owned(),
        instance_id: "i".to_owned(),
        topic: "orders".to_owned(),
    };
    let endpoint = format!("http://{}", recorder.address());
    let server = Server::connect(&contract, &endpoint, &target, credentials, false);
    let judged = server.await.unwrap().run_all(&server_cases()).await;
    let report = Report::new("a service", judged).to_string();
    assert!(
        report.contains("the answer holds the secret key"),
        "{report}"
    );
    assert!(report.contains("<redacted>"), "{report}");
    assert!(!report.contains("a-secret-that-is-repeated"), "{report}");
}

fn names_key(headers: &http::HeaderMap, access_key: &str) -> bool {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    authorization.is_some_and(|value| value.contains(&format!("Access={access_key},")))
}

#[tokio::test]
async fn a_refused_key_is_not_tried_any_further() {
    let credentials = Credentials::new("AccessKey", "SecretKey").unwrap();
    let gateway = Gateway::memory()
        .topic("orders", 3, 1000)
        .start()
        .await
        .unwrap();
    let contract = Contract::read().unwrap();
    let target = Target {
        project_id: gateway.project_id().to_owned(),
        instance_id: gateway.instance_id().to_owned(),
        topic: "orders".to_owned(),
    };
    let error = Server::connect(&contract, gateway.endpoint(), &target, credentials, true)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("refuses the key"), "{error}");
}

/// A key may be locked while the suite runs.
#[tokio::test]
async fn nothing_more_is_sent_when_the_key_is_refused_on_the_way() {
    let credentials = Credentials::new("AccessKey", "SecretKey").unwrap();
    let contract = Arc::new(Contract::read().unwrap());
    let answer = |status, body: &str| Answer {
        status,
        headers: [].into(),
        body: body.to_owned(),
        breaks_contract: false,
    };
    let taken = answer(200, "{}");
    let answers = vec![taken.clone(), taken.clone(), taken, answer(401, "{}")];
    let loopback = "127.0.0.1:0".parse().unwrap();
    let recorder = Recorder::start(loopback, contract.clone(), credentials.clone(), answers);
    let mut recorder = recorder.await.unwrap();
    let target = Target {
        project_id: "p".to_owned(),
        instance_id: "i".to_owned(),
        topic: "orders".to_owned(),
    };
    let endpoint = format!("http://{}", recorder.address());
    let server = Server::connect(&contract, &endpoint, &target, credentials, true);
    let mut cases = server_cases();
    cases.retain(|case| case.name.starts_with("signature-"));
    let judged = server.await.unwrap().run_all(&cases).await;
    assert!(
        judged
            .iter()
            .any(|one| one.verdict.remarks().join("").contains("refuses the key"))
    );
    let last = judged.last().unwrap();
    assert!(
        matches!(last.verdict, Verdict::NotTestable { .. }),
        "{last:?}"
    );
    let mut requests = 0;
    let pause = std::time::Duration::from_millis(100);
    while let Ok(Some(_)) = tokio::time::timeout(pause, recorder.next()).await {
        requests += 1;
    }
    assert!(requests < 10, "{requests} requests");
}

#[tokio::test]
async fn an_instance_or_topic_that_cannot_be_is_told_at_once() {
    let gateway = Gateway::memory()
        .topic("orders", 1, 10)
        .start()
        .await
        .unwrap();
    let contract = Contract::read().unwrap();
    for (instance_id, topic, says) in [
        ("another", "orders", "DMS.00404022"),
        (gateway.instance_id(), "../orders", "topic"),
        ("..", "orders", "instance id"),
    ] {
        let target = Target {
            project_id: gateway.project_id().to_owned(),
            instance_id: instance_id.to_owned(),
            topic: topic.to_owned(),
        };
        let server = Server::connect(
            &contract,
            gateway.endpoint(),
            &target,
            gateway.credentials(),
            false,
        );
        let error = server.await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn every_row_of_the_page_has_a_case() {
    let contract = Contract::read().unwrap();
    let rows = Rows::read()
        .unwrap()
        .with_companions(contract.document())
        .unwrap();
    let coverage = Coverage::new(&rows, &client_cases(), &server_cases()).unwrap();
    assert_eq!(coverage.empty().collect::<Vec<_>>(), Vec::<&str>::new());
    let coverage = Coverage::new(&rows, &[], &[]).unwrap();
    assert_eq!(coverage.empty().count(), rows.iter().count());
}

#[test]
fn a_case_that_proves_no_row_is_refused() {
    let rows = Rows::read().unwrap();
    let mut cases = server_cases();
    cases.truncate(1);
    cases[0].proves = vec!["Table 3, offsets".to_owned()];
    let error = Coverage::new(&rows, &[], &cases).unwrap_err().to_string();
    assert!(
        error.contains(&cases[0].name) && error.contains("Table 3, offset;"),
        "{error}"
    );
}

#[test]
fn the_known_deviations_name_cases_that_exist() {
    let (client, server) = (client_cases(), server_cases());
    let client = client.iter().flat_map(|case| {
        let subjects = case.clients.iter();
        subjects.map(|subject| case.verdict_name(*subject))
    });
    let names: BTreeSet<String> = client
        .chain(server.iter().map(|case| case.name.clone()))
        .collect();
    KnownDeviations::embedded(&names.iter().map(String::as_str).collect()).unwrap();
}

/// Also that each case passes behind a proxy without a fault.
#[tokio::test(flavor = "multi_thread")]
async fn each_injected_fault_makes_its_case_fail() {
    let contract = Contract::read().unwrap();
    let (clients, servers) = (client_cases(), server_cases());
    let faults = faults::run(&contract, &clients, &servers, Extent::NamedCase).await;
    let faults = faults.unwrap();
    assert!(faults.all_caught(), "{faults}");
}

/// Of those that a proxy injects and those that are mutants.
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
