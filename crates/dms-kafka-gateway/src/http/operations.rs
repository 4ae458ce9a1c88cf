//! What is for the operator, not for clients; none of it needs a signature.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{app::App, refusal::Refusal};

/// For how long `/readyz` waits for a cluster.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

const OPENAPI: &str = include_str!("../openapi.yaml");

/// Whether the process is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether requests can be served now.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Refusal> {
    if app.is_draining() {
        return Err(Refusal::shutting_down());
    }
    let not_ready = app.not_ready(Instant::now() + READY_TIMEOUT).await;
    for (instance, error) in &not_ready {
        tracing::warn!(instance, %error, "not ready");
    }
    if not_ready.is_empty() {
        Ok("ready\n")
    } else {
        let instances: Vec<&str> = not_ready.iter().map(|(instance, _)| *instance).collect();
        Err(Refusal::not_ready(&instances))
    }
}

/// Counters for Prometheus.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Refusal> {
    let text = app.metrics.text().map_err(|_| Refusal::internal())?;
    Ok((
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    ))
}

/// The contract.
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], OPENAPI).into_response()
}
