//! Plans: selectors, losses and errors.

use crate::support::service::{Service, deletions};
use crate::support::{chain, client_of, client_without_retries};
use dms_kafka::{Error, ErrorKind, Losses, Plan, PlanDeletion, PlanProblem};
use dms_kafka_gateway::Gateway;
use serde_json::{Value, json};
use wiremock::MockServer;

type Selectors = fn(PlanDeletion) -> PlanDeletion;

async fn plan(server: &MockServer, selectors: Selectors) -> Result<Plan, Error> {
    let client = client_without_retries(&server.uri());
    selectors(client.plan_deletion("instance", "orders"))
        .resolve()
        .await
}

fn cuts(plan: &Plan) -> Vec<(i32, i64)> {
    let partitions = plan.partitions().iter();
    partitions
        .map(|planned| (planned.partition().get(), planned.before().get()))
        .collect()
}

/// Partitions with 100 to 1,000, 0 to 50, and no records.
fn three() -> Service {
    Service::new(&[(100, 1000), (0, 50), (7, 7)])
        .group("billing", &[(0, 400), (1, 20), (2, 7)])
        .group("audit", &[(0, 300), (1, 50)])
        .group("slow", &[(0, 30), (1, 0), (2, 0)])
        .group("elsewhere", &[])
}

/// Name, selectors, and the offset before which each partition is deleted.
type Cut = (&'static str, Selectors, &'static [(i32, i64)]);

const CUTS: &[Cut] = &[
    (
        "to the end",
        |plan| plan.up_to_end(),
        &[(0, 1000), (1, 50), (2, 7)],
    ),
    (
        "before",
        |plan| plan.before_offset(200),
        &[(0, 200), (1, 50), (2, 7)],
    ),
    (
        "before the start",
        |plan| plan.before_offset(0),
        &[(0, 100), (1, 0), (2, 7)],
    ),
    (
        "before the last",
        |plan| plan.before_offset(i64::MAX),
        &[(0, 1000), (1, 50), (2, 7)],
    ),
    (
        "keep",
        |plan| plan.keep_last(40),
        &[(0, 960), (1, 10), (2, 7)],
    ),
    (
        "keep none",
        |plan| plan.keep_last(0),
        &[(0, 1000), (1, 50), (2, 7)],
    ),
    (
        "keep all",
        |plan| plan.keep_last(u64::MAX),
        &[(0, 100), (1, 0), (2, 7)],
    ),
    (
        "some",
        |plan| plan.partitions([1, 0, 1]).up_to_end(),
        &[(0, 1000), (1, 50)],
    ),
    (
        "consumed",
        |plan| plan.consumed_by(["billing"]),
        &[(0, 400), (1, 20), (2, 7)],
    ),
    (
        "by two",
        |plan| plan.consumed_by(["billing", "audit"]),
        &[(0, 300), (1, 20)],
    ),
    (
        "in two steps",
        |plan| plan.consumed_by(["billing"]).consumed_by(["audit"]),
        &[(0, 300), (1, 20)],
    ),
    (
        "below the start",
        |plan| plan.consumed_by(["slow"]),
        &[(0, 100), (1, 0), (2, 7)],
    ),
    (
        "by all",
        |plan| plan.consumed_by_all_groups(),
        &[(0, 100), (1, 0)],
    ),
    (
        "lowest",
        |plan| plan.consumed_by(["billing"]).keep_last(45),
        &[(0, 400), (1, 5), (2, 7)],
    ),
    (
        "lowest of all",
        |plan| plan.up_to_end().before_offset(500).keep_last(900),
        &[(0, 100), (1, 0), (2, 7)],
    ),
];

