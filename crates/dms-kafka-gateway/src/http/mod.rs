//! The API over HTTP: which path is which operation, and what every answer has in common.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{delete, get, post},
};

use crate::{app::App, refusal::Refusal};

mod admission;
mod delete_messages;
mod envelope;
mod list_partitions;
mod observation;
mod operations;
mod path;

/// The operation of the vendor's page.
const DELETE_MESSAGES: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages/delete";
/// What the vendor offered before it, with the same body: some of its regions and tools know no other.
const DELETE_MESSAGES_BEFORE: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages";
/// The read-only companion.
const LIST_PARTITIONS: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/partitions";

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(DELETE_MESSAGES, post(delete_messages::delete_messages))
        .route(
            DELETE_MESSAGES_BEFORE,
            delete(delete_messages::delete_messages),
        )
        .route(LIST_PARTITIONS, get(list_partitions::list_partitions))
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .route("/openapi.yaml", get(operations::openapi))
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            envelope::envelope,
        ))
        .with_state(app)
}

async fn unknown_path() -> Refusal {
    Refusal::unknown_path()
}

async fn method_not_allowed() -> Refusal {
    Refusal::method_not_allowed()
}
