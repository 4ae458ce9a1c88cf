//! Results and errors as values: made without a service, compared, written as JSON.

use std::collections::{BTreeSet, HashMap};

use dms_kafka::auth::{Credentials, Endpoint, ProviderError, ProxyUrl};
use dms_kafka::{
    Deletion, DeletionTarget, Error, ErrorKind, InstanceId, Offset, Outcome, PartitionId,
    PlanProblem, ProjectId, PurgeTarget, TopicName, test_util,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::{builder, chain, client_of, deleted, server};

const ALL: DeletionTarget = DeletionTarget::Everything;

fn before(offset: i64) -> DeletionTarget {
    DeletionTarget::before(offset).unwrap()
}

#[tokio::test]
async fn a_result_that_a_test_makes_equals_that_of_a_service() {
    let server = server(vec![deleted(&[0, 1])]).await;
    let client = builder(&server.uri()).build().unwrap();
    let request = client.delete_messages("instance", "orders");
    let real = request.before(0, 400).everything(1).send().await.unwrap();
    let made = test_util::deletion([(0, before(400), Ok(())), (1, ALL, Ok(()))]).unwrap();
    assert_eq!(made, real);
}

#[test]
fn equality_is_that_of_what_a_result_returns() {
    let made = |rows: &[(i32, DeletionTarget, Result<(), &str>)]| {
        test_util::deletion(rows.iter().copied()).unwrap()
    };
    let row = [(0, before(400), Ok(()))];
    assert_eq!(made(&row), made(&row).clone());
    for other in [
        vec![],
        vec![(1, before(400), Ok(()))],
        vec![(0, before(401), Ok(()))],
        vec![(0, ALL, Ok(()))],
        vec![(0, before(400), Err("1"))],
        vec![row[0], (1, ALL, Ok(()))],
    ] {
        assert_ne!(made(&row), made(&other), "{other:?}");
    }
    let failed = |code| made(&[(0, ALL, Err(code))]);
    assert_eq!(failed("7"), failed("7"));
    assert_ne!(failed("7"), failed("1"));
    let unexpected = |partition| {
        let item = json!({"partition": partition, "result": "success"});
        let body = json!({ "partitions": [item] }).to_string();
        test_util::response([(0, ALL)], 200, &body).unwrap()
    };
    assert_eq!(unexpected(7), unexpected(7));
    assert_ne!(unexpected(7), unexpected(8));
}

#[test]
fn errors_that_a_test_makes_are_those_of_a_service() {
    let rows = [(0, ALL)];
    let flow_control = r#"{"error_code":"DMS.10240407","error_msg":"slow down"}"#;
    let within_success = r#"{"error_code":"DMS.00400026","error_msg":"no"}"#;
    // status, body => kind, outcome, retryable
    for (status, body, kind, outcome, retryable) in [
        (429, "", ErrorKind::Throttled, Outcome::NotApplied, true),
        (
            404,
            flow_control,
            ErrorKind::Throttled,
            Outcome::NotApplied,
            true,
        ),
        (503, "", ErrorKind::Server, Outcome::Unknown, true),
        (500, "<html>", ErrorKind::Server, Outcome::Unknown, false),
        (
            401,
            "[]",
            ErrorKind::Unauthorized,
            Outcome::NotApplied,
            false,
        ),
        (200, "", ErrorKind::InvalidAnswer, Outcome::Unknown, false),
        (200, "[]", ErrorKind::InvalidAnswer, Outcome::Unknown, false),
        (
            200,
            within_success,
            ErrorKind::InvalidAnswer,
            Outcome::Unknown,
            false,
        ),
        (302, "", ErrorKind::InvalidAnswer, Outcome::Unknown, false),
    ] {
        let error = test_util::response(rows, status, body).unwrap_err();
        let shown = (error.kind(), error.outcome(), error.is_retryable());
        assert_eq!(shown, (kind, outcome, retryable), "{status} {body}");
        assert_eq!((error.status(), error.attempts()), (Some(status), 1));
    }
    for (status, partition) in [(99, 0), (1000, 0), (200, -1)] {
        let error = test_util::response([(partition, ALL)], status, "").unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{status} {partition}"
        );
        assert_eq!(error.attempts(), 0);
    }
    let partition_failed = test_util::deletion([(0, ALL, Ok(())), (1, ALL, Err("1"))]);
    let error = partition_failed
        .and_then(Deletion::into_result)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PartitionsFailed);
    assert_eq!(error.outcome(), Outcome::Partial);
    let problem = test_util::plan_error(PlanProblem::Expired).plan_problem();
    assert_eq!(problem, Some(PlanProblem::Expired));
}

