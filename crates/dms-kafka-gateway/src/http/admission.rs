//! The checks of a request before its operation runs.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody as _},
    extract::{FromRequestParts as _, Path, Request},
    http::{header, request::Parts},
};
use http_body_util::BodyExt as _;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tracing::Span;

use super::envelope::{RequestId, peer};
use crate::{
    access::Caller,
    app::{App, Instance},
    audit::AuditContext,
    faults::{Fault, Operation},
    grants::GrantedOperation,
    names::{self, TopicPath},
    refusal::Refusal,
    replay::OnceSignature,
    wire::check_content,
};

/// An authenticated request for an existing instance that its caller may use.
pub(super) struct Call<'a> {
    pub(super) context: AuditContext,
    pub(super) caller: Arc<Caller>,
    /// None for a token, and without authentication.
    pub(super) signature: Option<OnceSignature>,
    pub(super) instance: &'a Instance,
    pub(super) body: Vec<u8>,
    pub(super) fault: Fault,
    /// The request's share of the concurrency limit.
    pub(super) permit: OwnedSemaphorePermit,
    /// The body's share of the memory for bodies, kept as long as the body is.
    _memory: OwnedSemaphorePermit,
}

/// Checks a request in order of cost: its head, then its body's bytes against the signature, then what it is for.
pub(super) async fn admit(
    app: &App,
    operation: Operation,
    request: Request,
) -> Result<Call<'_>, Refusal> {
    let (mut parts, body) = request.into_parts();
    app.check_open()?;
    let limit = app.limits.body_bytes;
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BODY_TOO_LARGE.with(limit).closing());
    }
    let path = Path::<TopicPath>::from_request_parts(&mut parts, &()).await;
    let Path(path) = path
        .map_err(|_| Refusal::invalid_parameter("path", "it is not valid percent-encoded UTF-8"))?;
    let not_authenticated = |refusal: &Refusal| note_not_authenticated(app, &parts, refusal);
    let claim = app.access.claim(&parts).inspect_err(not_authenticated)?;
    claim
        .caller()
        .check(&path, &parts.headers, granted(operation))?;
    let body = timeout(app.limits.body_timeout, read(app, body, limit)).await;
    let (body, memory) = body.unwrap_or_else(|_| Err(Refusal::BODY_TOO_SLOW.closing()))?;
    let confirmed = claim.confirm(&parts, &body);
    let (caller, signature) = confirmed.inspect_err(not_authenticated)?;
    // After reading the body: a client that sends it slowly does not use up the concurrency limit.
    let permit = app.permit()?;
    Span::current().record("caller", &*caller.name);
    caller.count()?;
    let instance = app.instance(&path)?;
    if !names::is_topic(&path.topic) {
        return Err(Refusal::INVALID_TOPIC);
    }
    if operation == Operation::Delete {
        check_content(&parts.headers, app.access.is_anonymous())?;
        instance.holds.check_topic(&path)?;
    }
    let fault = app.faults.pick(operation, &path.topic, &parts.headers)?;
    let request_id = parts.extensions.get::<RequestId>();
    let RequestId(request_id) = request_id.cloned().ok_or(Refusal::INTERNAL)?;
    let context = AuditContext {
        request_id,
        caller: caller.name.clone(),
        client: peer(&parts.extensions),
        path,
    };
    Ok(Call {
        context,
        caller,
        signature,
        instance,
        body,
        fault,
        permit,
        _memory: memory,
    })
}

/// Counts and logs a request whose sender is not authenticated.
fn note_not_authenticated(app: &App, head: &Parts, refusal: &Refusal) {
    app.metrics.authentication_failures.inc();
    let request_id = head.extensions.get::<RequestId>();
    let request_id = request_id.map_or("", |RequestId(id)| id);
    let authorization = head.headers.get(header::AUTHORIZATION);
    let authorization = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let access_key = authorization.as_deref().and_then(claimed_access_key);
    let peer = peer(&head.extensions);
    app.authentication_log
        .warn(request_id, peer, access_key, refusal);
}

/// The access key in an `Authorization` header, which may be invalid.
fn claimed_access_key(authorization: &str) -> Option<&str> {
    let (_, access_key) = authorization.split_once("Access=")?;
    access_key.split([',', ' ']).next()
}

/// What permits an operation; the rows of a deletion are checked later.
fn granted(operation: Operation) -> &'static [GrantedOperation] {
    match operation {
        Operation::Delete => &[GrantedOperation::Delete, GrantedOperation::Everything],
        Operation::List => &[GrantedOperation::List],
    }
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
