//! The checks of a request before its operation runs.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{FromRequestParts as _, Path, Query, Request},
    http::Uri,
};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use tokio::{sync::OwnedSemaphorePermit, task::yield_now, time::timeout};
use tracing::Span;

use super::envelope::{BodyRead, RequestId, peer};
use crate::{
    access::Caller,
    app::{App, Instance},
    audit::AuditContext,
    body_memory::{HeldMemory, MemoryBudgets},
    faults::{Fault, Operation},
    grants::GrantedOperation,
    limits::Limits,
    names::{self, TopicPath},
    peers::RequestInProgress,
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
    pub(super) body: Bytes,
    pub(super) fault: Fault,
    /// The request's share of the concurrency limit.
    pub(super) permit: OwnedSemaphorePermit,
    /// The memory of the request, held until its response has been written.
    pub(super) memory: HeldMemory,
    pub(super) in_progress: Option<Arc<RequestInProgress>>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Instance,
    /// The topic is in the path, or in the query if the path has none.
    Topic,
}

/// Checks a request in order of cost: everything that its head shows, then its body's bytes against the signature, then what
/// it is for.
pub(super) async fn admit(
    app: &Arc<App>,
    operation: Operation,
    scope: Scope,
    request: Request,
) -> Result<Call<'_>, Refusal> {
    let (mut parts, body) = request.into_parts();
    app.check_open()?;
    let limit = match operation {
        Operation::Delete => app.limits.body_bytes,
        // A listing needs no body.
        Operation::List | Operation::Groups => app.limits.body_bytes.min(Limits::SMALL_BODY),
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BODY_TOO_LARGE.with(limit).closing());
    }
    let path = Path::<TopicPath>::from_request_parts(&mut parts, &()).await;
    let Path(mut path) = path
        .map_err(|_| Refusal::invalid_parameter("path", "it is not valid percent-encoded UTF-8"))?;
    if scope == Scope::Topic && path.topic.is_empty() {
        path.topic = topic_in_query(&parts.uri)?;
    }
    let claim = app.access.claim(&parts)?;
    let claimed = claim.caller();
    claimed.check(&path, &parts.headers, granted(operation))?;
    let in_progress = parts.extensions.get::<Arc<RequestInProgress>>();
    let budgets = MemoryBudgets {
        total: &app.memory,
        key: &claimed.memory,
        peer: in_progress.map_or(&claimed.memory, |request| &request.0.memory),
    };
    let body = timeout(app.limits.body_timeout, read(budgets, body, limit)).await;
    let (body, memory) = body.unwrap_or_else(|_| Err(Refusal::BODY_TOO_SLOW.closing()))?;
    if let Some(read) = parts.extensions.get::<BodyRead>() {
        read.set();
    }
    let (caller, signature) = match body.len() {
        ..=Limits::SMALL_BODY => claim.confirm(&parts, &body),
        large => {
            let (shared, head, body) = (app.clone(), parts.clone(), body.clone());
            let confirm = move || shared.access.claim(&head)?.confirm(&head, &body);
            app.work(large, confirm).await?
        }
    }?;
    // After reading the body: a client that sends it slowly does not use up the concurrency limit.
    let permit = app.permit()?;
    Span::current().record("caller", &*caller.name);
    caller.count()?;
    let instance = app.instance(&path)?;
    if scope == Scope::Topic && !names::is_topic(&path.topic) {
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
        memory,
        in_progress: in_progress.cloned(),
    })
}

fn topic_in_query(uri: &Uri) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Topic {
        topic: String,
    }
    let topic = Query::try_from_uri(uri);
    let Query(Topic { topic }) = topic.map_err(|_| {
        let rule = "this operation needs it in the query, once";
        Refusal::invalid_parameter("topic", rule)
    })?;
    Ok(topic)
}

/// What permits an operation; the rows of a deletion are checked later.
fn granted(operation: Operation) -> &'static [GrantedOperation] {
    match operation {
        Operation::Delete => &[GrantedOperation::Delete, GrantedOperation::Everything],
        Operation::List => &[GrantedOperation::List],
        Operation::Groups => &[GrantedOperation::Groups],
    }
}

/// The body, and its share of the memory.
async fn read(
    budgets: MemoryBudgets<'_>,
    mut body: Body,
    limit: usize,
) -> Result<(Bytes, HeldMemory), Refusal> {
    let (mut bytes, mut memory) = (Vec::new(), HeldMemory::default());
    if let Some(declared) = body.size_hint().exact() {
        // A body for which there is no memory is not read.
        let declared = usize::try_from(declared).map_err(|_| Refusal::BUSY)?;
        memory.grow(declared, budgets)?;
        bytes.reserve_exact(declared);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BODY_UNREADABLE)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(Refusal::BODY_TOO_LARGE.with(limit).closing());
        }
        if length > bytes.capacity() {
            let capacity = (2 * bytes.capacity()).min(limit).max(length);
            memory.grow(capacity, budgets)?;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(data);
        if length > Limits::SMALL_BODY {
            // A client that sends fast would keep the thread until its whole body is read.
            yield_now().await;
        }
    }
    Ok((bytes.into(), memory))
}
