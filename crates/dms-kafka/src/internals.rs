//! Access to the decoders and the retry policy without a network, for fuzz targets and benches. Not part of the API.

use std::time::Duration;

use bytes::Bytes;
use dms_kafka_client::{CapturedResponse, Completeness, Error as RawError, ResponseValue};
use futures_util::FutureExt;
use http::Response;

use crate::deletion::{Deletion, History};
use crate::error::Error;
use crate::ids::PartitionId;
use crate::outcome::Outcome;
use crate::partition::DeletionTarget;
use crate::response;
use crate::retry::{self, RetryPolicy, Situation};

/// Evaluates a response as [`send`](crate::DeleteMessages::send) does after the first attempt.
///
/// # Errors
/// The errors of `send` that a response can cause.
pub fn evaluate<'a>(
    requested: &[(PartitionId, DeletionTarget)],
    response: Response<Vec<u8>>,
    secret: impl Into<Option<&'a str>>,
) -> Result<Deletion, Error> {
    let response = response.map(Bytes::from);
    let captured = CapturedResponse {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.body().clone(),
        completeness: Completeness::Complete,
        redirected_to: None,
    };
    let decoded = ResponseValue::from_response(response.into());
    let no_body = Err(RawError::Custom("no body".to_owned()));
    let result = decoded.now_or_never().unwrap_or(no_body);
    let secret = secret.into();
    let valid = response::evaluate(Some(captured), result, secret)?;
    let history = History {
        request_id: valid.request_id,
        attempts: 1,
        earlier: Outcome::NotApplied,
    };
    Ok(Deletion::new(requested, valid.value, secret, history))
}

/// Returns the pause after `attempts` attempts that deleted nothing, or `None` for no further attempt.
pub fn pause(policy: &RetryPolicy, attempts: u32, time_left: Duration) -> Option<Duration> {
    let situation = Situation {
        attempts,
        retryable: true,
        outcome: Outcome::NotApplied,
        idempotent: false,
        retry_after: None,
        time_left,
        jitter: 0.5,
    };
    retry::pause(policy, &situation)
}
