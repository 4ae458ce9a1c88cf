//! Purges: grouping, limits and results.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{
    builder, client_of, client_without_retries, deleted, listen, ok, read_request, requests,
    server, until,
};
use dms_kafka::{CircuitBreaker, Client, DeletionTarget, ErrorKind, PurgeTarget};
use dms_kafka_gateway::Gateway;
use futures_util::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use wiremock::ResponseTemplate;

fn row(topic: &str, partition: i32, offset: i64) -> PurgeTarget {
    let target = DeletionTarget::before(offset).unwrap();
    PurgeTarget::new(topic, partition, target).unwrap()
}

#[test]
fn an_invalid_row_cannot_be_created() {
    let row = |topic, partition| PurgeTarget::new(topic, partition, DeletionTarget::Everything);
    assert!(row("orders", 0).is_ok());
    assert!(row("bad/topic", 0).is_err());
    assert!(row("orders", -1).is_err());
    assert!(DeletionTarget::before(-2).is_err());
}

#[tokio::test]
async fn an_invalid_instance_fails_each_request_before_it_is_sent() {
    let client = builder("http://127.0.0.1:1").build().unwrap();
    let mut results = client.purge("..").run([row("orders", 0, 1)]);
    let result = results.next().await.unwrap();
    let error = result.into_deletion().unwrap_err();
    assert!(error.is_invalid_id() && error.attempts() == 0, "{error}");
}

#[tokio::test]
async fn rows_are_grouped_by_topic_and_kind_up_to_the_limit() {
    // Topic, partition and offset of each row. `None` is everything.
    let cases = [
        (
            &[
                ("a", 0, Some(1)),
                ("b", 0, Some(1)),
                ("a", 1, Some(1)),
                ("a", 2, Some(1)),
            ][..],
            &[("a", &[0, 1][..]), ("b", &[0]), ("a", &[2])][..],
        ),
        (
            &[("a", 0, Some(1)), ("a", 1, None), ("a", 2, Some(1))],
            &[("a", &[0, 2]), ("a", &[1])],
        ),
        // A repeated partition.
        (
            &[("a", 0, Some(1)), ("a", 0, Some(2)), ("a", 1, Some(2))],
            &[("a", &[0]), ("a", &[0, 1])],
        ),
    ];
    let client = builder("http://127.0.0.1:1").build().unwrap();
    for (rows, expected) in cases {
        let targets = rows.iter().map(|&(topic, partition, offset)| {
            let everything = PurgeTarget::new(topic, partition, DeletionTarget::Everything);
            offset.map_or_else(
                || everything.unwrap(),
                |offset| row(topic, partition, offset),
            )
        });
        let purge = client.purge("instance").with_partitions_per_request(2);
        let requests = purge.requests(stream::iter(targets.collect::<Vec<_>>()));
        let requests: Vec<(String, Vec<i32>)> = requests
            .map(|request| {
                let partitions = request.targets().iter().map(|target| target.0.get());
                (request.topic().to_owned(), partitions.collect())
            })
            .collect()
            .await;
        let requests: Vec<(&str, &[i32])> = requests
            .iter()
            .map(|(topic, partitions)| (topic.as_str(), &partitions[..]))
            .collect();
        assert_eq!(requests, expected, "{rows:?}");
    }
}

#[tokio::test]
async fn one_failure_hides_no_other_result() {
    let gateway = Gateway::memory()
        .topic("orders", 25, 100)
        .topic("bills", 1, 100)
        .start()
        .await
        .unwrap();
    let client = client_of(&gateway);
    let mut rows: Vec<PurgeTarget> = (0..25)
        .map(|partition| row("orders", partition, 40))
        .collect();
    rows.extend([row("nowhere", 0, 1), row("bills", 0, 5000)]);
    let mut deleted = 0;
    let mut failures = BTreeMap::new();
    let mut results = client.purge(gateway.instance_id()).run(rows);
    while let Some(result) = results.next().await {
        let topic = result.topic().to_owned();
        match result.into_deletion() {
            Ok(deletion) => {
                deleted += deletion.partitions().len() - deletion.failures().count();
                if let Err(error) = deletion.into_result() {
                    failures.insert(topic, error.kind());
                }
            }
            Err(error) => _ = failures.insert(topic, error.kind()),
        }
    }
    assert_eq!(deleted, 25);
    let expected = [
        ("bills", ErrorKind::PartitionsFailed),
        ("nowhere", ErrorKind::BadRequest),
    ];
    assert_eq!(
        failures,
        BTreeMap::from(expected.map(|(topic, kind)| (topic.to_owned(), kind)))
    );
    let left = client
        .list_partitions(gateway.instance_id(), "orders")
        .await
        .unwrap();
    assert!(left.iter().all(|partition| partition.records() == 60));
}

