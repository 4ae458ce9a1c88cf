//! Runs the attempts of one call, with one deadline.

use std::future::Future;
use std::time::{Duration, SystemTime};

use dms_kafka_client::{self as raw, Attempt};
use http::HeaderValue;
use huaweicloud_auth::Credentials;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{Instrument, Span, field};

use crate::config::{Config, Identity};
use crate::deletion::History;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::ids::{InstanceId, ProjectId, TopicName};
use crate::outcome::Outcome;
use crate::response::{self, Evaluate, RawResult, ValidResponse};
use crate::retry::{self, Situation};
use crate::signing_date::until_next_second;

/// The names that spans use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) name: &'static str,
    pub(crate) method: &'a str,
}

/// The effect of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Reads,
    /// Deletes records before absolute offsets. Repeating it deletes no other records.
    DeletesBefore,
    /// Deletes all records. Repeating it also deletes records that were written since. Equal requests have equal numbers.
    DeletesEverything(u64),
    /// Not known: the contract does not have the operation. It is never repeated.
    Other,
}

pub(crate) struct CallOutput<T> {
    pub(crate) value: T,
    pub(crate) credentials: Credentials,
    pub(crate) history: History,
}

/// Sends the request until a response is valid, a retry is not useful or not safe, or the deadline has passed.
pub(crate) async fn run<T, F: Future<Output = RawResult<T>>>(
    config: &Config,
    deadline: Instant,
    operation: Operation<'_>,
    effect: Effect,
    send: impl Fn(raw::Client, ProjectId) -> F,
) -> Result<CallOutput<T>, Error> {
    run_with(
        config,
        deadline,
        operation,
        effect,
        send,
        response::evaluate,
    )
    .await
}

/// As [`run`], with another rule for the response.
pub(crate) async fn run_with<T, R, F: Future<Output = R>>(
    config: &Config,
    deadline: Instant,
    operation: Operation<'_>,
    effect: Effect,
    send: impl Fn(raw::Client, ProjectId) -> F,
    evaluate: Evaluate<R, T>,
) -> Result<CallOutput<T>, Error> {
    let mut call = Call {
        config,
        effect,
        deadline,
        attempts: 0,
        outcome: Outcome::NotApplied,
        renewed: None,
        may_renew: true,
    };
    loop {
        let identity = call.identity().await?;
        let date = call.date().await?;
        let span = attempt_span(config, operation, call.attempts);
        call.attempts += 1;
        let attempt = attempt(config, call.deadline, &identity, date, &send, evaluate);
        let attempt = attempt.instrument(span);
        let error = match attempt.await {
            Ok(ValidResponse {
                value, request_id, ..
            }) => {
                return Ok(CallOutput {
                    value,
                    credentials: identity.credentials,
                    history: History {
                        request_id,
                        attempts: call.attempts,
                        earlier: call.outcome,
                    },
                });
            }
            Err(error) => error,
        };
        // The request was not sent, nor a redirect followed.
        if error.kind() == ErrorKind::InvalidInput && error.outcome() == Outcome::NotApplied {
            call.attempts -= 1;
        }
        match call.after_failure(&error, &identity.credentials).await {
            Some(pause) => {
                announce_retry(operation, call.attempts, &error, pause);
                sleep(pause).await;
            }
            None => return Err(call.failed(error)),
        }
    }
}

struct Call<'a> {
    config: &'a Config,
    effect: Effect,
    deadline: Instant,
    attempts: u32,
    /// Over all attempts.
    outcome: Outcome,
    /// The new token after one was rejected.
    renewed: Option<Identity>,
    may_renew: bool,
}

impl Call<'_> {
    async fn identity(&mut self) -> Result<Identity, Error> {
        match self.renewed.take() {
            Some(identity) => Ok(identity),
            None => self
                .config
                .identity(self.deadline)
                .await
                .map_err(|error| self.failed(error)),
        }
    }

    /// Returns the date to sign with; `None` is the time of sending.
    async fn date(&self) -> Result<Option<SystemTime>, Error> {
        let Effect::DeletesEverything(request) = self.effect else {
            return Ok(None);
        };
        let date = timeout_at(self.deadline, self.config.dates.next(request)).await;
        date.map(Some).map_err(|elapsed| {
            let message = "the same deletion was sent in this second, and the call timeout ends before the next one";
            let error = Error::new(ErrorKind::Timeout, Outcome::NotApplied, message);
            self.failed(error.with_source(elapsed))
        })
    }

    fn failed(&self, error: Error) -> Error {
        let error = error.with_history(self.attempts, self.outcome);
        match self.effect {
            Effect::Reads | Effect::Other => error.without_deletion(),
            _ => error,
        }
    }

    /// Returns the pause before the next attempt, or `None` for no further attempt.
    async fn after_failure(
        &mut self,
        error: &Error,
        credentials: &Credentials,
    ) -> Option<Duration> {
        if self.effect != Effect::Reads {
            self.outcome = error.outcome().after(self.outcome);
        }
        if error.kind() == ErrorKind::Unauthorized && credentials.is_token() {
            self.config.credentials.invalidate(credentials);
            // Request a new token only if it would be used.
            if self.may_renew && self.pause(error, true).is_some() {
                self.may_renew = false;
                self.renewed = renewed(self.config, self.deadline, credentials).await;
            }
        }
        self.pause(error, error.is_retryable() || self.renewed.is_some())
    }

    fn pause(&self, error: &Error, retryable: bool) -> Option<Duration> {
        if self.effect == Effect::Other {
            return None;
        }
        // The same signature is never sent twice.
        let everything = matches!(self.effect, Effect::DeletesEverything(_))
            .then(|| until_next_second(SystemTime::now()));
        let situation = Situation {
            attempts: self.attempts,
            retryable,
            outcome: self.outcome,
            idempotent: everything.is_none(),
            retry_after: error.retry_after().max(everything),
            time_left: self.deadline.saturating_duration_since(Instant::now()),
            jitter: fastrand::f64(),
        };
        retry::pause(&self.config.settings.retry, &situation)
    }
}

