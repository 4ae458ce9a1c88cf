//! What metrics and logs learn about one request.

use std::{sync::Arc, time::Instant};

use axum::{extract::MatchedPath, http::StatusCode};
use tracing::Span;

use super::{DELETE_MESSAGES, DELETE_MESSAGES_BEFORE, LIST_PARTITIONS};
use crate::app::App;

/// What a client that hung up before its answer is counted as.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A request that is being worked on; it ends with [`Observation::answered`], or by being dropped when the client is
/// no longer there.
pub(super) struct Observation {
    app: Arc<App>,
    operation: &'static str,
    started: Instant,
    span: Span,
    answered: bool,
}

impl Observation {
    pub(super) fn start(app: Arc<App>, path: Option<&MatchedPath>, span: Span) -> Self {
        app.metrics.in_flight.inc();
        Self {
            app,
            operation: operation(path),
            started: Instant::now(),
            span,
            answered: false,
        }
    }

    pub(super) fn answered(mut self, status: StatusCode, error_code: Option<&str>) {
        self.answered = true;
        self.end(status.as_u16(), error_code);
    }

    fn end(&self, status: u16, error_code: Option<&str>) {
        let elapsed = self.started.elapsed();
        self.app
            .metrics
            .answered(self.operation, status, elapsed.as_secs_f64());
        let seconds = elapsed.as_secs_f64();
        tracing::info!(parent: &self.span, operation = self.operation, status, error_code, seconds, "request");
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.app.metrics.in_flight.dec();
        if !self.answered {
            self.end(CLIENT_CLOSED_REQUEST, None);
        }
    }
}

fn operation(path: Option<&MatchedPath>) -> &'static str {
    match path.map(MatchedPath::as_str) {
        Some(DELETE_MESSAGES | DELETE_MESSAGES_BEFORE) => "delete_messages",
        Some(LIST_PARTITIONS) => "list_partitions",
        _ => "other",
    }
}
