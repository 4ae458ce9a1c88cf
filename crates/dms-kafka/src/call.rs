//! The attempts of one call, under one deadline.

use std::future::Future;

use dms_kafka_client::{self as raw, Attempt};
use huaweicloud_auth::Credentials;
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer::{self, RawResult, Trusted};
use crate::client::Config;
use crate::error::{Error, ErrorKind};
use crate::outcome::Outcome;
use crate::retry::{self, Decision, Situation};

/// Sends until an answer can be trusted, retrying is no use, or the deadline has come.
///
/// `send` makes one request with the client it is given; `idempotent` says that repeating it cannot
/// delete more than it names.
pub(crate) async fn run<T, F, S>(
    config: &Config,
    idempotent: bool,
    send: S,
) -> Result<Trusted<T>, Error>
where
    S: Fn(raw::Client) -> F,
    F: Future<Output = RawResult<T>>,
{
    let deadline = Instant::now() + config.call_timeout;
    let mut attempts = 0;
    let mut outcome = Outcome::NotApplied;
    loop {
        let credentials = credentials(config, deadline)
            .await
            .map_err(|error| error.with_history(attempts, outcome))?;
        attempts += 1;
        let error = match attempt(config, deadline, credentials, &send).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        outcome = error.outcome().after(outcome);
        tracing::debug!(attempt = attempts, error = %error, "attempt failed");
        let situation = Situation {
            attempts,
            retryable: error.is_retryable(),
            outcome,
            idempotent,
            retry_after: error.retry_after(),
            time_left: deadline.saturating_duration_since(Instant::now()),
            jitter: fastrand::f64(),
        };
        match retry::decide(&config.retry, &situation) {
            Decision::RetryAfter(pause) => sleep(pause).await,
            Decision::Stop => return Err(error.with_history(attempts, outcome)),
        }
    }
}

async fn credentials(config: &Config, deadline: Instant) -> Result<Credentials, Error> {
    let failed = |message: String| Error::new(ErrorKind::Credentials, Outcome::NotApplied, message);
    match timeout_at(deadline, config.credentials.provide_credentials()).await {
        Ok(Ok(credentials)) => Ok(credentials),
        Ok(Err(error)) => Err(failed(format!("no credentials: {error}")).with_source(error)),
        Err(_) => Err(failed(
            "no credentials within the call's time-out".to_owned(),
        )),
    }
}

async fn attempt<T, F, S>(
    config: &Config,
    deadline: Instant,
    credentials: Credentials,
    send: &S,
) -> Result<Trusted<T>, Error>
where
    S: Fn(raw::Client) -> F,
    F: Future<Output = RawResult<T>>,
{
    let attempt = Attempt::new(credentials.clone())
        .with_project_id(config.project_header.clone())
        .with_answer_limit(config.answer_limit);
    let client =
        raw::Client::new_with_client(config.endpoint.base(), config.http.clone(), attempt.clone());
    let end = deadline.min(Instant::now() + config.attempt_timeout);
    let secret = credentials.security_token().or(credentials.auth_token());
    match timeout_at(end, send(client)).await {
        Ok(result) => answer::judge(attempt.take_answer(), result, secret),
        Err(_) => Err(answer::late(
            attempt.take_answer(),
            config.attempt_timeout.min(config.call_timeout),
        )),
    }
}
