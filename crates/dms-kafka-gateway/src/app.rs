//! The state that all requests share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    access::Access,
    audit::AuditLog,
    backend::{Backend, BackendError},
    faults::Faults,
    limits::Limits,
    metrics::Metrics,
    names::TopicPath,
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
    /// In the order of the configuration.
    pub(crate) instances: Vec<Instance>,
    /// Responses sent since the gateway was asked to stop.
    pub(crate) late_responses: AtomicU64,
    /// One permit for each byte that request bodies may still take.
    buffers: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    draining: AtomicBool,
}

/// One instance of the API: a name for a cluster, within a project.
#[derive(Debug, Serialize)]
pub(crate) struct Instance {
    pub(crate) project_id: String,
    #[serde(rename = "instance_id")]
    pub(crate) id: String,
    #[serde(skip)]
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
            instances,
            late_responses: AtomicU64::new(0),
            buffers: Arc::new(Semaphore::new(limits.buffered_bytes)),
            permits: Arc::new(Semaphore::new(limits.concurrent_requests)),
            draining: AtomicBool::new(false),
            limits,
        }
    }

    /// Whether the gateway has been asked to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Makes the gateway refuse requests from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Refuses a request that could not be served, before its body is read.
    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        if self.is_draining() {
            return Err(Refusal::SHUTTING_DOWN);
        }
        if self.permits.available_permits() == 0 {
            return Err(Refusal::BUSY);
        }
        Ok(())
    }

    /// Takes one permit of the concurrency limit.
    pub(crate) fn permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let permit = self.permits.clone().try_acquire_owned();
        permit.map_err(|_| Refusal::BUSY)
    }

    /// Takes permits for the bytes of a part of a request body.
    pub(crate) fn buffer(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::BUSY)?;
        let buffer = self.buffers.clone().try_acquire_many_owned(bytes);
        buffer.map_err(|_| Refusal::BUSY)
    }

    /// Waits until no request is being processed.
    pub(crate) async fn idle(&self) {
        // The semaphore is never closed, and the limit was checked to fit.
        let all = u32::try_from(self.limits.concurrent_requests).unwrap_or(u32::MAX);
        drop(self.permits.acquire_many(all).await);
    }

    pub(crate) fn instance(&self, path: &TopicPath) -> Result<&Instance, Refusal> {
        let mut instances = self.instances.iter();
        instances
            .find(|instance| {
                instance.id == path.instance_id && instance.project_id == path.project_id
            })
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