#[tokio::test]
async fn a_plan_that_a_test_makes_has_losses_and_reaches_no_service() {
    let logs = [(1, 0..1000, 5000), (0, 100..1000, 400)];
    let partitions = || {
        let log = |(partition, records, before): (i32, _, i64)| {
            (
                test_util::partition_info(partition, records).unwrap(),
                before,
            )
        };
        logs.clone().map(log)
    };
    let groups: &[(&str, &[(i32, i64)])] = &[("billing", &[(0, 250)]), ("audit", &[(1, 1000)])];
    let plan = test_util::plan("orders", partitions(), Some(groups)).unwrap();
    let planned = plan
        .partitions()
        .iter()
        .map(|row| (row.partition().get(), row.records()));
    assert_eq!(planned.collect::<Vec<_>>(), [(0, 300), (1, 1000)]);
    assert_eq!(plan.losses().records(), Some(150));
    assert_eq!(plan.topic(), "orders");
    assert_eq!(plan, plan.clone());
    let without_groups = test_util::plan("orders", partitions(), None).unwrap();
    assert_eq!(without_groups.losses().records(), None);
    assert_ne!(plan, without_groups);
    let error = plan.delete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(test_util::plan("..", partitions(), None).is_err());
    for (partition, start, end) in [(-1, 0, 1), (0, -1, 1), (0, 2, 1)] {
        let error = test_util::partition_info(partition, start..end).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn the_result_of_a_purge_has_its_rows() {
    let row = |topic, row| PurgeTarget::new(topic, 0, before(1)).unwrap().with_row(row);
    let error = || test_util::error(ErrorKind::Timeout, Outcome::Unknown);
    let result = test_util::purge_result([row("orders", 7)], Err(error())).unwrap();
    assert_eq!((result.topic(), result.rows()), ("orders", &[7][..]));
    assert!(result.is_repeatable());
    assert_eq!(result.deletion().unwrap_err().attempts(), 1);
    for rows in [vec![], vec![row("orders", 1), row("bills", 2)]] {
        let error = test_util::purge_result(rows, Err(error())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

fn json_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn results_are_written_with_the_names_of_the_commands_json() {
    let deletion = test_util::deletion([(0, before(400), Ok(())), (1, ALL, Err("1"))]).unwrap();
    let partitions = json!([
        {"partition": 0, "offset": 400, "everything": false, "status": "deleted",
         "result": "success", "error_code": "0", "outcome": null},
        {"partition": 1, "offset": null, "everything": true, "status": "failed",
         "result": "failed", "error_code": "1", "outcome": "not_applied"},
    ]);
    let deleted =
        json!({"request_id": null, "attempts": 1, "partitions": partitions, "unexpected": []});
    assert_eq!(json_of(&deletion), deleted);
    let failed = json!({
        "kind": "partitions_failed", "code": null,
        "message": "1 of 2 partitions failed: partition 1 has code 1 (offset out of range)",
        "causes": [], "status": 200, "request_id": null, "outcome": "partial", "attempts": 1,
        "plan_problem": null, "encoded_authorization_message": null, "deletion": deleted,
    });
    assert_eq!(
        json_of(&deletion.clone().into_result().unwrap_err()),
        failed
    );
    let row = PurgeTarget::new("orders", 0, ALL).unwrap().with_row(3);
    let written =
        json!({"topic": "orders", "partition": 0, "offset": null, "everything": true, "row": 3});
    assert_eq!(json_of(&row), written);
    let result = test_util::purge_result([row], Ok(deletion)).unwrap();
    let written = json!({"topic": "orders", "rows": [3], "deletion": deleted, "error": null});
    assert_eq!(json_of(&result), written);
    let info = test_util::partition_info(2, 5..9).unwrap();
    let written = json!({"partition": 2, "start_offset": 5, "end_offset": 9, "records": 4});
    assert_eq!(json_of(&info), written);
    let plan = test_util::plan("orders", [(info, 7)], None).unwrap();
    assert_eq!(serde_json::to_string_pretty(&plan).unwrap(), plan.to_json());
    let problem = json_of(&test_util::plan_error(PlanProblem::LossesGrew));
    assert_eq!(problem["plan_problem"], "losses_grew");
}

#[test]
fn a_cause_is_written_once_and_without_secrets() {
    let error: Error = Credentials::new("access-key", "canary\n")
        .unwrap_err()
        .into();
    let written = json_of(&error);
    assert_eq!(written["causes"].as_array().unwrap().len(), 1);
    assert!(!written.to_string().contains("canary"), "{written}");
}

/// Each error that a function of this crate or of `auth` returns becomes an [`Error`] by `?`.
#[test]
fn errors_are_converted_by_the_question_mark() {
    fn result_of<E: Into<Error>>(error: E) -> Error {
        error.into()
    }
    for (error, kind) in [
        (
            result_of(TopicName::new("..").unwrap_err()),
            ErrorKind::InvalidInput,
        ),
        (
            result_of(Credentials::new("", "").unwrap_err()),
            ErrorKind::InvalidInput,
        ),
        (
            result_of(ProviderError::not_found("no key")),
            ErrorKind::Credentials,
        ),
        (
            result_of(ProviderError::unavailable("no network")),
            ErrorKind::Credentials,
        ),
        (
            result_of("ftp://x".parse::<Endpoint>().unwrap_err()),
            ErrorKind::InvalidInput,
        ),
        (
            result_of("ftp://x".parse::<ProxyUrl>().unwrap_err()),
            ErrorKind::InvalidInput,
        ),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(
            (error.attempts(), error.outcome()),
            (0, Outcome::NotApplied)
        );
        chain(&error);
    }
    let http = "http://example.com".parse::<Endpoint>().unwrap();
    let error = result_of(http.require_encryption().unwrap_err());
    assert!(error.is_plaintext_refused());
}

#[tokio::test]
async fn identifiers_and_numbers_are_accepted_with_their_types() {
    let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000);
    let gateway = gateway.start().await.unwrap();
    let instance = InstanceId::new(gateway.instance_id()).unwrap();
    let topic = TopicName::new("orders").unwrap();
    let numbers = BTreeSet::from([0, 2].map(|number| PartitionId::new(number).unwrap()));
    let offset = Offset::new(400).unwrap();
    let client = client_of(&gateway);
    let request = client
        .delete_messages(&instance, &topic)
        .before(PartitionId::new(1).unwrap(), offset);
    request
        .before(numbers.first().unwrap(), &offset)
        .send()
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let plan = client
        .plan_deletion(&instance, &topic)
        .partitions(&numbers)
        .before_offset(offset);
    assert_eq!(plan.resolve().await.unwrap().partitions().len(), 2);
    let target = DeletionTarget::before(offset).unwrap();
    assert_eq!(target, before(400));
    PurgeTarget::new(&topic, numbers.last().unwrap(), target).unwrap();
    let project = ProjectId::new(gateway.project_id()).unwrap();
    let builder = dms_kafka::Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(&project);
    let client = builder.credentials(gateway.credentials()).build().unwrap();
    assert_eq!(client.list_topics(instance).await.unwrap(), ["orders"]);
    // Compared with text, and found in maps by text.
    assert_eq!(topic, "orders");
    assert_eq!("orders", topic);
    assert_eq!(topic, "orders".to_owned());
    assert_ne!(topic, "Orders");
    let by_topic = HashMap::from([(topic, 1)]);
    assert_eq!(by_topic.get("orders"), Some(&1));
}
