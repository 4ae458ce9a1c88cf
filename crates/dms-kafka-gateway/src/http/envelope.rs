//! What all operations share: a request id, checks of the head, metrics and a log line.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{Extensions, HeaderValue, StatusCode, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use huaweicloud_auth::{signing::X_REQUEST_ID, text};
use tracing::{Instrument as _, Span, field};
use uuid::Uuid;

use super::source::AllowedSource;
use crate::{
    app::App,
    framing::HeadWatch,
    limits::Limits,
    peers::RequestInProgress,
    refusal::Refusal,
    refusal_log::MAX_PATH,
    wire::{ErrorResponse, NAMES},
};

/// The status that is counted when the client closed the connection before the response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Identifies a request in responses, logs and the audit log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// Whether the body of the request was read.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyRead(Arc<AtomicBool>);

impl BodyRead {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Gives the request its id, checks its head, runs the operation and completes the response.
pub(super) async fn envelope(
    State((app, source)): State<(Arc<App>, AllowedSource)>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = Uuid::new_v4().simple().to_string();
    let span = tracing::info_span!(
        "request",
        request_id,
        method = %request.method(),
        path = &*text::sanitize(request.uri().path(), &[], MAX_PATH),
        peer = peer(request.extensions()).map(field::display),
        caller = field::Empty,
    );
    let operation = operation(request.extensions().get::<MatchedPath>());
    let peer = peer(request.extensions());
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let uri = request.uri().clone();
    app.metrics.in_flight.inc();
    let mut observation = Observation {
        app: app.clone(),
        operation,
        started: Instant::now(),
        span: span.clone(),
        status: CLIENT_CLOSED_REQUEST,
        error_code: None,
        _in_progress: request.extensions().get().cloned(),
    };
    request
        .extensions_mut()
        .insert(RequestId(request_id.clone()));
    let has_body = !request.body().is_end_stream();
    let body_read = BodyRead::default();
    request.extensions_mut().insert(body_read.clone());

    let response = match check_head(source, &request) {
        Ok(()) => next.run(request).instrument(span).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        let message = match response.status() {
            StatusCode::UNAUTHORIZED => {
                app.metrics.authentication_failures.inc();
                Some("authentication failed")
            }
            StatusCode::FORBIDDEN => Some("not permitted"),
            _ => None,
        };
        if let Some(message) = message {
            let authorization = authorization.as_ref();
            app.refusal_log
                .warn(message, &request_id, &uri, peer, authorization, refusal);
        }
    }
    let mut response = complete(response, &request_id);
    let is_refused = response.extensions().get::<Refusal>().is_some();
    // The rest of the request may never come, so that the next one could not be found.
    let ends_connection = is_refused && has_body && !body_read.0.load(Ordering::Relaxed);
    if app.is_draining() {
        app.late_responses.fetch_add(1, Ordering::Relaxed);
    }
    if ends_connection || app.is_draining() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let refusal = response.extensions().get::<Refusal>();
    observation.status = response.status().as_u16();
    observation.error_code = refusal.map(|refusal| refusal.code);
    response
}

/// The address that the request came from.
pub(super) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(address)| *address)
}

/// The operation at a path in metrics and logs.
fn operation(path: Option<&MatchedPath>) -> &'static str {
    let is_it = |(known, _): &&(&str, &str)| path.is_some_and(|path| path.as_str() == *known);
    NAMES.iter().find(is_it).map_or("other", |(_, name)| name)
}

fn check_head(source: AllowedSource, request: &Request) -> Result<(), Refusal> {
    // The rest of an absolute request target repeats the Host header, which has a separate limit.
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > Limits::URI {
        return Err(Refusal::URI_TOO_LONG);
    }
    let watch = request.extensions().get::<HeadWatch>();
    if watch.is_some_and(HeadWatch::has_fragment) {
        return Err(Refusal::FRAGMENT);
    }
    let mut total = 0;
    for (name, value) in request.headers() {
        let size = name.as_str().len() + value.len();
        total += size;
        if size > Limits::HEADER || total > Limits::HEADERS {
            return Err(Refusal::HEADERS_TOO_LARGE);
        }
    }
    // hyper checks only that the last coding is `chunked`.
    let codings = request.headers().get_all(header::TRANSFER_ENCODING);
    if codings
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Refusal::UNKNOWN_TRANSFER_CODING.closing());
    }
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    if chunked && watch.is_some_and(HeadWatch::may_have_length) {
        return Err(Refusal::TWO_LENGTHS.closing());
    }
    check_host(request)?;
    source.check(request.headers())
}

/// Requires one valid `Host`, as RFC 9112 does of HTTP/1.1, and the same host in an absolute request target.
fn check_host(request: &Request) -> Result<(), Refusal> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let valid = match (values.next(), values.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => Authority::try_from(host.as_bytes()).is_ok_and(|host| {
            let target = request.uri().authority();
            is_host_and_port(&host) && target.is_none_or(|target| *target == host)
        }),
        _ => false,
    };
    if valid {
        Ok(())
    } else {
        Err(Refusal::INVALID_HOST)
    }
}

/// Whether there is no user name, and a number as the port if there is one.
fn is_host_and_port(authority: &Authority) -> bool {
    let host = authority.host();
    !host.is_empty()
        && match authority.as_str().strip_prefix(host) {
            Some("" | ":") => true,
            Some(_) => authority.port_u16().is_some(),
            None => false,
        }
}

/// Adds the request id, and the body of a refusal.
fn complete(mut response: Response, request_id: &str) -> Response {
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        let body = ErrorResponse {
            error_code: refusal.code,
            error_msg: &refusal.message,
            request_id,
        };
        // Three strings always serialize.
        let (content_type, body) = match &refusal.body {
            Some(body) => (
                HeaderValue::from_str(&body.content_type),
                body.text.clone().into_bytes(),
            ),
            None => (
                HeaderValue::from_str("application/json"),
                serde_json::to_vec(&body).unwrap_or_default(),
            ),
        };
        let headers = response.headers_mut();
        if let Ok(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        headers.remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// A request that is being processed. Dropping it counts and logs the request, also when the client closed the connection.
struct Observation {
    app: Arc<App>,
    operation: &'static str,
    started: Instant,
    span: Span,
    status: u16,
    error_code: Option<&'static str>,
    _in_progress: Option<Arc<RequestInProgress>>,
}

impl Drop for Observation {
    fn drop(&mut self) {
        let Self {
            app,
            operation,
            started,
            span,
            status,
            error_code,
            ..
        } = self;
        let seconds = started.elapsed().as_secs_f64();
        app.metrics.in_flight.dec();
        app.metrics.count_request(operation, *status, seconds);
        tracing::info!(parent: &*span, operation, status, error_code, seconds, "request");
    }
}
