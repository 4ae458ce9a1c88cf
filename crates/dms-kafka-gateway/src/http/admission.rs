//! What a request must pass before an operation works on it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, Request},
};
use http_body_util::BodyExt as _;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tracing::Span;

use super::{envelope::RequestId, path::TopicPath};
use crate::{
    app::App,
    audit::AuditSubject,
    backend::Backend,
    budget::Share,
    faults::{Fault, Operation},
    refusal::Refusal,
};

/// A request from somebody known, about an instance that exists and that they may use.
pub(super) struct Call {
    pub(super) subject: AuditSubject,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) body: Vec<u8>,
    /// What the user's rules say is to go wrong with it.
    pub(super) fault: Fault,
    /// The request's share of the concurrency limit.
    pub(super) permit: OwnedSemaphorePermit,
    /// The body's share of the memory for bodies, kept as long as the body is.
    _memory: Share,
}

/// Checks a request in order of cost: its head, then its body's bytes against the signature, then what it may touch.
pub(super) async fn admit(
    app: &App,
    operation: Operation,
    request: Request,
) -> Result<Call, Refusal> {
    let (mut parts, body) = request.into_parts();
    app.check_open()?;
    let limit = app.limits.body_bytes;
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BODY_TOO_LARGE.with(limit).closing());
    }
    let path = TopicPath::read(&mut parts).await?;
    let count_failure = |_: &Refusal| {
        app.metrics.authentication_failures.inc();
    };
    let claim = app.access.claim(&parts.headers);
    let claim = claim.inspect_err(count_failure)?;
    let mut memory = app.buffers.share();
    let body = timeout(app.limits.body_timeout, read(body, limit, &mut memory)).await;
    let body = body.unwrap_or_else(|_| Err(Refusal::BODY_TOO_SLOW.closing()))?;
    let caller = claim.confirm(&parts, &body).inspect_err(count_failure)?;
    // Only now: a share of the concurrency limit is not to be had by sending a body slowly.
    let permit = app.permit()?;
    Span::current().record("caller", &*caller.name);
    caller.check_rate()?;
    caller.check_project(&path.project_id, &parts.headers)?;
    let instance = app.instance(&caller, &path.project_id, &path.instance_id)?;
    path.check_topic()?;
    let fault = app.faults.pick(operation, &path.topic, &parts.headers)?;
    let request_id = parts.extensions.get::<RequestId>();
    let RequestId(request_id) = request_id.cloned().ok_or(Refusal::INTERNAL)?;
    let client = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let subject = AuditSubject {
        request_id,
        caller: caller.name.clone(),
        client: client.map(|client| client.0),
        project_id: path.project_id,
        instance_id: path.instance_id,
        topic: path.topic,
    };
    Ok(Call {
        subject,
        backend: instance.backend.clone(),
        body,
        fault,
        permit,
        _memory: memory,
    })
}

async fn read(mut body: Body, limit: usize, memory: &mut Share) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BODY_UNREADABLE)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if data.len() > limit - bytes.len() {
            return Err(Refusal::BODY_TOO_LARGE.with(limit).closing());
        }
        if !memory.take(data.len()) {
            return Err(Refusal::BUSY);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}
