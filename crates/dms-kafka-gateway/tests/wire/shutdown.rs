//! Many requests at once while the gateway is asked to stop: nothing is lost, and nothing is said that is not so.

use std::{collections::HashMap, fs, io::ErrorKind, path::Path, sync::Arc, time::Duration};

use crate::support::{Answer, credentials, deletion, http, io_error, serve};
use dms_kafka_gateway::Service;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

const REQUESTS: i64 = 4_000;
const IN_FLIGHT: usize = 256;
const PARTITIONS: i64 = 16;
/// After so many answers the gateway is asked to stop.
const STOP_AFTER: usize = 2_000;

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    audit.file = "$FOLDER/audit.jsonl"
    access_key = [{ access_key = "AK", secret_key_env = "SK" }]
    instance = [
        { id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 16, records = 100000 }] },
    ]
"#;

/// What a client learnt about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Learnt {
    Deleted,
    Unauthorized,
    ShuttingDown,
    /// No connection could be made: the request was never sent.
    NotSent,
}

async fn send(http: &reqwest::Client, request: reqwest::Request) -> (Learnt, Option<String>) {
    let response = match http.execute(request).await {
        Ok(response) => response,
        Err(error)
            if error.is_connect() && io_error(&error) == Some(ErrorKind::ConnectionRefused) =>
        {
            return (Learnt::NotSent, None);
        }
        Err(error) => panic!("neither an answer nor a clean refusal: {error:?}"),
    };
    let answer = Answer::read(response).await;
    let learnt = match answer.status {
        200 => Learnt::Deleted,
        401 => Learnt::Unauthorized,
        503 => Learnt::ShuttingDown,
        _ => panic!("{answer:?}"),
    };
    (learnt, answer.header("x-request-id").map(str::to_owned))
}

/// Every fourth request is signed with a wrong key.
fn nth_request(service: &Service, n: i64) -> reqwest::Request {
    let body = format!(
        r#"{{"partitions":[{{"partition":{},"offset":{}}}]}}"#,
        n % PARTITIONS,
        1 + n / PARTITIONS
    );
    let secret_key = if n % 4 == 3 { "wrong" } else { "sk" };
    deletion(
        service,
        ["p", "i", "t"],
        &body,
        &credentials("AK", secret_key),
    )
}

/// Request ids of intents and of results, sorted.
fn read_audit_log(file: &Path) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(file).expect("an audit log");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let (mut intents, mut results) = (Vec::new(), Vec::new());
    for line in lines {
        let ids = if line["event"] == "intent" {
            &mut intents
        } else {
            &mut results
        };
        ids.push(line["request_id"].as_str().expect("an id").to_owned());
    }
    intents.sort();
    results.sort();
    (intents, results)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_gateway_stops_without_losing_an_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    let requests: Vec<_> = (0..REQUESTS).map(|n| nth_request(&service, n)).collect();
    let (http, stop) = (http(), Arc::new(tokio::sync::Notify::new()));
    let stopped = tokio::spawn({
        let stop = stop.clone();
        async move {
            stop.notified().await;
            service.shutdown().await;
        }
    });
    let mut answers = stream::iter(requests)
        .map(|request| send(&http, request))
        .buffer_unordered(IN_FLIGHT);
    let (mut counts, mut deleted): (HashMap<Learnt, usize>, Vec<String>) =
        (HashMap::new(), Vec::new());
    let mut answered = 0;
    while let Some((learnt, id)) = answers.next().await {
        *counts.entry(learnt).or_default() += 1;
        deleted.extend(id.filter(|_| learnt == Learnt::Deleted));
        answered += 1;
        if answered == STOP_AFTER {
            stop.notify_one();
        }
    }
    tokio::time::timeout(Duration::from_secs(30), stopped)
        .await
        .expect("a stop in time")
        .expect("a stop");

    assert!(
        counts.contains_key(&Learnt::Deleted) && counts.contains_key(&Learnt::Unauthorized),
        "{counts:?}"
    );
    assert!(
        counts.contains_key(&Learnt::ShuttingDown) || counts.contains_key(&Learnt::NotSent),
        "{counts:?}"
    );
    let (intents, results) = read_audit_log(&folder.path().join("audit.jsonl"));
    deleted.sort();
    assert_eq!(intents, results, "each intent has its result");
    assert_eq!(results, deleted, "the clients know of each result");
}
