//! The operations of the API, and the endpoints for the gateway's operator.

use std::{
    convert::Infallible,
    iter,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::task::yield_now;
use tracing::Instrument as _;

use self::{
    admission::{Scope, admit},
    envelope::envelope,
};
use crate::{
    app::{App, Instance},
    backend::ALL,
    deletion::Deletion,
    deletion_target::RecordsToDelete,
    faults::Operation,
    refusal::Refusal,
    wire::{DELETE_MESSAGES, DELETE_MESSAGES_BEFORE, DeleteResponse, ErrorCodeStyle, read_rows},
};

mod admission;
pub(crate) mod control;
mod envelope;
mod reads;
mod source;

pub(crate) use self::source::AllowedSource;

const OPENAPI: &str = include_str!("../openapi.yaml");

/// The operations of the API, and its contract.
pub(crate) fn api() -> Router<Arc<App>> {
    Router::new()
        .route(DELETE_MESSAGES, post(delete_messages))
        .route(DELETE_MESSAGES_BEFORE, delete(delete_messages))
        .merge(reads::routes())
        .route(
            "/openapi.yaml",
            get(async || ([(header::CONTENT_TYPE, "application/yaml")], OPENAPI)),
        )
}

/// The operator's endpoints. They need no signature.
pub(crate) fn operations() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

/// Adds what all routes share.
pub(crate) fn router(routes: Router<Arc<App>>, source: AllowedSource, app: Arc<App>) -> Router {
    let state = (app.clone(), source);
    routes
        .fallback(async || Refusal::UNKNOWN_PATH)
        .method_not_allowed_fallback(async || Refusal::METHOD_NOT_ALLOWED)
        .layer(middleware::from_fn_with_state(state, envelope))
        .with_state(app)
}

/// `DeleteKafkaTopicMessages`.
async fn delete_messages(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let uri = request.uri().clone();
    let mut call = admit(&app, Operation::Delete, Scope::Topic, request).await?;
    let body = std::mem::take(&mut call.body);
    let size = body.len();
    let mut rows = app.work(size, move || read_rows(&body)).await??;
    check_no_query(&uri)?;
    call.caller.grants.check_rows(&rows)?;
    let deletes_everything = rows.iter().any(RecordsToDelete::is_everything);
    let Instance { holds, backend, .. } = call.instance;
    let deadline = Instant::now() + app.limits.backend_timeout;
    let topic = &call.context.path.topic;
    if holds.need_offsets() {
        let offsets = backend.partitions(topic, ALL, deadline).await?.items;
        rows = holds.check_rows(&offsets, rows)?;
    }
    call.fault.before().await?;
    let signature = call.signature.filter(|_| deletes_everything);
    if let Some(signature) = &signature {
        let most = app.limits.replay_entries;
        signature.use_once(app.started, most, SystemTime::now())?;
    }
    let style = if call.fault.integer_error_codes {
        ErrorCodeStyle::Integer
    } else {
        app.error_code_style
    };
    let deletion = Deletion {
        context: call.context,
        backend: backend.clone(),
        rows,
        deletes_everything,
        failing: std::mem::take(&mut call.fault.fail),
        permit: call.permit,
        memory: call.memory,
    };
    let deleted = deletion.run(app.clone()).await;
    let (deleted, mut memory) = deleted.inspect_err(|refusal| {
        if let Some(signature) = signature.filter(|_| refusal.is_not_applied()) {
            signature.forget();
        }
    })?;
    call.fault.after_deletion().await?;
    let response = DeleteResponse::new(&deleted, style);
    drop(deleted);
    memory.shrink(response.size());
    Ok(write(response, (memory, call.in_progress)))
}

/// Writes a response in parts, so that a client that reads slowly does not need memory for the whole text. `held` is
/// dropped when the last part has been taken.
fn write(response: DeleteResponse, held: impl Send + 'static) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut parts = response.into_parts().peekable();
    let first = parts.next().unwrap_or_default();
    if parts.peek().is_none() {
        return (json, first).into_response();
    }
    let parts = stream::iter(iter::once(first).chain(parts)).then(move |part| {
        let _held = &held;
        // A client that reads fast would keep the thread until its whole response is written.
        yield_now().map(|()| Ok::<_, Infallible>(part))
    });
    (json, Body::from_stream(parts)).into_response()
}

/// Ignoring a query would change more than a client expects that sends one.
fn check_no_query(uri: &Uri) -> Result<(), Refusal> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(_) => {
            let rule = "this operation has none";
            Err(Refusal::invalid_parameter("query", rule))
        }
    }
}

async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Refusal> {
    if app.is_draining() {
        return Err(Refusal::SHUTTING_DOWN);
    }
    // In a separate task, which is not dropped with the connection: each new request would ask the clusters again.
    let asked = tokio::spawn(async move { app.ready().await }.in_current_span());
    match asked.await {
        Ok(ready) => ready.map(|()| "ready\n"),
        Err(_) => Err(Refusal::INTERNAL),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Refusal> {
    let text = app.metrics.text().map_err(|_| Refusal::INTERNAL)?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text))
}
