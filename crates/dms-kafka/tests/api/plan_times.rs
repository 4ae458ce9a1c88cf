//! Plans by time, of a service that finds offsets by time, and of one that does not.

use std::time::{Duration, SystemTime};

use crate::support::service::Service;
use crate::support::{chain, client_without_retries, requests};
use dms_kafka::{Error, ErrorKind, Plan, PlanDeletion, PlanProblem};
use serde_json::json;
use wiremock::MockServer;

fn at(milliseconds: i64) -> SystemTime {
    let epoch = SystemTime::UNIX_EPOCH;
    match u64::try_from(milliseconds) {
        Ok(after) => epoch + Duration::from_millis(after),
        Err(_) => epoch - Duration::from_millis(milliseconds.unsigned_abs()),
    }
}

async fn plan(server: &MockServer, time: i64, trust: bool) -> Result<Plan, Error> {
    let client = client_without_retries(&server.uri());
    let plan = client
        .plan_deletion("instance", "orders")
        .before_time(at(time));
    if trust { plan.trust_timestamps() } else { plan }
        .resolve()
        .await
}

fn cut(plan: &Plan) -> (i64, Option<SystemTime>) {
    let planned = &plan.partitions()[0];
    (planned.before().get(), planned.first_kept_time())
}

fn some(times: &[i64]) -> Vec<Option<i64>> {
    times.iter().copied().map(Some).collect()
}

/// Times of the records from offset 7 on, time of the plan, offset, and the time of the record there.
type Case<'a> = (&'a [Option<i64>], i64, i64, Option<i64>);

#[tokio::test]
async fn a_time_is_cut_at_the_first_record_that_is_not_older() {
    let fell = [Some(100), Some(500), None, Some(200), Some(300)];
    // Some producers send nanoseconds.
    let nanoseconds = [Some(100), Some(1_800_000_000_000_000_000), Some(200)];
    let cases: [Case<'_>; 11] = [
        (&nanoseconds, 300, 8, None),
        (&some(&[100, 200, 300]), 200, 8, Some(200)),
        (&some(&[100, 200, 300]), 201, 9, Some(300)),
        (&some(&[100, 200, 300]), 301, 10, None),
        (&some(&[100, 200, 300]), 100, 7, Some(100)),
        (&some(&[100, 200, 300]), 0, 7, None),
        (&some(&[100, 200, 300]), -5, 7, None),
        (&some(&[100, 200, 300]), i64::MAX / 1000, 10, None),
        (&some(&[]), 200, 7, None),
        (&fell, 300, 8, Some(500)),
        (&[None, None, Some(300)], 200, 9, Some(300)),
    ];
    for (times, time, offset, kept) in cases {
        for excludes_start_time in [false, true] {
            let mut service = Service::with_times(7, times);
            service.excludes_start_time = excludes_start_time;
            let plan = plan(&service.start().await, time, false).await.unwrap();
            assert_eq!(cut(&plan), (offset, kept.map(at)), "{times:?} {time}");
            assert!(plan.is_exact());
        }
    }
}

#[tokio::test]
async fn a_part_of_a_millisecond_deletes_no_record_of_that_millisecond() {
    let server = Service::with_times(0, &some(&[100, 200])).start().await;
    let client = client_without_retries(&server.uri());
    let time = at(200) + Duration::from_micros(999);
    let plan = client.plan_deletion("instance", "orders").before_time(time);
    assert_eq!(cut(&plan.resolve().await.unwrap()).0, 1);
}

/// Pages of 50 records.
#[tokio::test]
async fn all_pages_of_records_are_read() {
    for count in [49, 50, 51, 100, 149] {
        let times: Vec<_> = (0..200)
            .map(|offset| Some(if offset < 200 - count { 1 } else { 9 }))
            .collect();
        let server = Service::with_times(0, &times).start().await;
        assert_eq!(cut(&plan(&server, 5, false).await.unwrap()).0, 200 - count);
    }
}

