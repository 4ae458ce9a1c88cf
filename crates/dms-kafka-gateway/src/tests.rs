//! Tests with a backend that they control.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::poll;
use tokio::sync::Notify;

use crate::{
    audit::AuditContext,
    backend::{
        Backend, BackendError, BackendFuture, DeletedRecords, Page, PartitionOffsets, TopicDeletion,
    },
    body_memory::HeldMemory,
    config::Config,
    deletion::Deletion,
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
    names::TopicPath,
    service::CheckedConfig,
};

/// Deletes on command; every other call fails.
#[derive(Debug, Default)]
pub(crate) struct TestBackend {
    /// Lets one deletion go on.
    pub(crate) proceed: Notify,
    pub(crate) done: AtomicUsize,
    pub(crate) asked: AtomicUsize,
}

impl Backend for TestBackend {
    fn delete<'a>(&'a self, deletion: TopicDeletion<'a>) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(async move {
            self.proceed.notified().await;
            self.done.fetch_add(1, Ordering::SeqCst);
            let deleted = |row: &RecordsToDelete| DeletedRecords {
                partition: row.partition,
                outcome: Ok(0),
                records: None,
            };
            Ok(deletion.rows.iter().map(deleted).collect())
        })
    }

    fn partitions<'a>(
        &'a self,
        _topic: &'a str,
        _page: Range<usize>,
        _deadline: Instant,
    ) -> BackendFuture<'a, Page<PartitionOffsets>> {
        Box::pin(async { Err(BackendError::Unavailable("it is down".to_owned())) })
    }

    fn ready(&self, _deadline: Instant) -> BackendFuture<'_, ()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(BackendError::Unavailable("it is down".to_owned())) })
    }
}

/// A gateway without authentication, with instance `cluster-1` of project `p`.
fn checked(backend: Arc<dyn Backend>) -> CheckedConfig {
    let config = r#"
        listen = "127.0.0.1:0"
        anonymous = true
        instance = [{ id = "cluster-1", project_id = "p" }]
    "#;
    let config = Config::from_toml(config).expect("a configuration");
    let checked = config.check_with_backends(vec![backend], &|_| None);
    checked.expect("a valid configuration")
}

#[tokio::test]
async fn an_unavailable_cluster() {
    let service = checked(Arc::new(TestBackend::default()))
        .start()
        .await
        .expect("a service");
    for (path, nothing_deleted) in [
        ("/readyz", false),
        (
            "/v2/p/kafka/instances/cluster-1/topics/orders/partitions",
            true,
        ),
    ] {
        let url = format!("{}{path}", service.endpoint());
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let response = http.get(url).send().await.expect("a response");
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(response.headers()["retry-after"], "5", "{path}");
        let outcome = &response.headers()["x-dms-kafka-outcome"];
        assert_eq!(outcome, "not-applied", "{path}");
        let body = response.text().await.expect("a body");
        assert!(
            body.contains("DMS.111501025") && !body.contains("it is down"),
            "{body}"
        );
        assert_eq!(
            body.contains("nothing was deleted"),
            nothing_deleted,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_deletion_goes_on_when_its_client_closes_the_connection() {
    let backend = Arc::new(TestBackend::default());
    let app = Arc::new(checked(backend.clone()).app);
    let deletion = Deletion {
        context: AuditContext {
            request_id: String::new(),
            caller: String::new(),
            client: None,
            path: TopicPath {
                project_id: "p".to_owned(),
                instance_id: "cluster-1".to_owned(),
                topic: "orders".to_owned(),
            },
        },
        backend: backend.clone(),
        rows: vec![RecordsToDelete {
            partition: PartitionId::new(0).expect("a partition"),
            target: DeletionTarget::Everything,
        }],
        deletes_everything: false,
        failing: Vec::new(),
        permit: app.permit().expect("a place"),
        memory: HeldMemory::default(),
    };
    let mut closed = Box::pin(deletion.run(app.clone()));
    assert!(poll!(&mut closed).is_pending());
    drop(closed);
    backend.proceed.notify_one();
    tokio::time::timeout(Duration::from_secs(10), app.idle())
        .await
        .expect("an end");
    assert_eq!(backend.done.load(Ordering::SeqCst), 1);
}

/// Anyone may ask for the readiness, without a signature.
#[tokio::test]
async fn readiness_asks_the_cluster_once_a_second_and_names_no_instance() {
    let backend = Arc::new(TestBackend::default());
    let service = checked(backend.clone()).start().await.expect("a service");
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a client");
    let (url, started) = (format!("{}/readyz", service.endpoint()), Instant::now());
    for _ in 0..20 {
        let response = http.get(&url).send().await.expect("a response");
        assert_eq!(response.status(), 503);
        let body: serde_json::Value = response.json().await.expect("JSON");
        let message = body["error_msg"].as_str().expect("a message");
        assert!(!message.contains("cluster-1"), "{message}");
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("a few");
    let asked = backend.asked.load(Ordering::SeqCst);
    assert!((1..=1 + seconds).contains(&asked), "{asked}");
}

#[test]
fn faults_and_the_control_api_are_for_topics_in_memory_only() {
    for setting in [
        "faults.accept_header = true",
        "control_listen = '127.0.0.1:0'",
    ] {
        let config = format!(
            "listen = '127.0.0.1:0'\nanonymous = true\n{setting}\ninstance = [{{ id = 'cluster-1', project_id = 'p' }}]"
        );
        let config = Config::from_toml(&config).expect("a configuration");
        let backend = Arc::new(TestBackend::default());
        let checked = config.check_with_backends(vec![backend], &|_| None);
        let error = checked.map(drop).expect_err(setting).to_string();
        assert!(error.contains("in memory"), "{error}");
        assert!(error.contains("cluster-1"), "{error}");
    }
}
