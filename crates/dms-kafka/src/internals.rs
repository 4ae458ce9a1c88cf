//! Ways to the decoders and to the retry decision without a network, for fuzz targets and benches. No part of the API.

use std::time::Duration;

use bytes::Bytes;
use dms_kafka_client::{Answer, Completeness, Error as RawError, ResponseValue};
use futures_util::FutureExt;
use http::Response;

use crate::answer;
use crate::deletion::{Deletion, History};
use crate::error::Error;
use crate::ids::PartitionId;
use crate::outcome::Outcome;
use crate::partition::DeletionTarget;
use crate::retry::{self, RetryPolicy, Situation};

/// Judges an answer that came at the first attempt, as [`send`](crate::DeleteMessages::send) does.
///
/// # Errors
/// Those of `send` that an answer causes.
pub fn judge(
    requested: &[(PartitionId, DeletionTarget)],
    response: Response<Vec<u8>>,
    secret: &str,
) -> Result<Deletion, Error> {
    let response = response.map(Bytes::from);
    let answer = Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.body().clone(),
        completeness: Completeness::Complete,
    };
    let decoded = ResponseValue::from_response(response.into());
    let broken = Err(RawError::Custom("the body is not there".to_owned()));
    let result = decoded.now_or_never().unwrap_or(broken);
    let secret = Some(secret);
    let trusted = answer::judge(Some(answer), result, secret)?;
    let history = History {
        request_id: trusted.request_id,
        attempts: 1,
        earlier: Outcome::NotApplied,
    };
    Ok(Deletion::judge(requested, trusted.value, secret, history))
}

/// How long to wait after so many attempts that certainly did nothing; `None` for not at all.
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
