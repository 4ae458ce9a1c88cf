//! One deletion, from the intent in the audit log to its result there.

use std::{future::ready, sync::Arc, task::Poll, time::Instant};

use futures_util::poll;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument as _, Span};

use crate::{
    app::App,
    audit::AuditContext,
    backend::{Backend, BackendError, DeletedRecords, Intent, TopicDeletion},
    body_memory::HeldMemory,
    deletion_target::RecordsToDelete,
    faults::{self, FailingPartition},
    refusal::Refusal,
};

/// A deletion that may go ahead.
pub(crate) struct Deletion {
    pub(crate) context: AuditContext,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) rows: Vec<RecordsToDelete>,
    /// Whether the request contains the offset -1.
    pub(crate) deletes_everything: bool,
    /// Partitions with an injected failure.
    pub(crate) failing: Vec<FailingPartition>,
    /// Kept until the backend has responded, even if the client closed the connection.
    pub(crate) permit: OwnedSemaphorePermit,
    /// The memory of the rows, kept as long.
    pub(crate) memory: HeldMemory,
}

/// The results of a deletion, and the memory of its request.
type Deleted = (Vec<DeletedRecords>, HeldMemory);

impl Deletion {
    /// Deletes, and writes the result to the audit log even if the client closes the connection meanwhile.
    pub(crate) async fn run(self, app: Arc<App>) -> Result<Deleted, Refusal> {
        let mut running = Box::pin(self.run_here(app).instrument(Span::current()));
        if let Poll::Ready(deleted) = poll!(&mut running) {
            return deleted;
        }
        // In a separate task, which is not dropped with the connection.
        tokio::spawn(running).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a deletion was aborted; its outcome is unknown");
            Err(Refusal::INTERNAL)
        })
    }

    async fn run_here(self, app: Arc<App>) -> Result<Deleted, Refusal> {
        let deletion = TopicDeletion {
            topic: &self.context.path.topic,
            caller: &self.context.caller,
            rows: &self.rows,
            deadline: Instant::now() + app.limits.backend_timeout,
            intent: self.intent(&app),
        };
        let deleted = match &*self.failing {
            [] => self.backend.delete(deletion).await,
            failing => faults::delete(failing, &*self.backend, deletion).await,
        };
        app.metrics
            .count_rows(deleted.as_deref().unwrap_or_default());
        self.conclude(&app, &deleted).await;
        drop(self.permit);
        Ok((deleted?, self.memory))
    }

    /// Writes rows to the audit log when they are about to be sent.
    fn intent(&self, app: &Arc<App>) -> Intent {
        if app.audit.is_none() {
            return Arc::new(|_| Box::pin(ready(true)));
        }
        let (app, context) = (app.clone(), Arc::new(self.context.clone()));
        let everything = self.deletes_everything;
        Arc::new(move |rows| {
            let (app, context) = (app.clone(), context.clone());
            Box::pin(async move {
                let Some(audit) = &app.audit else { return true };
                let written = audit.intend(&context, &rows, everything).await;
                if let Err(error) = &written {
                    app.metrics.audit_failures.inc();
                    tracing::error!(%error, "the audit log cannot be written: these rows are not deleted");
                }
                written.is_ok()
            })
        })
    }

    /// A failure to write does not change the response: the records are deleted.
    async fn conclude(&self, app: &App, deleted: &Result<Vec<DeletedRecords>, BackendError>) {
        let Some(audit) = &app.audit else { return };
        if let Err(error) = audit.conclude(&self.context, &self.rows, deleted).await {
            app.metrics.audit_failures.inc();
            tracing::error!(%error, ?deleted, "the result of a deletion is missing from the audit log");
        }
    }
}
