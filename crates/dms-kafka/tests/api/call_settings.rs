//! Timeouts and retries of a single call.

use std::time::Duration;

use crate::support::service::Service;
use crate::support::{builder, deleted, header, listen, requests, server};
use dms_kafka::{Client, DeletionTarget, Error, ErrorKind, PurgeTarget, RetryPolicy};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Changes the settings of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    attempts: Option<u32>,
    attempt_timeout: Option<Duration>,
    call_timeout: Option<Duration>,
}

macro_rules! with_settings {
    ($settings:expr, $call:expr) => {{
        let (settings, mut call): (Settings, _) = ($settings, $call);
        if let Some(attempts) = settings.attempts {
            let policy = RetryPolicy::default().with_max_attempts(attempts);
            call = call.with_retry(policy.with_base(Duration::ZERO));
        }
        if let Some(timeout) = settings.attempt_timeout {
            call = call.with_attempt_timeout(timeout);
        }
        if let Some(timeout) = settings.call_timeout {
            call = call.with_call_timeout(timeout);
        }
        call
    }};
}

pub(crate) type Call = fn(Client, Settings) -> BoxFuture<'static, Result<(), Error>>;

/// Every call, and the last part of the path that it requests.
pub(crate) const CALLS: [(&str, &str, Call); 6] = [
    ("delete_messages", "delete", |client, settings| {
        let call = client.delete_messages("instance", "orders").before(0, 1);
        let call = with_settings!(settings, call);
        async move { call.send().await.map(drop) }.boxed()
    }),
    ("purge", "delete", |client, settings| {
        let rows = [PurgeTarget::new("orders", 0, DeletionTarget::before(1).unwrap()).unwrap()];
        let mut results = with_settings!(settings, client.purge("instance")).run(rows);
        async move { results.next().await.unwrap().into_deletion().map(drop) }.boxed()
    }),
    ("resolve", "partitions", |client, settings| {
        let plan = client.plan_deletion("instance", "orders").up_to_end();
        let plan = with_settings!(settings, plan);
        async move { plan.resolve().await.map(drop) }.boxed()
    }),
    ("list_partitions", "partitions", |client, settings| {
        let client = with_settings!(settings, client);
        async move { client.list_partitions("instance", "orders").await.map(drop) }.boxed()
    }),
    ("list_topics", "topics", |client, settings| {
        let client = with_settings!(settings, client);
        async move { client.list_topics("instance").await.map(drop) }.boxed()
    }),
    ("plan.delete", "delete", |client, settings| {
        async move {
            let plan = client.plan_deletion("instance", "orders").up_to_end();
            let plan = with_settings!(settings, plan.resolve().await?);
            plan.delete().await.map(drop)
        }
        .boxed()
    }),
];

const SHORT: Duration = Duration::from_millis(30);

#[tokio::test]
async fn a_call_has_its_own_retry_policy() {
    for (name, path, call) in CALLS {
        for (of_client, of_call, expected) in [(3, Some(1), 1), (1, Some(3), 3), (2, None, 2)] {
            let service = Service::new(&[(0, 10)]).refuse(path, 503).start().await;
            let policy = RetryPolicy::default().with_max_attempts(of_client);
            let client = builder(&service.uri()).with_retry(policy.with_base(Duration::ZERO));
            let settings = Settings {
                attempts: of_call,
                ..Settings::default()
            };
            let error = call(client.build().unwrap(), settings).await.unwrap_err();
            assert_eq!(error.attempts(), expected, "{name}: {error}");
            let sent = requests(&service).await;
            let sent = sent
                .iter()
                .filter(|request| request.url.path().ends_with(path));
            assert_eq!(sent.count(), expected as usize, "{name}");
        }
    }
}

#[tokio::test]
async fn a_call_has_its_own_timeouts() {
    let silent = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let endpoint = format!("http://{}", silent.await);
    let attempt = Settings {
        attempt_timeout: Some(SHORT),
        attempts: Some(2),
        ..Settings::default()
    };
    let whole = Settings {
        call_timeout: Some(SHORT),
        ..Settings::default()
    };
    for (name, _, call) in &CALLS[..5] {
        for (settings, attempts) in [(attempt, 2), (whole, 1)] {
            let client = builder(&endpoint).build().unwrap();
            let error = call(client, settings).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
            assert_eq!(error.attempts(), attempts, "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn a_timeout_of_zero_sends_nothing() {
    let server = server(vec![deleted(&[0])]).await;
    for (name, _, call) in CALLS {
        for (attempt_timeout, call_timeout) in
            [(Some(Duration::ZERO), None), (None, Some(Duration::ZERO))]
        {
            let settings = Settings {
                attempt_timeout,
                call_timeout,
                ..Settings::default()
            };
            if name == "plan.delete" {
                continue;
            }
            let client = builder(&server.uri()).build().unwrap();
            let error = call(client, settings).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error}");
            assert_eq!(error.attempts(), 0, "{name}: {error}");
        }
    }
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn equal_deletions_of_everything_have_different_dates_whatever_their_settings() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri()).build().unwrap();
    let patient = client.clone().with_call_timeout(Duration::from_secs(20));
    for client in [&client, &patient, &client] {
        let call = client.delete_messages("instance", "orders").everything(0);
        let call = call.with_retry(RetryPolicy::never());
        call.send().await.unwrap().into_result().unwrap();
    }
    let sent = requests(&server).await;
    let mut dates: Vec<&str> = sent.iter().map(|sent| header(sent, "x-sdk-date")).collect();
    dates.dedup();
    assert_eq!(dates.len(), 3);
}

/// Compiles only if a program can spawn each call.
#[tokio::test]
async fn every_future_can_be_spawned() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let service = Service::new(&[(0, 10)]).start().await;
    let client = builder(&service.uri()).build().unwrap();
    let plan = client.plan_deletion("instance", "orders").up_to_end();
    let topics = plan.clone().resolve_topics(["orders"]);
    assert_eq!(assert_send(topics).await.unwrap().len(), 1);
    let plan = assert_send(plan.resolve()).await.unwrap();
    assert_send(plan.check()).await.unwrap();
    assert_send(client.credentials()).await.unwrap();
    assert_send(client.project_id()).await.unwrap();
}