/// Counts concurrent requests. The server responds to a request when there is a permit.
#[derive(Default)]
struct Gate {
    waiting: AtomicUsize,
    most: AtomicUsize,
}

async fn gated_server(gate: Arc<Gate>, permits: Arc<Semaphore>) -> Client {
    let serve = move |stream| response(stream, Arc::clone(&gate), Arc::clone(&permits));
    client_without_retries(&format!("http://{}", listen(serve).await))
}

async fn response(mut stream: TcpStream, gate: Arc<Gate>, permits: Arc<Semaphore>) -> Option<()> {
    loop {
        read_request(&mut stream).await?;
        let waiting = gate.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        gate.most.fetch_max(waiting, Ordering::SeqCst);
        permits.acquire().await.ok()?.forget();
        gate.waiting.fetch_sub(1, Ordering::SeqCst);
        let text = ok(r#"{"partitions":[]}"#);
        stream.write_all(text.as_bytes()).await.ok()?;
    }
}

#[tokio::test]
async fn concurrency_and_read_ahead_are_limited() {
    let (gate, permits) = (Arc::new(Gate::default()), Arc::new(Semaphore::new(0)));
    let client = gated_server(Arc::clone(&gate), Arc::clone(&permits)).await;
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let rows = (0..i32::MAX).map(move |partition| {
        counter.fetch_add(1, Ordering::SeqCst);
        row("orders", partition, 1)
    });
    let purge = client
        .purge("instance")
        .with_concurrency(3)
        .with_partitions_per_request(2);
    let mut results = purge.with_window(8).run(rows);
    let task = tokio::spawn(async move {
        for _ in 0..20 {
            let result = results.next().await.unwrap();
            assert_eq!(result.targets().len(), 2);
        }
    });
    until(|| gate.waiting.load(Ordering::SeqCst) == 3).await;
    assert_eq!(read.load(Ordering::SeqCst), 8);
    permits.add_permits(20);
    task.await.unwrap();
    assert_eq!(gate.most.load(Ordering::SeqCst), 3);
    assert!(read.load(Ordering::SeqCst) <= 48, "{read:?}");
}

#[tokio::test]
async fn results_are_returned_before_the_rows_end() {
    let (gate, permits) = (Arc::new(Gate::default()), Arc::new(Semaphore::new(100)));
    let client = gated_server(gate, permits).await;
    let rows = stream::iter([row("orders", 0, 1)]).chain(stream::pending());
    let mut results = client.purge("instance").run_stream(rows);
    let result = tokio::time::timeout(Duration::from_secs(20), results.next()).await;
    assert_eq!(result.unwrap().unwrap().topic(), "orders");
}

#[tokio::test]
async fn next_is_cancel_safe() {
    let (gate, permits) = (Arc::new(Gate::default()), Arc::new(Semaphore::new(0)));
    let client = gated_server(Arc::clone(&gate), Arc::clone(&permits)).await;
    let rows: Vec<PurgeTarget> = (0..12)
        .map(|partition| row("orders", partition, 1))
        .collect();
    let purge = client.purge("instance").with_partitions_per_request(1);
    let mut results = purge.run(rows);
    let mut partitions = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(1), results.next()).await {
            Ok(Some(result)) => partitions.push(result.targets()[0].0),
            Ok(None) => break,
            Err(_) => permits.add_permits(1),
        }
    }
    partitions.sort_unstable();
    assert_eq!(partitions, (0..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn requests_and_results_have_the_numbers_of_their_rows() {
    let gateway = Gateway::memory()
        .topic("orders", 4, 100)
        .start()
        .await
        .unwrap();
    let client = client_of(&gateway);
    let everything = PurgeTarget::new("orders", 3, DeletionTarget::Everything).unwrap();
    let rows = [
        row("orders", 0, 10).with_row(7),
        everything.with_row(8),
        row("orders", 1, 5000).with_row(9),
        row("orders", 2, 10).with_row(10),
    ];
    let mut requests = client
        .purge(gateway.instance_id())
        .requests(stream::iter(rows));
    let absolute = requests.next().await.unwrap();
    assert_eq!(
        (
            absolute.topic(),
            absolute.rows(),
            absolute.deletes_everything()
        ),
        ("orders", &[7, 9, 10][..], false)
    );
    let everything = requests.next().await.unwrap();
    assert_eq!(
        (everything.rows(), everything.deletes_everything()),
        (&[8][..], true)
    );
    assert!(requests.next().await.is_none());
    drop(everything);
    let result = absolute.send().await;
    assert_eq!(result.rows(), [7, 9, 10]);
    let failed: Vec<u64> = result
        .rows()
        .iter()
        .zip(result.deletion().unwrap().partitions())
        .filter(|(_, partition)| !partition.is_deleted())
        .map(|(row, _)| *row)
        .collect();
    assert_eq!(failed, [9]);
    assert_eq!(gateway.partition("orders", 3).unwrap().log_start_offset, 0);
}

/// The result of each row, in order of completion: whether it was deleted.
async fn guarded(
    responses: Vec<ResponseTemplate>,
    rows: Vec<PurgeTarget>,
    limit: Duration,
) -> (Vec<(u64, bool)>, usize) {
    let server = server(responses).await;
    let breaker = CircuitBreaker::new()
        .with_failures(3)
        .with_first_pause(Duration::from_millis(10))
        .with_limit(limit);
    let results = client_without_retries(&server.uri())
        .purge("instance")
        .with_concurrency(1)
        .with_partitions_per_request(1)
        .with_circuit_breaker(breaker)
        .run(rows);
    let results = results.map(|result| (result.rows()[0], result.deletion().is_ok()));
    let results = results.collect().await;
    (results, requests(&server).await.len())
}

#[tokio::test]
async fn a_circuit_breaker_sends_again_what_failed_while_the_service_was_down() {
    let down = || ResponseTemplate::new(503);
    let up = || deleted(&[0]);
    let before = |number| row(&format!("t{number}"), 0, 5).with_row(number);
    let everything = |number: u64| {
        PurgeTarget::new(format!("t{number}"), 0, DeletionTarget::Everything)
            .unwrap()
            .with_row(number)
    };
    let long = Duration::from_secs(3600);
    for (name, responses, rows, limit, expected, sent) in [
        (
            "two failures are results when the next request succeeds",
            vec![down(), down(), up()],
            vec![before(0), before(1), before(2)],
            long,
            vec![(0, false), (1, false), (2, true)],
            3,
        ),
        (
            "failures at the end are results",
            vec![up(), down()],
            vec![before(0), before(1)],
            long,
            vec![(0, true), (1, false)],
            2,
        ),
        (
            "three failures open it, and their requests are sent again",
            vec![down(), down(), down(), down(), up(), up(), up(), up()],
            vec![before(0), before(1), before(2), before(3)],
            long,
            vec![(0, true), (1, true), (2, true), (3, true)],
            8,
        ),
        (
            "a deletion of everything with unknown outcome is not sent again",
            vec![down(), down(), down(), up(), up()],
            vec![everything(0), before(1), everything(2), before(3)],
            long,
            vec![(0, false), (2, false), (3, true), (1, true)],
            5,
        ),
        (
            "it gives up without sending the rest",
            vec![down(), down(), down(), up()],
            vec![before(0), before(1), before(2), before(3)],
            Duration::ZERO,
            vec![(0, false), (1, false), (2, false)],
            3,
        ),
    ] {
        assert_eq!(
            guarded(responses, rows, limit).await,
            (expected, sent),
            "{name}"
        );
    }
}
