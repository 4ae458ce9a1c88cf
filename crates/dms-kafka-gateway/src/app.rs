//! What the operations work on: who may do what, and the backends that do it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    access::{Access, Caller},
    audit::AuditLog,
    backend::{Backend, BackendError},
    budget::Budget,
    faults::Faults,
    limits::Limits,
    metrics::Metrics,
    refusal::Refusal,
    wire::ErrorCodeStyle,
};

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) error_code_style: ErrorCodeStyle,
    pub(crate) audit: Option<AuditLog>,
    pub(crate) faults: Faults,
    pub(crate) metrics: Metrics,
    pub(crate) buffers: Budget,
    instances: Vec<Instance>,
    permits: Arc<Semaphore>,
    draining: AtomicBool,
    answered_while_draining: AtomicU64,
}

/// One instance of the API: a name for a cluster, within a project.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) project_id: String,
    pub(crate) id: String,
    pub(crate) backend: Arc<dyn Backend>,
}

impl App {
    pub(crate) fn new(
        limits: Limits,
        error_code_style: ErrorCodeStyle,
        access: Access,
        instances: Vec<Instance>,
        faults: Faults,
    ) -> Self {
        Self {
            access,
            error_code_style,
            audit: None,
            faults,
            metrics: Metrics::new(),
            buffers: Budget::new(limits.buffered_bytes),
            instances,
            permits: Arc::new(Semaphore::new(limits.concurrent_requests)),
            draining: AtomicBool::new(false),
            answered_while_draining: AtomicU64::new(0),
            limits,
        }
    }

    /// The instances, in the order of the configuration.
    pub(crate) fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// Whether the gateway has been asked to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on requests are refused.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Counts a request that was answered after the gateway was asked to stop.
    pub(crate) fn note_late_answer(&self) {
        self.answered_while_draining.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests were answered after the gateway was asked to stop.
    pub(crate) fn late_answers(&self) -> u64 {
        self.answered_while_draining.load(Ordering::Relaxed)
    }

    /// Whether it is worth reading on.
    ///
    /// # Errors
    /// The 503 when the gateway has been asked to stop, or no share of the concurrency limit is left.
    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        if self.is_draining() {
            return Err(Refusal::SHUTTING_DOWN);
        }
        if self.permits.available_permits() == 0 {
            return Err(Refusal::BUSY);
        }
        Ok(())
    }

    /// A share of the concurrency limit.
    ///
    /// # Errors
    /// The 503 when there is none left.
    pub(crate) fn permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.permits
            .clone()
            .try_acquire_owned()
            .map_err(|_| Refusal::BUSY)
    }

    /// Waits until no request is being worked on.
    pub(crate) async fn idle(&self) {
        // The semaphore is never closed, and the limit was checked to fit.
        let all = u32::try_from(self.limits.concurrent_requests).unwrap_or(u32::MAX);
        drop(self.permits.acquire_many(all).await);
    }

    /// The instance that the caller asks for.
    ///
    /// # Errors
    /// The 403 when they may not use it, the 404 when it does not exist in that project.
    pub(crate) fn instance(
        &self,
        caller: &Caller,
        project_id: &str,
        id: &str,
    ) -> Result<&Instance, Refusal> {
        caller.check_instance(id)?;
        let mut instances = self.instances.iter();
        instances
            .find(|instance| instance.id == id && instance.project_id == project_id)
            .ok_or(Refusal::UNKNOWN_INSTANCE)
    }

    /// The instances that cannot be served now, and why.
    pub(crate) async fn not_ready(&self, deadline: Instant) -> Vec<(&str, BackendError)> {
        let asked = self.instances.iter().map(async |instance| {
            let error = instance.backend.ready(deadline).await.err()?;
            Some((&*instance.id, error))
        });
        let mut not_ready: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        not_ready.sort_by_key(|(id, _)| *id);
        not_ready
    }
}
