//! What a request must pass before an operation works on it.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    http::request::Parts,
};
use http_body_util::BodyExt as _;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tracing::Span;

use super::{envelope::Origin, path::TopicPath};
use crate::{
    access::{Caller, Claim},
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
    check_length(body.size_hint().lower(), app.limits.body_bytes)?;
    let path = TopicPath::read(&mut parts).await?;
    let claim = app
        .access
        .claim(&parts.headers)
        .inspect_err(|_| count_failure(app))?;
    let mut memory = app.buffers.share();
    let body = read(app, body, &mut memory).await?;
    let caller = confirm(app, claim, &parts, &body)?;
    // Only now: a share of the concurrency limit is not to be had by sending a body slowly.
    let permit = app.permit()?;
    Span::current().record("caller", caller.name());
    caller.check_rate()?;
    caller.check_project(&path.project_id, &parts.headers)?;
    let instance = app.instance(&caller, &path.project_id, &path.instance_id)?;
    path.check_topic()?;
    let fault = app.faults.pick(operation, &path.topic, &parts.headers)?;
    let origin = parts
        .extensions
        .get::<Origin>()
        .cloned()
        .ok_or_else(Refusal::internal)?;
    let subject = AuditSubject {
        request_id: origin.request_id,
        caller: caller.name().to_owned(),
        client: origin.client,
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

fn check_length(declared: u64, limit: usize) -> Result<(), Refusal> {
    if declared > limit as u64 {
        Err(Refusal::body_too_large(limit))
    } else {
        Ok(())
    }
}

fn confirm(app: &App, claim: Claim<'_>, parts: &Parts, body: &[u8]) -> Result<Caller, Refusal> {
    claim
        .confirm(parts, body)
        .inspect_err(|_| count_failure(app))
}

fn count_failure(app: &App) {
    app.metrics.authentication_failures.inc();
}

async fn read(app: &App, body: Body, memory: &mut Share) -> Result<Vec<u8>, Refusal> {
    let reading = timeout(
        app.limits.body_timeout,
        read_frames(body, app.limits.body_bytes, memory),
    );
    reading
        .await
        .unwrap_or_else(|_| Err(Refusal::body_too_slow()))
}

async fn read_frames(mut body: Body, limit: usize, memory: &mut Share) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::body_unreadable())?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if data.len() > limit - bytes.len() {
            return Err(Refusal::body_too_large(limit));
        }
        if !memory.take(data.len()) {
            return Err(Refusal::busy());
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}
