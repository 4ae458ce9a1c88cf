//! What takes a backend that does as the test says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::poll;
use tokio::sync::Notify;

use crate::{
    audit::AuditSubject,
    backend::{Backend, BackendError, BackendFuture, DeletedRecords, PartitionOffsets},
    config::Config,
    deletion::Deletion,
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
    names::TopicPath,
    service::CheckedConfig,
};

/// Deletes when it is told to, and cannot be reached otherwise.
#[derive(Debug, Default)]
pub(crate) struct TestBackend {
    /// Lets one deletion go on.
    pub(crate) proceed: Notify,
    /// Deletions that were done.
    pub(crate) done: AtomicUsize,
}

impl Backend for TestBackend {
    fn delete<'a>(
        &'a self,
        _topic: &'a str,
        rows: &'a [RecordsToDelete],
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(async move {
            self.proceed.notified().await;
            self.done.fetch_add(1, Ordering::SeqCst);
            let deleted = |row: &RecordsToDelete| DeletedRecords {
                partition: row.partition,
                outcome: Ok(0),
                records: None,
            };
            Ok(rows.iter().map(deleted).collect())
        })
    }

    fn partitions<'a>(
        &'a self,
        _topic: &'a str,
        _deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>> {
        Box::pin(async { Err(BackendError::Unavailable("it is away".to_owned())) })
    }

    fn ready(&self, _deadline: Instant) -> BackendFuture<'_, ()> {
        Box::pin(async { Err(BackendError::Unavailable("it is away".to_owned())) })
    }
}

/// A gateway for everybody, with instance `i` of project `p` in front of the backend.
fn checked(backend: Arc<dyn Backend>) -> CheckedConfig {
    let config = r#"
        listen = "127.0.0.1:0"
        anonymous = true
        instance = [{ id = "i", project_id = "p" }]
    "#;
    let config = Config::from_toml(config).expect("a configuration");
    let checked = config.check_with_backends(vec![backend], &|_| None);
    checked.expect("a valid configuration")
}

#[tokio::test]
async fn a_cluster_that_is_away() {
    let service = checked(Arc::new(TestBackend::default()))
        .start()
        .await
        .expect("a service");
    for (path, nothing_deleted) in [
        ("/readyz", false),
        ("/v2/p/kafka/instances/i/topics/orders/partitions", true),
    ] {
        let url = format!("{}{path}", service.endpoint());
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let answer = http.get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.headers()["retry-after"], "5", "{path}");
        let body = answer.text().await.expect("a body");
        assert!(
            body.contains("DMS.111501025") && !body.contains("it is away"),
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
async fn a_client_that_hangs_up_does_not_stop_a_deletion() {
    let backend = Arc::new(TestBackend::default());
    let app = Arc::new(checked(backend.clone()).app);
    let deletion = Deletion {
        subject: AuditSubject {
            request_id: String::new(),
            caller: String::new(),
            client: None,
            path: TopicPath {
                project_id: "p".to_owned(),
                instance_id: "i".to_owned(),
                topic: "orders".to_owned(),
            },
        },
        backend: backend.clone(),
        rows: vec![RecordsToDelete {
            partition: PartitionId::new(0).expect("a partition"),
            target: DeletionTarget::Everything,
        }],
        failing: Vec::new(),
        permit: app.permit().expect("a place"),
    };
    let mut hung_up = Box::pin(deletion.run(app.clone()));
    assert!(poll!(&mut hung_up).is_pending());
    drop(hung_up);
    backend.proceed.notify_one();
    tokio::time::timeout(Duration::from_secs(10), app.idle())
        .await
        .expect("an end");
    assert_eq!(backend.done.load(Ordering::SeqCst), 1);
}
