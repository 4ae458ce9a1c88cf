//! Spans and events of calls.

use std::time::Duration;

use crate::call_settings::{CALLS, Settings};
use crate::support::builder;
use crate::support::log::Log;
use crate::support::service::Service;
use dms_kafka::RetryPolicy;
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

fn subscriber(log: &Log, level: Level) -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

#[tokio::test]
async fn a_call_has_one_span_with_its_attempts_and_an_event_for_each_retry() {
    for (name, path, call) in CALLS {
        let service = Service::new(&[(0, 10)]).refuse(path, 503).start().await;
        let retry = RetryPolicy::default().with_base(Duration::ZERO);
        let client = builder(&service.uri()).with_retry(retry).build().unwrap();
        let log = Log::default();
        let guard = subscriber(&log, Level::DEBUG);
        call(client, Settings::default()).await.unwrap_err();
        drop(guard);
        let log = log.text();
        let lines = || log.lines().filter(|line| line.contains("dms_kafka::"));
        let closed = |span: &str| {
            let last_span = |line: &&str| {
                let (spans, _) = line.split_once(": dms_kafka::").unwrap();
                let at = spans.rfind("http_request{").map_or("call", |_| "attempt");
                line.contains(": close") && at == span
            };
            lines().filter(last_span).collect::<Vec<_>>()
        };
        // The plan is made by a call of its own.
        let calls = if name == "plan.delete" { 2 } else { 1 };
        assert_eq!(closed("call").len(), calls, "{name}: {log}");
        let failed = closed("call").pop().unwrap();
        for field in [
            "otel.name=",
            r#"dms.instance_id="instance""#,
            r#"error.type="server""#,
            "dms.attempts=3",
        ] {
            assert!(failed.contains(field), "{name}: {field} in {failed}");
        }
        let attempts = closed("attempt");
        assert!(attempts.len() >= 3, "{name}: {log}");
        assert!(
            lines().all(|line| line.contains(" dms_kafka_call{")),
            "{name}: {log}"
        );
        let retries: Vec<_> = lines().filter(|line| line.contains("retrying")).collect();
        assert_eq!(retries.len(), 2, "{name}: {log}");
        for field in [
            "INFO",
            "attempts=1",
            "pause_seconds=",
            r#"error.type="server""#,
            "http.response.status_code=503",
        ] {
            assert!(
                retries[0].contains(field),
                "{name}: {field} in {}",
                retries[0]
            );
        }
    }
}

#[tokio::test]
async fn without_spans_a_retry_event_names_the_operation() {
    let service = Service::new(&[]).refuse("delete", 503).start().await;
    let retry = RetryPolicy::default().with_base(Duration::ZERO);
    let client = builder(&service.uri()).with_retry(retry).build().unwrap();
    let log = Log::default();
    let guard = subscriber(&log, Level::INFO);
    crate::support::delete(&client).await.unwrap_err();
    drop(guard);
    let log = log.text();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(
        log.contains(r#"operation="DeleteKafkaTopicMessages""#),
        "{log}"
    );
}
