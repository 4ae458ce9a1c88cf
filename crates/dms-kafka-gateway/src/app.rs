//! The state that all requests share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::{
    access::Access,
    audit::AuditLog,
    authentication_log::AuthenticationLog,
    backend::Backend,
    faults::{ActiveFaults, Faults},
    holds::InstanceHolds,
    limits::Limits,
    metrics::Metrics,
    names::TopicPath,
    refusal::Refusal,
    wire::ErrorCodeStyle,
};

/// How long a backend may take to respond that it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// Backends are asked again after this time at the earliest, because anyone may ask the gateway.
const READY_CACHE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) error_code_style: ErrorCodeStyle,
    pub(crate) audit: Option<AuditLog>,
    pub(crate) authentication_log: AuthenticationLog,
    pub(crate) faults: ActiveFaults,
    pub(crate) metrics: Metrics,
    /// In the order of the configuration.
    pub(crate) instances: Vec<Instance>,
    /// When this process began to listen.
    pub(crate) started: SystemTime,
    /// Responses sent since the gateway was asked to stop.
    pub(crate) late_responses: AtomicU64,
    /// One permit for each byte that request bodies may still take.
    buffers: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    draining: AtomicBool,
    /// When the backends were asked, and whether all were ready.
    backends_ready: Mutex<Option<(Instant, bool)>>,
}

/// One instance of the API: a name for a cluster, within a project.
#[derive(Debug, Serialize)]
pub(crate) struct Instance {
    pub(crate) project_id: String,
    #[serde(rename = "instance_id")]
    pub(crate) id: String,
    #[serde(skip)]
    pub(crate) holds: InstanceHolds,
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
            authentication_log: AuthenticationLog::new(),
            faults: ActiveFaults::new(faults),
            metrics: Metrics::new(),
            instances,
            started: SystemTime::now(),
            late_responses: AtomicU64::new(0),
            buffers: Arc::new(Semaphore::new(limits.buffered_bytes)),
            permits: Arc::new(Semaphore::new(limits.concurrent_requests)),
            draining: AtomicBool::new(false),
            backends_ready: Mutex::new(None),
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

    /// Whether every instance can be served and the audit log can be written. If not, the log says why.
    pub(crate) async fn is_ready(&self) -> bool {
        if let Some(audit) = &self.audit
            && let Err(error) = audit.ready().await
        {
            tracing::warn!(%error, "not ready: the audit log cannot be written");
            return false;
        }
        let mut asked = self.backends_ready.lock().await;
        match *asked {
            Some((time, ready)) if time.elapsed() < READY_CACHE => ready,
            _ => {
                let ready = self.ask_backends(Instant::now() + READY_TIMEOUT).await;
                *asked = Some((Instant::now(), ready));
                ready
            }
        }
    }

    async fn ask_backends(&self, deadline: Instant) -> bool {
        let asked = self.instances.iter().map(async |instance| {
            let ready = instance.backend.ready(deadline).await;
            if let Err(error) = &ready {
                tracing::warn!(instance = instance.id, %error, "not ready");
            }
            ready.is_ok()
        });
        join_all(asked).await.into_iter().all(|ready| ready)
    }
}
