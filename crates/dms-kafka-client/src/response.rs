//! Responses whose bodies have been read.
#![allow(
    dead_code,
    clippy::result_large_err,
    reason = "a contract may not need all functions; the error is that of the caller"
)]

use bytes::Bytes;
use progenitor_client::{Error, ResponseValue};
use reqwest::{Response, ResponseBuilderExt};
use serde::de::DeserializeOwned;

/// The body, in the extensions of the response.
#[derive(Clone)]
pub(crate) struct ReadBody(pub(crate) Bytes);

/// Decodes the response. `ResponseValue::from_response` copies the headers, and reads the body again.
pub(crate) fn decoded<T: DeserializeOwned, E>(
    mut response: Response,
) -> Result<ResponseValue<T>, Error<E>> {
    let body = take_body(&mut response);
    let value = serde_json::from_slice(&body)
        .map_err(|error| Error::InvalidResponsePayload(body, error))?;
    let headers = std::mem::take(response.headers_mut());
    Ok(ResponseValue::new(value, response.status(), headers))
}

/// Returns the response with its body, and with its URL, because reqwest would otherwise parse a placeholder.
#[expect(
    clippy::expect_used,
    reason = "no part is converted, so no part can be invalid"
)]
pub(crate) fn complete(mut response: Response) -> Response {
    let builder = http::Response::builder().status(response.status());
    let body = take_body(&mut response);
    let complete = builder.url(response.url().clone()).body(body);
    let mut complete = complete.expect("a valid status and URL");
    *complete.headers_mut() = std::mem::take(response.headers_mut());
    complete.into()
}

fn take_body(response: &mut Response) -> Bytes {
    let body = response.extensions_mut().remove();
    body.map(|ReadBody(body)| body).unwrap_or_default()
}
