//! A backend that does as a test says, and an app around it.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::sync::Notify;

use crate::{
    access::Access,
    app::Instance,
    backend::{
        Backend, BackendError, BackendFuture, DeletedRecords, PartitionOffsets, RecordsToDelete,
    },
    faults::Faults,
    limits::Limits,
    service::Settings,
    wire::ErrorCodeStyle,
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
pub(crate) fn settings(backend: Arc<dyn Backend>) -> Settings {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    Settings {
        listen,
        tls: None,
        limits: Limits::default(),
        error_code_style: ErrorCodeStyle::default(),
        access: Access::anonymous(listen).expect("a loopback address"),
        instances: vec![Instance {
            project_id: "p".to_owned(),
            id: "i".to_owned(),
            backend,
        }],
        audit_file: None,
        faults: Faults::default(),
    }
}
