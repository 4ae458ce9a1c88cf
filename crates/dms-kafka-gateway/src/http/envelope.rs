//! What every request and answer has, whatever the operation.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tracing::{Instrument as _, field};
use uuid::Uuid;

use super::observation::Observation;
use crate::{app::App, limits::Limits, refusal::Refusal, server::Peer, wire::ErrorAnswer};

const X_REQUEST_ID: &str = "x-request-id";

/// Where a request comes from, and the name under which it is found in answers, logs and the audit log.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) request_id: String,
    pub(super) client: Option<SocketAddr>,
}

/// Names the request, checks the size of its head, lets the operation answer, and completes the answer.
pub(super) async fn envelope(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = Uuid::new_v4().simple().to_string();
    let span = tracing::info_span!(
        "request",
        request_id,
        method = %request.method(),
        path = request.uri().path(),
        caller = field::Empty,
    );
    let observation = Observation::start(
        app.clone(),
        request.extensions().get::<MatchedPath>(),
        span.clone(),
    );
    let client = request.extensions().get::<Peer>().map(|peer| peer.0);
    request.extensions_mut().insert(Origin {
        request_id: request_id.clone(),
        client,
    });

    let response = match head_within_limits(&request) {
        Ok(()) => next.run(request).instrument(span).await,
        Err(refusal) => refusal.into_response(),
    };
    let mut response = complete(response, &request_id);
    if app.is_draining() {
        app.note_late_answer();
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let error_code = response
        .extensions()
        .get::<Refusal>()
        .map(|refusal| refusal.code);
    observation.answered(response.status(), error_code);
    response
}

fn head_within_limits(request: &Request) -> Result<(), Refusal> {
    // An absolute request target repeats what the Host header says; the path and query are what can grow.
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > Limits::URI {
        return Err(Refusal::uri_too_long());
    }
    let mut total = 0;
    for (name, value) in request.headers() {
        let size = name.as_str().len() + value.len();
        total += size;
        if size > Limits::HEADER || total > Limits::HEADERS {
            return Err(Refusal::headers_too_large());
        }
    }
    Ok(())
}

/// Gives the answer its request id, and a refusal its body.
fn complete(mut response: Response, request_id: &str) -> Response {
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        let answer = ErrorAnswer {
            error_code: refusal.code,
            error_msg: &refusal.message,
            request_id,
        };
        // Three strings always serialize.
        let body = serde_json::to_vec(&answer).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}