#[tokio::test]
async fn a_list_of_records_that_may_be_incomplete_is_refused() {
    let message = |offset: i64, time: i64| json!({"topic": "orders", "partition": 0, "message_offset": offset, "timestamp": time});
    let many: Vec<_> = (0..50).map(|offset| message(offset, 9)).collect();
    let responses = [
        json!({"total": 2, "messages": [message(1, 9)]}),
        json!({"messages": [message(1, 9)]}),
        json!({"total": -1, "messages": []}),
        json!({"total": 5001, "messages": [message(1, 9)]}),
        json!({"total": i64::MAX, "messages": [message(1, 9)]}),
        json!({"total": 0, "messages": [message(1, 9)]}),
        json!({"total": 1, "messages": [message(1, 3)]}),
        json!({"total": 1, "messages": [message(-1, 9)]}),
        json!({"total": 1, "messages": [{"topic": "other", "partition": 0, "message_offset": 1, "timestamp": 9}]}),
        json!({"total": 1, "messages": [{"topic": "orders", "partition": 0, "message_offset": 1}]}),
        // The total of one page only.
        json!({"total": 50, "messages": many}),
    ];
    for response in responses {
        let server = Service::new(&[(0, 10)])
            .answer("messages", response.clone())
            .start()
            .await;
        let error = plan(&server, 5, false).await.unwrap_err();
        assert_eq!(
            error.plan_problem(),
            Some(PlanProblem::TimeNotExact),
            "{response}"
        );
        assert!(chain(&error).contains("list of records"), "{error}");
        assert!(!chain(&error).contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn without_the_operation_only_plans_by_time_fail() {
    for (status, kind) in [
        (404, ErrorKind::NotFound),
        (405, ErrorKind::BadRequest),
        (403, ErrorKind::Forbidden),
    ] {
        for trust in [false, true] {
            let server = Service::new(&[(0, 10)])
                .refuse("messages", status)
                .start()
                .await;
            let error = plan(&server, 5, trust).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains("before_time"), "{error}");
        }
    }
}

/// Too many records to list, so that the offset is searched.
#[tokio::test]
async fn trusted_timestamps_are_searched_and_the_plan_is_not_exact() {
    let rising: Vec<_> = (0..18_000)
        .map(|time| (time % 3 == 0).then_some(time + 1000))
        .collect();
    let server = Service::with_times(100, &rising).start().await;
    for (time, offset) in [(1, 100), (1003, 103), (1004, 106), (2500, 1600)] {
        let plan = plan(&server, time, true).await.unwrap();
        assert!(!plan.is_exact(), "{time}");
        let (found, kept) = cut(&plan);
        // Offsets without a record before the offset are the same.
        assert!(found <= offset && found > offset - 3, "{time}: {found}");
        assert!(kept.unwrap() >= at(time));
    }
    assert!(requests(&server).await.len() < 100);
    let refused = plan(&server, 1003, false).await.unwrap_err();
    assert_eq!(refused.plan_problem(), Some(PlanProblem::TimeNotExact));
}

#[tokio::test]
async fn an_answer_for_another_record_is_refused() {
    for (partition, offset) in [(1, 9), (0, 4)] {
        let message = json!({"topic": "orders", "partition": partition, "message_offset": offset, "timestamp": 9});
        let service = Service::new(&[(0, 10)]);
        let server = service
            .answer("messages", json!({"messages": [message]}))
            .start()
            .await;
        let error = plan(&server, 5, true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
    }
}

/// The vendor's service also returns the content of records.
#[tokio::test]
async fn no_error_shows_the_content_of_a_record() {
    let message = |time| json!({"topic": "orders", "partition": 0, "message_offset": 1, "timestamp": time, "key": "canary", "value": "canary"});
    for response in [
        json!({"total": 1, "messages": [message(json!("canary"))], "value": "canary"}),
        json!({"total": 1, "messages": [message(json!(9))], "error_code": "DMS.00400026", "error_msg": "wait"}),
        json!({"total": 2, "messages": [message(json!(9))]}),
    ] {
        for trust in [false, true] {
            let service = Service::new(&[(0, 10)]).answer("messages", response.clone());
            let server = service.start().await;
            let Err(error) = plan(&server, 5, trust).await else {
                continue;
            };
            let mut layer: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            while let Some(error) = layer {
                let body = error.downcast_ref::<Error>().and_then(Error::body);
                let shown = format!("{error} {error:?} {body:?}");
                assert!(!shown.contains("canary"), "{shown}");
                layer = error.source();
            }
        }
    }
}

/// Three partitions: one with gaps and a record without a time, one that is empty, one with records from the future.
fn recorded() -> Service {
    let mut service = Service::new(&[(7, 12), (5, 5), (0, 3)]);
    let gaps = [None, Some(100), Some(-1), Some(50), None];
    service.times = vec![gaps.to_vec(), vec![], some(&[i64::MAX / 1000, 4, 9])];
    service
}

/// Oldest record, newest record, and first record kept.
type Times = [Option<i64>; 3];

fn times(plan: &Plan) -> Vec<Times> {
    let milliseconds = |time: SystemTime| {
        let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(time.as_millis()).unwrap()
    };
    let partitions = plan.partitions().iter();
    let times = partitions.map(|planned| {
        let times = [
            planned.oldest_time(),
            planned.newest_time(),
            planned.first_kept_time(),
        ];
        times.map(|time| time.map(milliseconds))
    });
    times.collect()
}

/// Selectors, and the times of each partition.
type WithTimes = (fn(PlanDeletion) -> PlanDeletion, [Times; 3]);

#[tokio::test]
async fn record_times_are_read_only_if_they_are_asked_for() {
    let none = [None; 3];
    // Beyond the years that a time can have.
    let future = None;
    let cases: [WithTimes; 5] = [
        (
            |plan| plan.before_offset(0),
            [
                [Some(100), Some(50), Some(100)],
                none,
                [future, Some(9), future],
            ],
        ),
        (
            |plan| plan.before_offset(10),
            [
                [Some(100), Some(50), Some(50)],
                none,
                [future, Some(9), None],
            ],
        ),
        (
            |plan| plan.before_offset(9).partitions([0, 1]),
            [[Some(100), Some(50), None], none, none],
        ),
        (
            |plan| plan.keep_last(2),
            [
                [Some(100), Some(50), Some(50)],
                none,
                [future, Some(9), Some(4)],
            ],
        ),
        (
            |plan| plan.before_time(at(5)),
            [
                [Some(100), Some(50), Some(100)],
                none,
                [future, Some(9), future],
            ],
        ),
    ];
    for (selectors, expected) in cases {
        let server = recorded().start().await;
        let client = client_without_retries(&server.uri());
        let planned = selectors(client.plan_deletion("instance", "orders"));
        let plan = planned.clone().resolve().await.unwrap();
        assert!(times(&plan).iter().all(|times| times[..2] == none[..2]));
        assert!(!plan.to_json().contains("oldest_time"), "as before");
        let sent = requests(&server).await.len();
        let edges = |request: &wiremock::Request| request.url.path().ends_with("-message");
        assert!(!requests(&server).await.iter().any(edges));

        let plan = planned.with_record_times().resolve().await.unwrap();
        assert_eq!(times(&plan)[..], expected[..plan.partitions().len()]);
        let sent = requests(&server).await.len() - 2 * sent;
        assert!(sent <= 3 * 2, "{sent}: none for the empty partition");
        let stored = client.stored_plan("instance", &plan.to_json()).unwrap();
        assert_eq!(times(&stored), times(&plan));
        stored.check().await.unwrap();
    }
}

#[tokio::test]
async fn unknown_times_do_not_fail_a_plan_and_a_refused_operation_gets_few_requests() {
    const PARTITIONS: usize = 12;
    let service = || {
        let mut service = Service::new(&[(1, 4); PARTITIONS]);
        service.times = vec![some(&[10, 20, 30]); PARTITIONS];
        service
    };
    let all = [Some(10), Some(30), Some(20)];
    let operations = ["beginning-message", "end-message", "messages"];
    let mut cases = Vec::new();
    for (unknown, operation) in operations.into_iter().enumerate() {
        let mut expected = all;
        expected[unknown] = None;
        for status in [401, 403, 404, 429, 501] {
            cases.push((service().refuse(operation, status), expected));
        }
        for response in [
            json!({"topic": "other", "partition": 0, "offset": 1, "timestamp": 1, "messages": [{"topic": "other"}]}),
            json!({"topic": "orders", "partition": 99, "offset": 1, "timestamp": 1, "messages": [{"partition": 99}]}),
            json!({"topic": "orders", "offset": 0, "timestamp": 1, "messages": [{"topic": "orders", "partition": 0, "message_offset": 0, "timestamp": 1}]}),
            json!({"timestamp": "1", "messages": {}}),
            json!([]),
        ] {
            cases.push((service().answer(operation, response), expected));
        }
        // A response without a record, which is not an error.
        let nothing = json!({"messages": []});
        cases.push((service().answer(operation, nothing), expected));
    }
    for (service, expected) in cases {
        let described = format!("{:?} {:?}", service.refused, service.answered);
        let fails = !described.contains(r#"{"messages": Array []}"#);
        let server = service.start().await;
        let client = client_without_retries(&server.uri());
        let plan = client.plan_deletion("instance", "orders").before_offset(2);
        let plan = plan.with_record_times().resolve().await.unwrap();
        for times in times(&plan) {
            assert_eq!(times, expected, "{described}");
        }
        let sent = requests(&server).await.len();
        assert_eq!(sent < 2 * PARTITIONS + 10, fails, "{described}: {sent}");
    }
}

#[tokio::test]
async fn a_plan_waits_for_record_times_until_one_call_timeout_has_passed() {
    let mut service = recorded();
    service.delayed = Some("beginning-message");
    let server = service.start().await;
    let client = client_without_retries(&server.uri());
    let plan = client.plan_deletion("instance", "orders").before_offset(9);
    let plan = plan.with_record_times();
    let started = std::time::Instant::now();
    let plan = plan
        .with_call_timeout(Duration::from_secs(1))
        .resolve()
        .await;
    assert_eq!(times(&plan.unwrap()), [[None; 3]; 3]);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn of_many_partitions_those_with_the_largest_losses_have_times() {
    const PARTITIONS: usize = 130;
    let ends = (0..).take(PARTITIONS).map(|end| (0, end));
    let mut service = Service::new(&ends.collect::<Vec<_>>()).group("billing", &[(5, 1)]);
    let times_of = |records| vec![Some(7); records];
    service.times = (0..PARTITIONS).map(times_of).collect();
    let server = service.start().await;
    let client = client_without_retries(&server.uri());
    for (before, losing) in [(0, None), (20, Some(5))] {
        let plan = client.plan_deletion("instance", "orders");
        let plan = plan.before_offset(before).with_consumer_groups();
        let plan = plan.with_record_times().resolve().await.unwrap();
        let times = times(&plan);
        let known = (0..).zip(&times).filter(|(_, times)| times[0].is_some());
        let known: Vec<usize> = known.map(|(partition, _)| partition).collect();
        // Of equal losses, those with more records, 100 altogether.
        let first = if losing.is_some() { 31 } else { 30 };
        let expected = losing.into_iter().chain(first..PARTITIONS);
        assert_eq!(known, expected.collect::<Vec<_>>(), "{before}");
    }
}