/// The secret that is sent in a request header. The response may repeat it.
pub(crate) fn secret(credentials: &Credentials) -> Option<&str> {
    credentials
        .security_token()
        .or_else(|| credentials.auth_token())
}

/// Returns the instant after `timeout`. A timeout that the clock cannot represent becomes 30 years.
pub(crate) fn after(timeout: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(946_080_000);
    let now = Instant::now();
    now.checked_add(timeout)
        .unwrap_or_else(|| now + THIRTY_YEARS)
}

/// Returns the identity with a new token, if the provider has one.
async fn renewed(config: &Config, deadline: Instant, rejected: &Credentials) -> Option<Identity> {
    let renewed = config.identity(deadline).await.ok()?;
    (renewed.credentials.auth_token() != rejected.auth_token()).then_some(renewed)
}

async fn attempt<T, R, F: Future<Output = R>>(
    config: &Config,
    deadline: Instant,
    identity: &Identity,
    date: Option<SystemTime>,
    send: &impl Fn(raw::Client, ProjectId) -> F,
    evaluate: Evaluate<R, T>,
) -> Result<ValidResponse<T>, Error> {
    let project_header = HeaderValue::from_str(identity.project_id.as_str()).map_err(|error| {
        Error::invalid_input("the project id is not a valid header value").with_source(error)
    })?;
    let mut attempt = Attempt::new(identity.credentials.clone())
        .with_project_id(project_header)
        .with_response_limit(config.response_limit);
    if let Some(date) = date {
        attempt = attempt.with_date(date);
    }
    let base = config.endpoint.url().clone();
    let client = raw::Client::new_with_client(base, config.http.clone(), attempt.clone());
    let begin = Instant::now();
    let end = deadline.min(after(config.settings.attempt_timeout));
    let secret = secret(&identity.credentials);
    let call = send(client, identity.project_id.clone());
    let result = match timeout_at(end, call).await {
        Ok(result) => evaluate(attempt.take_response(), result, secret),
        Err(_) => Err(response::timed_out(
            attempt.take_response(),
            end.saturating_duration_since(begin),
            secret,
        )),
    };
    let result = result.map_err(|error| {
        // The service may have received the request and redirected it to an address that cannot be used.
        if config.may_follow_redirects && error.status().is_none() {
            error.with_outcome(Outcome::Unknown)
        } else {
            error
        }
    });
    record(begin, &result);
    result.map_err(|error| error.with_address(&config.endpoint))
}

/// Runs a call of the API in a span of its own, which contains those of its attempts.
pub(crate) async fn in_span<T>(
    name: &'static str,
    instance_id: Option<&InstanceId>,
    topic: Option<&TopicName>,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let span = tracing::debug_span!(
        "dms_kafka_call",
        otel.name = name,
        dms.instance_id = instance_id.map(InstanceId::as_str),
        messaging.destination.name = topic.map(TopicName::as_str),
        error.r#type = field::Empty,
        dms.attempts = field::Empty,
        dms.outcome = field::Empty,
    );
    let result = call.instrument(span.clone()).await;
    if let Err(error) = &result {
        span.record("error.type", error.kind().as_str());
        span.record("dms.attempts", error.attempts());
        span.record("dms.outcome", error.outcome().as_str());
    }
    result
}

fn announce_retry(operation: Operation<'_>, attempts: u32, error: &Error, pause: Duration) {
    tracing::info!(
        operation = operation.name,
        attempts,
        error.r#type = error.kind().as_str(),
        http.response.status_code = error.status(),
        dms.outcome = error.outcome().as_str(),
        pause_seconds = pause.as_secs_f64(),
        "retrying"
    );
}

/// The span of one attempt, with OpenTelemetry's attribute names for HTTP clients.
fn attempt_span(config: &Config, operation: Operation<'_>, earlier_attempts: u32) -> Span {
    tracing::debug_span!(
        "http_request",
        otel.name = operation.name,
        otel.kind = "client",
        http.request.method = operation.method,
        http.request.resend_count = (earlier_attempts > 0).then_some(earlier_attempts),
        server.address = config.endpoint.host(),
        server.port = config.endpoint.port(),
        http.response.status_code = field::Empty,
        error.r#type = field::Empty,
        dms.request_id = field::Empty,
    )
}

fn record<T>(begin: Instant, result: &Result<ValidResponse<T>, Error>) {
    let span = Span::current();
    let seconds = begin.elapsed().as_secs_f64();
    match result {
        Ok(response) => {
            span.record("http.response.status_code", response.status);
            span.record("dms.request_id", response.request_id.as_deref());
            tracing::debug!(seconds, "response received");
        }
        Err(error) => {
            span.record("http.response.status_code", error.status());
            span.record("error.type", error.kind().as_str());
            span.record("dms.request_id", error.request_id());
            tracing::debug!(seconds, outcome = ?error.outcome(), "attempt failed");
        }
    }
}
