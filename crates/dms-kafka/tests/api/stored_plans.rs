//! Plans that are written to JSON and executed later.

use std::time::{Duration, SystemTime};

use crate::support::service::{Service, deletions};
use crate::support::{builder, client_of, client_without_retries, requests};
use dms_kafka::{Client, Error, ErrorKind, Outcome, Plan, PlanDeletion, PlanProblem};
use dms_kafka_gateway::{CleanupPolicy, Gateway, TopicSettings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

async fn gateway() -> Gateway {
    let gateway = Gateway::memory().topic("orders", 2, 1000);
    let gateway = gateway.group("billing", "orders", [(0, 400), (1, 900)]);
    gateway.start().await.unwrap()
}

fn to_plan(client: &Client, gateway: &Gateway) -> PlanDeletion {
    client
        .plan_deletion(gateway.instance_id(), "orders")
        .before_offset(500)
        .with_consumer_groups()
}

async fn execute(client: &Client, instance_id: &str, json: &str) -> Result<(), Error> {
    let plan = client.stored_plan(instance_id, json)?;
    plan.delete().await?.into_result().map(drop)
}

fn starts(gateway: &Gateway) -> [i64; 2] {
    [0, 1].map(|partition| {
        gateway
            .partition("orders", partition)
            .unwrap()
            .log_start_offset
    })
}

#[tokio::test]
async fn a_stored_plan_is_executed_as_shown_and_can_be_repeated() {
    let gateway = gateway().await;
    let client = client_of(&gateway);
    let plan = to_plan(&client, &gateway).resolve().await.unwrap();
    let json = plan.to_json();
    let stored = client.stored_plan(gateway.instance_id(), &json).unwrap();
    assert_eq!(stored.partitions(), plan.partitions());
    assert_eq!(stored.losses(), plan.losses());
    assert_eq!(stored.to_json(), json);
    assert_eq!(stored.digest(), plan.digest());
    assert_eq!(stored.endpoint(), client.endpoint());
    assert_eq!(stored.project_id().as_str(), gateway.project_id());
    assert!(stored.created_at() <= SystemTime::now());
    assert!(stored.expires_at() > SystemTime::now() + Duration::from_secs(23 * 3600));
    // Producers, consumers and retention continue.
    gateway.append("orders", 0, 100).unwrap();
    gateway.commit("billing", "orders", 0, 450).unwrap();
    let retention = client.delete_messages(gateway.instance_id(), "orders");
    retention
        .before(0, 30)
        .send()
        .await
        .unwrap()
        .into_result()
        .unwrap();
    for _ in 0..2 {
        execute(&client, gateway.instance_id(), &json)
            .await
            .unwrap();
        assert_eq!(starts(&gateway), [500, 500]);
    }
}

type Change = fn(&Gateway);

fn recreate(gateway: &Gateway, partitions: u32, records: u64) {
    assert!(gateway.remove_topic("orders"));
    let topic = TopicSettings {
        name: "orders".to_owned(),
        partitions,
        records,
        cleanup_policy: CleanupPolicy::Delete,
    };
    gateway.put_topic(&topic).unwrap();
}

#[tokio::test]
async fn a_plan_is_refused_if_it_would_delete_something_else_than_it_shows() {
    use PlanProblem::{LossesGrew, OtherTopic, UnknownTopic};
    let cases: [(&str, Change, PlanProblem); 7] = [
        (
            "gone",
            |gateway| assert!(gateway.remove_topic("orders")),
            UnknownTopic,
        ),
        ("shorter", |gateway| recreate(gateway, 2, 999), OtherTopic),
        (
            "fewer partitions",
            |gateway| recreate(gateway, 1, 1000),
            OtherTopic,
        ),
        (
            "rewound",
            |gateway| gateway.commit("billing", "orders", 0, 399).unwrap(),
            LossesGrew,
        ),
        (
            "new group",
            |gateway| gateway.commit("new", "orders", 1, 499).unwrap(),
            LossesGrew,
        ),
        (
            "new group without a commit in a partition",
            |gateway| gateway.commit("new", "orders", 0, 1000).unwrap(),
            LossesGrew,
        ),
        (
            "rewound elsewhere",
            |gateway| gateway.commit("billing", "orders", 1, 0).unwrap(),
            LossesGrew,
        ),
    ];
    for (name, change, problem) in cases {
        let gateway = gateway().await;
        let client = client_of(&gateway);
        let json = to_plan(&client, &gateway)
            .resolve()
            .await
            .unwrap()
            .to_json();
        change(&gateway);
        let error = execute(&client, gateway.instance_id(), &json)
            .await
            .unwrap_err();
        assert_eq!(error.plan_problem(), Some(problem), "{name}: {error}");
        assert_eq!(error.outcome(), Outcome::NotApplied, "{name}");
        if gateway.partition("orders", 1).is_some() {
            assert_eq!(starts(&gateway), [0, 0], "{name}");
        }
    }
}

#[tokio::test]
async fn a_plan_is_refused_after_a_larger_deletion() {
    let gateway = gateway().await;
    let client = client_of(&gateway);
    let json = to_plan(&client, &gateway)
        .resolve()
        .await
        .unwrap()
        .to_json();
    let larger = client.delete_messages(gateway.instance_id(), "orders");
    larger
        .before(1, 501)
        .send()
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let error = execute(&client, gateway.instance_id(), &json)
        .await
        .unwrap_err();
    assert_eq!(error.plan_problem(), Some(PlanProblem::StartOffsetPassed));
    assert_eq!(starts(&gateway), [0, 501]);
}

#[tokio::test]
async fn a_group_that_loses_nothing_is_not_a_reason_to_refuse() {
    let gateway = gateway().await;
    let client = client_of(&gateway);
    let json = to_plan(&client, &gateway)
        .resolve()
        .await
        .unwrap()
        .to_json();
    for partition in 0..2 {
        gateway.commit("new", "orders", partition, 500).unwrap();
    }
    execute(&client, gateway.instance_id(), &json)
        .await
        .unwrap();
}

async fn plan_of(service: &Service) -> Plan {
    let server = service.clone().start().await;
    let client = client_without_retries(&server.uri());
    let plan = client.plan_deletion("instance", "orders").up_to_end();
    plan.with_consumer_groups().resolve().await.unwrap()
}

/// The JSON of a plan for another server, with the digest of a plan that `change` edits.
fn moved(plan: &Plan, endpoint: &str) -> String {
    let text = plan.to_json();
    let document: Value = serde_json::from_str(&text).unwrap();
    let planned = document["plan"]["endpoint"].as_str().unwrap();
    sealed(&text.replace(planned, endpoint.trim_end_matches('/')))
}

/// Replaces the digest by that of the edited plan, as somebody does who knows how it is made.
fn sealed(edited: &str) -> String {
    use sha2::{Digest, Sha256};
    let start = edited.find("\"plan\": ").unwrap() + "\"plan\": ".len();
    let plan = edited[start..edited.rfind('}').unwrap()].trim_end();
    let digest = Sha256::digest(plan.replace("\n  ", "\n"));
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digest: String = digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect();
    let document: Value = serde_json::from_str(edited).unwrap();
    edited.replace(document["digest"].as_str().unwrap(), &digest)
}

#[tokio::test]
async fn a_topic_that_was_created_again_with_as_many_records_is_another_topic() {
    let service = Service::new(&[(0, 10)]);
    let plan = plan_of(&service).await;
    for (created_at, problem) in [(7, None), (8, Some(PlanProblem::OtherTopic))] {
        let topics = json!({"total": 1, "topics": [{"name": "orders", "created_at": created_at}]});
        let server = service.clone().answer("topics", topics).start().await;
        let client = client_without_retries(&server.uri());
        let result = execute(&client, "instance", &moved(&plan, &server.uri())).await;
        assert_eq!(result.err().and_then(|error| error.plan_problem()), problem);
        assert_eq!(deletions(&server).await.is_empty(), problem.is_some());
    }
}

/// The service does not tell when the topic was created.
#[tokio::test]
async fn a_log_that_moved_back_is_that_of_another_topic() {
    let untold = |bounds| Service::new(&[bounds]).refuse("topics", 404);
    let plan = plan_of(&untold((5, 10))).await;
    for (now, problem) in [
        ((5, 10), None),
        ((9, 30), None),
        ((10, 30), None),
        ((11, 30), Some(PlanProblem::StartOffsetPassed)),
        ((5, 9), Some(PlanProblem::OtherTopic)),
        ((4, 10), Some(PlanProblem::OtherTopic)),
    ] {
        let server = untold(now).start().await;
        let client = client_without_retries(&server.uri());
        let result = execute(&client, "instance", &moved(&plan, &server.uri())).await;
        assert_eq!(
            result.err().and_then(|error| error.plan_problem()),
            problem,
            "{now:?}"
        );
        assert_eq!(deletions(&server).await.is_empty(), problem.is_some());
    }
}

#[tokio::test]
async fn a_partition_from_which_nothing_is_deleted_may_change() {
    let untold = |bounds| Service::new(&[(0, 10), bounds]).refuse("topics", 404);
    let server = untold((0, 5)).start().await;
    let client = client_without_retries(&server.uri());
    let plan = client.plan_deletion("instance", "orders").keep_last(5);
    let plan = plan.resolve().await.unwrap();
    let server = untold((3, 6)).start().await;
    let client = client_without_retries(&server.uri());
    execute(&client, "instance", &moved(&plan, &server.uri()))
        .await
        .unwrap();
    assert_eq!(deletions(&server).await, [[(0, 5)]]);
}

#[tokio::test]
async fn what_cannot_be_compared_any_more_is_an_error() {
    let service = Service::new(&[(0, 10)]).group("billing", &[(0, 10)]);
    let plan = plan_of(&service).await;
    for (operation, status) in [
        ("topics", 403),
        ("groups", 404),
        ("message-offset", 405),
        ("partitions", 500),
    ] {
        let server = service.clone().refuse(operation, status).start().await;
        let client = client_without_retries(&server.uri());
        let error = execute(&client, "instance", &moved(&plan, &server.uri()))
            .await
            .unwrap_err();
        assert_eq!(error.status(), Some(status), "{error}");
        assert_eq!(error.outcome(), Outcome::NotApplied);
        assert!(deletions(&server).await.is_empty());
    }
}

#[tokio::test]
async fn damaged_json_is_refused_or_means_the_same() {
    let service = Service::new(&[(0, 10), (5, 200)]).group("billing", &[(0, 3), (1, 100)]);
    let plan = plan_of(&service).await;
    let client = client_without_retries(plan.endpoint());
    let json = plan.to_json();
    let config = Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    };
    let edit = (0..json.len(), "[0-9 -~\\n]", 0..3_u8);
    let test = |(at, text, kind): (usize, String, u8)| {
        let mut edited = json.clone();
        match kind {
            0 => edited.replace_range(at..=at, &text),
            1 => edited.insert_str(at, &text),
            _ => _ = edited.remove(at),
        }
        if let Ok(read) = client.stored_plan("instance", &edited) {
            prop_assert_eq!(read.to_json(), json.as_str(), "{}", edited);
        }
        Ok(())
    };
    TestRunner::new(config).run(&edit, test).unwrap();
}