#[tokio::test]
async fn each_selector_deletes_exactly_what_it_describes() {
    for (name, selectors, expected) in CUTS {
        let server = three().start().await;
        let plan = plan(&server, *selectors).await.unwrap();
        assert_eq!(cuts(&plan), *expected, "{name}");
        assert_eq!(
            deletions(&server).await,
            [[]; 0],
            "{name}: resolving deletes nothing"
        );
        let deleted = plan
            .partitions()
            .iter()
            .filter(|planned| planned.records() > 0);
        let deleted: Vec<(i64, i64)> = deleted
            .map(|planned| (planned.partition().get().into(), planned.before().get()))
            .collect();
        let deletion = plan.delete().await.unwrap();
        assert_eq!(
            deletion.into_result().unwrap().len(),
            deleted.len(),
            "{name}"
        );
        // An empty plan sends nothing.
        let sent: Vec<_> = Some(deleted.clone())
            .into_iter()
            .filter(|sent| !sent.is_empty())
            .collect();
        assert_eq!(deletions(&server).await, sent, "{name}");
        let file: Value = serde_json::from_str(&Plan::offsets_file([&plan])).unwrap();
        let rows = deleted.iter().map(
            |(partition, offset)| json!({"topic": "orders", "partition": partition, "offset": offset}),
        );
        assert_eq!(
            file,
            json!({"version": 1, "partitions": rows.collect::<Vec<_>>()}),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_partition_without_a_commit_is_skipped_and_reported() {
    let server = three().start().await;
    let plan = plan(&server, |plan| plan.consumed_by(["audit", "billing"]))
        .await
        .unwrap();
    let skipped = &plan.skipped()[0];
    assert_eq!(
        (skipped.partition().get(), skipped.groups()),
        (2, &["audit".to_owned()][..])
    );
    assert_eq!(plan.records(), 220);
}

#[tokio::test]
async fn losses_are_the_unread_records_below_the_cut() {
    let server = three().start().await;
    let plan = plan(&server, |plan| {
        plan.before_offset(450).with_consumer_groups()
    })
    .await
    .unwrap();
    let groups = plan.losses().groups().unwrap();
    let losses = groups.iter().map(|loss| {
        let positions = loss.positions().iter();
        let positions = positions.map(|at| (at.partition().get(), at.unread(), at.lost()));
        let without_commit: Vec<i32> = loss.without_commit().iter().map(|id| id.get()).collect();
        (
            loss.group(),
            loss.records(),
            positions.collect::<Vec<_>>(),
            without_commit,
        )
    });
    assert_eq!(
        losses.collect::<Vec<_>>(),
        [
            ("audit", 150, vec![(0, 700, 150), (1, 0, 0)], vec![2]),
            (
                "billing",
                80,
                vec![(0, 600, 50), (1, 30, 30), (2, 0, 0)],
                vec![]
            ),
            (
                "slow",
                400,
                vec![(0, 900, 350), (1, 50, 50), (2, 0, 0)],
                vec![]
            ),
        ]
    );
    assert_eq!(plan.losses().records(), Some(630));
    assert_eq!(groups[0].state(), Some("EMPTY"));
}

#[tokio::test]
async fn losses_are_known_or_unknown_and_never_empty_by_default() {
    let with_groups: Selectors = |plan| plan.up_to_end().with_consumer_groups();
    let unreadable = json!({"total": 2, "groups": [{"group_id": "one"}, {"group_id": "one"}]});
    let cases: [(&str, Service, Selectors, &str); 7] = [
        (
            "not asked",
            three(),
            |plan| plan.up_to_end(),
            "with_consumer_groups",
        ),
        (
            "forbidden",
            three().refuse("groups", 403),
            with_groups,
            "cannot list the consumer groups",
        ),
        (
            "missing",
            three().refuse("groups", 404),
            with_groups,
            "cannot list the consumer groups",
        ),
        (
            "not allowed",
            three().refuse("groups", 405),
            with_groups,
            "cannot list the consumer groups",
        ),
        (
            "offsets missing",
            three().refuse("message-offset", 404),
            with_groups,
            "committed offsets",
        ),
        (
            "repeated",
            three().answer("groups", unreadable),
            with_groups,
            "repeated",
        ),
        ("no URL", three().group("..", &[]), with_groups, "URL"),
    ];
    for (name, service, selectors, reason) in cases {
        let server = service.start().await;
        let plan = plan(&server, selectors).await.unwrap();
        assert_eq!(plan.records(), 950, "{name}: the plan is made");
        assert_eq!(plan.losses().records(), None, "{name}");
        let Losses::Unknown(shown) = plan.losses() else {
            panic!("{name}: {:?}", plan.losses());
        };
        assert!(shown.contains(reason), "{name}: {shown}");
    }
    let server = Service::new(&[(0, 10)]).start().await;
    let plan = plan(&server, with_groups).await.unwrap();
    assert_eq!(plan.losses(), &Losses::Known(Vec::new()));
}

#[tokio::test]
async fn a_plan_that_cannot_be_made_is_one_clear_error() {
    use PlanProblem::{
        CommittedBeyondEnd, NoCommittedOffset, NoConsumerGroup, UnknownGroup, UnknownPartition,
    };
    let by_all: Selectors = |plan| plan.consumed_by_all_groups();
    let by_billing: Selectors = |plan| plan.consumed_by(["billing"]);
    let cases: [(Service, Selectors, PlanProblem, &str); 7] = [
        (
            three(),
            |plan| plan.partitions([0, 3]).up_to_end(),
            UnknownPartition,
            "no partition 3",
        ),
        (
            three(),
            |plan| plan.consumed_by(["biling"]),
            UnknownGroup,
            r#"did you mean "billing"?"#,
        ),
        (
            three(),
            |plan| plan.consumed_by(["xyz"]),
            UnknownGroup,
            r#""xyz" does not exist"#,
        ),
        (
            three(),
            |plan| plan.consumed_by(["elsewhere"]),
            NoCommittedOffset,
            r#""elsewhere""#,
        ),
        (
            three().group("ahead", &[(0, 1001)]),
            by_all,
            CommittedBeyondEnd,
            r#""ahead""#,
        ),
        (
            Service::new(&[(0, 9)]),
            by_all,
            NoConsumerGroup,
            "no consumer group",
        ),
        (
            Service::new(&[(0, 9)]).group("billing", &[(0, -1)]),
            by_billing,
            NoCommittedOffset,
            "billing",
        ),
    ];
    for (service, selectors, problem, text) in cases {
        let server = service.start().await;
        let error = plan(&server, selectors).await.unwrap_err();
        assert_eq!(error.plan_problem(), Some(problem), "{error}");
        assert_eq!(error.kind(), ErrorKind::Plan);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_topic_lists_similar_names() {
    for (service, problem) in [
        (three(), Some(PlanProblem::UnknownTopic)),
        (three().refuse("topics", 404), None),
    ] {
        let server = service.start().await;
        let client = client_without_retries(&server.uri());
        let plan = client.plan_deletion("instance", "order").up_to_end();
        let error = plan.resolve().await.unwrap_err();
        assert_eq!(error.plan_problem(), problem);
        if problem.is_some() {
            assert!(error.to_string().contains(r#""orders""#), "{error}");
        } else {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn groups_that_cannot_be_read_completely_fail_a_plan_that_needs_them() {
    let changed = json!({"total": 60, "groups": (0..50).map(|at| json!({"group_id": format!("group-{at}")})).collect::<Vec<_>>()});
    let cases = [
        (three().refuse("groups", 403), ErrorKind::Forbidden),
        (three().refuse("groups", 404), ErrorKind::NotFound),
        (three().refuse("groups", 405), ErrorKind::BadRequest),
        (three().refuse("message-offset", 403), ErrorKind::Forbidden),
        (three().refuse("message-offset", 404), ErrorKind::NotFound),
        (three().answer("groups", changed), ErrorKind::InvalidAnswer),
        (
            three().answer(
                "message-offset",
                json!({"total": 1, "group_message_offsets": []}),
            ),
            ErrorKind::InvalidAnswer,
        ),
    ];
    let needing: [Selectors; 2] = [
        |plan| plan.consumed_by(["billing"]),
        |plan| plan.consumed_by_all_groups().with_consumer_groups(),
    ];
    for (service, kind) in cases {
        for selectors in needing {
            let server = service.clone().start().await;
            let error = plan(&server, selectors).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(chain(&error).contains("consumer group"), "{error}");
        }
        // A plan that needs no group is made.
        let server = service.start().await;
        assert!(plan(&server, PlanDeletion::up_to_end).await.is_ok());
    }
}

#[tokio::test]
async fn invalid_input_sends_nothing() {
    let cases: [Selectors; 6] = [
        |plan| plan,
        |plan| plan.consumed_by(Vec::<String>::new()).up_to_end(),
        |plan| plan.partitions([0]),
        |plan| plan.partitions(Vec::<i32>::new()).up_to_end(),
        |plan| plan.partitions([-1]).up_to_end(),
        |plan| plan.before_offset(-1),
    ];
    let server = three().start().await;
    for selectors in cases {
        let error = plan(&server, selectors).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert!(crate::support::requests(&server).await.is_empty());
}

#[tokio::test]
async fn records_written_after_the_plan_are_kept() {
    let gateway = Gateway::memory()
        .topic("orders", 2, 10)
        .start()
        .await
        .unwrap();
    let client = client_of(&gateway);
    let plan = client
        .plan_deletion(gateway.instance_id(), "orders")
        .up_to_end()
        .resolve()
        .await
        .unwrap();
    gateway.append("orders", 1, 5).unwrap();
    for _ in 0..2 {
        plan.delete().await.unwrap().into_result().unwrap();
        let partitions = client
            .list_partitions(gateway.instance_id(), "orders")
            .await
            .unwrap();
        assert_eq!(partitions[1].records(), 5);
    }
}

#[tokio::test]
async fn several_topics_are_planned_and_purged() {
    let gateway = Gateway::memory()
        .topic("orders", 2, 100)
        .topic("bills", 12, 50);
    let gateway = gateway.start().await.unwrap();
    let client = client_of(&gateway);
    let to_plan = client
        .plan_deletion(gateway.instance_id(), "orders")
        .keep_last(40);
    let plans = to_plan
        .clone()
        .resolve_topics(["bills", "orders"])
        .await
        .unwrap();
    let records: Vec<_> = plans
        .iter()
        .map(|plan| (plan.topic().as_str(), plan.records()))
        .collect();
    assert_eq!(records, [("bills", 120), ("orders", 120)]);
    let file: Value = serde_json::from_str(&Plan::offsets_file(&plans)).unwrap();
    assert_eq!(file["partitions"].as_array().unwrap().len(), 14);
    let rows: Vec<_> = plans.iter().flat_map(Plan::targets).collect();
    let mut results = client.purge(gateway.instance_id()).run(rows);
    while let Some(result) = results.next().await {
        result.into_deletion().unwrap().into_result().unwrap();
    }
    for (topic, partitions, start) in [("orders", 2, 60), ("bills", 12, 10)] {
        for partition in 0..partitions {
            assert_eq!(
                gateway
                    .partition(topic, partition)
                    .unwrap()
                    .log_start_offset,
                start
            );
        }
    }
    let error = to_plan
        .resolve_topics(["orders", "nowhere"])
        .await
        .unwrap_err();
    assert_eq!(error.plan_problem(), Some(PlanProblem::UnknownTopic));
}

#[tokio::test]
async fn more_groups_than_a_page_and_unusual_names_are_read() {
    let gateway = Gateway::memory()
        .topic("orders", 1, 1000)
        .start()
        .await
        .unwrap();
    let client = client_of(&gateway);
    for count in [50, 51, 120] {
        let names = (0..count - 1).map(|at| format!("group {at}/%2F?\\ü"));
        for name in names.chain(["...".to_owned()]) {
            gateway.commit(&name, "orders", 0, 900).unwrap();
        }
        let plan = client
            .plan_deletion(gateway.instance_id(), "orders")
            .up_to_end();
        let plan = plan.with_consumer_groups().resolve().await.unwrap();
        assert_eq!(
            plan.losses().records(),
            Some(count * 100),
            "{:?}",
            plan.losses()
        );
    }
}
