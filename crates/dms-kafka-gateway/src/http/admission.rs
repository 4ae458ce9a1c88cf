//! The checks of a request before its operation runs.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, FromRequestParts as _, Path, Request},
};
use http_body_util::BodyExt as _;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tracing::Span;

use super::envelope::RequestId;
use crate::{
    app::App,
    audit::AuditContext,
    backend::Backend,
    faults::{Fault, Operation},
    names::{self, TopicPath},
    refusal::Refusal,
};

/// An authenticated request for an existing instance that its caller may use.
pub(super) struct Call {
    pub(super) context: AuditContext,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) body: Vec<u8>,
    pub(super) fault: Fault,
    /// The request's share of the concurrency limit.
    pub(super) permit: OwnedSemaphorePermit,
    /// The body's share of the memory for bodies, kept as long as the body is.
    _memory: OwnedSemaphorePermit,
}

/// Checks a request in order of cost: its head, then its body's bytes against the signature, then what it may use.
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
    let path = Path::<TopicPath>::from_request_parts(&mut parts, &()).await;
    let Path(path) = path
        .map_err(|_| Refusal::invalid_parameter("path", "it is not valid percent-encoded UTF-8"))?;
    let count_failure = |_: &Refusal| {
        app.metrics.authentication_failures.inc();
    };
    let claim = app.access.claim(&parts.headers);
    let claim = claim.inspect_err(count_failure)?;
    let body = timeout(app.limits.body_timeout, read(app, body, limit)).await;
    let (body, memory) = body.unwrap_or_else(|_| Err(Refusal::BODY_TOO_SLOW.closing()))?;
    let caller = claim.confirm(&parts, &body).inspect_err(count_failure)?;
    // After reading the body: a client that sends it slowly does not use up the concurrency limit.
    let permit = app.permit()?;
    Span::current().record("caller", &*caller.name);
    caller.check(&path, &parts.headers)?;
    let instance = app.instance(&path)?;
    if !names::is_topic(&path.topic) {
        return Err(Refusal::INVALID_TOPIC);
    }
    let fault = app.faults.pick(operation, &path.topic, &parts.headers)?;
    let request_id = parts.extensions.get::<RequestId>();
    let RequestId(request_id) = request_id.cloned().ok_or(Refusal::INTERNAL)?;
    let client = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let context = AuditContext {
        request_id,
        caller: caller.name.clone(),
        client: client.map(|client| client.0),
        path,
    };
    Ok(Call {
        context,
        backend: instance.backend.clone(),
        body,
        fault,
        permit,
        _memory: memory,
    })
}

/// The body, and its share of the memory for bodies.
async fn read(
    app: &App,
    mut body: Body,
    limit: usize,
) -> Result<(Vec<u8>, OwnedSemaphorePermit), Refusal> {
    let (mut bytes, mut memory) = (Vec::new(), app.buffer(0)?);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BODY_UNREADABLE)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if data.len() > limit - bytes.len() {
            return Err(Refusal::BODY_TOO_LARGE.with(limit).closing());
        }
        memory.merge(app.buffer(data.len())?);
        bytes.extend_from_slice(data);
    }
    Ok((bytes, memory))
}