#[tokio::test]
async fn a_service_with_a_name_may_move_to_another_endpoint() {
    let named = async |name| {
        let service = Service::new(&[(0, 10), (0, 20)]).start().await;
        let client = builder(&service.uri()).service_name(name).build().unwrap();
        (service, client)
    };
    let (_planned, first) = named("kafka").await;
    let (second, moved) = named("kafka").await;
    let other = client_without_retries(&second.uri());
    let plan = first.plan_deletion("instance", "orders").up_to_end();
    let json = plan.resolve().await.unwrap().to_json();
    assert!(json.contains("\"endpoint\": \"kafka\""), "{json}");
    execute(&moved, "instance", &json).await.unwrap();
    assert_eq!(deletions(&second).await.len(), 1);
    let refused = execute(&other, "instance", &json).await.unwrap_err();
    assert_eq!(refused.plan_problem(), Some(PlanProblem::OtherService));
    assert_eq!(other.service_name(), other.endpoint());
}

#[tokio::test]
async fn a_plan_for_something_else_and_an_edited_plan_send_nothing() {
    use PlanProblem::{Edited, NotAPlan, OtherInstance, OtherService};
    let service = Service::new(&[(0, 10), (0, 20)]);
    let plan = plan_of(&service).await;
    let server = service.start().await;
    let here = moved(&plan, &server.uri());
    let client = client_without_retries(&server.uri());
    let other_project = builder(&server.uri()).project_id("other").build().unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(here.contains(from), "{here}");
        here.replacen(from, to, 1)
    };
    let cases = [
        (&client, "other", here.clone(), OtherInstance),
        (
            &client,
            "instance",
            moved(&plan, "http://127.0.0.1:1"),
            OtherService,
        ),
        (&other_project, "instance", here.clone(), OtherService),
        (
            &client,
            "instance",
            replaced("\"before\": 10", "\"before\": 9"),
            Edited,
        ),
        (
            &client,
            "instance",
            replaced("\"topic\": \"orders\"", "\"topic\": \"bills\""),
            Edited,
        ),
        (
            &client,
            "instance",
            replaced("\"known\": []", "\"unknown\": \"\""),
            Edited,
        ),
        (
            &client,
            "instance",
            sealed(&replaced("\"before\": 10", "\"before\": 11")),
            Edited,
        ),
        (
            &client,
            "instance",
            sealed(&replaced("\"records\": 10", "\"records\": 9")),
            Edited,
        ),
        (
            &client,
            "instance",
            sealed(&replaced("\"partition\": 1", "\"partition\": 0")),
            Edited,
        ),
        (
            &client,
            "instance",
            sealed(&replaced("\"before\": 10", "\"before\": -1")),
            NotAPlan,
        ),
        (
            &client,
            "instance",
            replaced("\"version\": 1", "\"version\": 2"),
            NotAPlan,
        ),
        (
            &client,
            "instance",
            replaced("\"plan\"", "\"plans\""),
            NotAPlan,
        ),
        (
            &client,
            "instance",
            replaced("\"start\": 0", "\"start\": 0, \"start\": 0"),
            NotAPlan,
        ),
        (
            &client,
            "instance",
            replaced("\"start\": 0", "\"note\": 0, \"start\": 0"),
            NotAPlan,
        ),
        (&client, "instance", here[1..].to_owned(), NotAPlan),
        (&client, "instance", String::new(), NotAPlan),
    ];
    for (client, instance_id, json, problem) in cases {
        let error = execute(client, instance_id, &json).await.unwrap_err();
        assert_eq!(error.plan_problem(), Some(problem), "{error}: {json}");
        assert_eq!(error.kind(), ErrorKind::Plan);
    }
    assert!(requests(&server).await.is_empty());
    // White space does not matter.
    let compact: Value = serde_json::from_str(&here).unwrap();
    execute(&client, "instance", &compact.to_string())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_expired_plan_sends_nothing() {
    let server = Service::new(&[(0, 10)]).start().await;
    let client = client_without_retries(&server.uri());
    let to_plan = || client.plan_deletion("instance", "orders").up_to_end();
    let plan = to_plan()
        .with_expiry(Duration::ZERO)
        .resolve()
        .await
        .unwrap();
    let sent = requests(&server).await.len();
    let stored = client.stored_plan("instance", &plan.to_json()).unwrap();
    for plan in [plan, stored] {
        let error = plan.delete().await.unwrap_err();
        assert_eq!(error.plan_problem(), Some(PlanProblem::Expired));
    }
    assert_eq!(requests(&server).await.len(), sent);
    let error = to_plan()
        .with_expiry(Duration::MAX)
        .resolve()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
