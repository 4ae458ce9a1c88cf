//! The state that all requests share.

use std::{
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};
use tracing::Span;

use crate::{
    access::Access,
    audit::AuditLog,
    backend::{Backend, BackendError},
    body_memory::MemoryBudget,
    faults::{ActiveFaults, Faults},
    holds::InstanceHolds,
    limits::Limits,
    metrics::Metrics,
    names::TopicPath,
    refusal::Refusal,
    refusal_log::RefusalLog,
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
    pub(crate) refusal_log: RefusalLog,
    pub(crate) faults: ActiveFaults,
    pub(crate) metrics: Metrics,
    /// In the order of the configuration.
    pub(crate) instances: Vec<Instance>,
    /// When this process began to listen.
    pub(crate) started: SystemTime,
    /// Responses sent since the gateway was asked to stop.
    pub(crate) late_responses: AtomicU64,
    /// The memory of all requests.
    pub(crate) memory: MemoryBudget,
    permits: Arc<Semaphore>,
    /// One permit for each thread that may work on large bodies.
    workers: Arc<Semaphore>,
    draining: AtomicBool,
    /// When the backends were asked, and whether all were ready.
    backends_ready: Mutex<Option<(Instant, Result<(), Refusal>)>>,
}

/// One instance of the API: a name for a cluster, within a project.
#[derive(Debug, Serialize)]
pub(crate) struct Instance {
    pub(crate) project_id: String,
    #[serde(rename = "instance_id")]
    pub(crate) id: String,
    #[serde(skip)]
    pub(crate) holds: Arc<InstanceHolds>,
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
            refusal_log: RefusalLog::new(),
            faults: ActiveFaults::new(faults),
            metrics: Metrics::new(),
            instances,
            started: SystemTime::now(),
            late_responses: AtomicU64::new(0),
            memory: MemoryBudget::new(limits.buffered_bytes),
            permits: Arc::new(Semaphore::new(limits.concurrent_requests)),
            workers: Arc::new(Semaphore::new(workers())),
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

    /// Works on a body of this many bytes: on a separate thread if it is large, because it would delay other requests.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        if bytes <= Limits::SMALL_BODY {
            return Ok(work());
        }
        let worker = self.workers.clone().acquire_owned().await;
        let worker = worker.map_err(|_| Refusal::INTERNAL)?;
        let span = Span::current();
        let done = spawn_blocking(move || {
            // Until the work is done, even if the client closed the connection.
            let _worker = worker;
            span.in_scope(work)
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "work on a request body was aborted");
            Refusal::INTERNAL
        })
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

    /// Fails if an instance cannot be served or the audit log cannot be written. The log says why.
    pub(crate) async fn ready(&self) -> Result<(), Refusal> {
        if let Some(audit) = &self.audit
            && let Err(error) = audit.ready().await
        {
            tracing::warn!(%error, "not ready: the audit log cannot be written");
            return Err(Refusal::NOT_READY);
        }
        let mut asked = self.backends_ready.lock().await;
        match &*asked {
            Some((time, ready)) if time.elapsed() < READY_CACHE => ready.clone(),
            _ => {
                let ready = self.ask_backends(Instant::now() + READY_TIMEOUT).await;
                *asked = Some((Instant::now(), ready.clone()));
                ready
            }
        }
    }

    async fn ask_backends(&self, deadline: Instant) -> Result<(), Refusal> {
        let asked = self.instances.iter().map(async |instance| {
            let ready = instance.backend.ready(deadline).await;
            ready.map_err(|error| {
                tracing::warn!(instance = instance.id, %error, "not ready");
                match error {
                    BackendError::Refused(_) => Refusal::CLUSTER_REFUSES,
                    _ => Refusal::NOT_READY,
                }
            })
        });
        join_all(asked).await.into_iter().collect()
    }
}

/// Half of the CPUs, so that large bodies leave some for small requests.
fn workers() -> usize {
    let cpus = available_parallelism().map_or(1, NonZero::get);
    cpus.div_ceil(2)
}
