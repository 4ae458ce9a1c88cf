//! An answer's way through the decoders without a network, for the fuzz targets. Only cargo-fuzz compiles it.

use dms_kafka_client::{Answer, Completeness, Error as RawError, ResponseValue};
use futures_util::FutureExt;
use http::Response;

use crate::deletion::History;
use crate::{Deletion, DeletionTarget, Error, Outcome, answer, delete};

/// Judges an answer that came at the first attempt, as [`send`](crate::DeleteMessages::send) does.
///
/// # Errors
/// Those of `send` that an answer causes.
pub fn judge(
    requested: &[(i32, DeletionTarget)],
    response: Response<Vec<u8>>,
    secret: &str,
) -> Result<Deletion, Error> {
    let answer = Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.body().clone().into(),
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
    Ok(delete::judge(requested, trusted.value, secret, history))
}
