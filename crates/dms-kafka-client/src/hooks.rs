//! The seam between the generated methods and the network.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{self, Payload, RequestTarget, X_PROJECT_ID};
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};

use crate::attempt::{Answer, Attempt, Completeness};
use crate::generated::Client;

/// Added to each request by the generator. The API does not have it, so it is not sent.
const GENERATOR_HEADER: &str = "api-version";
/// An announced length is only a promise: no more memory than this is taken before bytes arrive.
const LARGEST_RESERVE: usize = 8 * 1024 * 1024;

impl ClientHooks<Attempt> for Client {
    /// Signs the exact bytes that will be sent, with a fresh date.
    async fn pre<E>(&self, request: &mut Request, _info: &OperationInfo) -> Result<(), Error<E>> {
        let attempt = self.inner();
        let mut headers = std::mem::take(request.headers_mut());
        headers.remove(GENERATOR_HEADER);
        if let Some(project_id) = &attempt.project_id {
            headers.insert(X_PROJECT_ID, project_id.clone());
        }
        let Some(credentials) = &attempt.credentials else {
            *request.headers_mut() = headers;
            attempt.captured().request = request.try_clone();
            return Err(Error::Custom(
                "the request is built and not sent".to_owned(),
            ));
        };
        let authorized = authorize(credentials, request, &mut headers);
        *request.headers_mut() = headers;
        authorized.map_err(Error::Custom)
    }

    /// Sends the request and keeps what arrives of the answer in the [`Attempt`], then hands the
    /// generated code a response rebuilt from it.
    async fn exec(&self, request: Request, _info: &OperationInfo) -> reqwest::Result<Response> {
        let attempt = self.inner();
        let mut response = self.client().execute(request).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let url = response.url().clone();
        attempt.captured().answer = Some(Answer {
            status,
            headers: headers.clone(),
            body: Bytes::new(),
            completeness: Completeness::Truncated,
        });
        let (body, read) = read_body(response, attempt.answer_limit).await;
        if let Some(answer) = attempt.captured().answer.as_mut() {
            answer.body = body.clone();
            answer.completeness = *read.as_ref().unwrap_or(&Completeness::Truncated);
        }
        read?;
        Ok(rebuilt(url, status, headers, body))
    }
}

/// A response with its URL; without one, a placeholder would be parsed each time.
#[expect(
    clippy::expect_used,
    reason = "nothing is converted on the way, so nothing can be invalid"
)]
fn rebuilt(url: Url, status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
    let builder = http::Response::builder().status(status).url(url);
    let mut rebuilt = builder.body(body).expect("a status and a URL are given");
    *rebuilt.headers_mut() = headers;
    rebuilt.into()
}

fn authorize(
    credentials: &Credentials,
    request: &Request,
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let url = request.url();
    let body = match request.body() {
        None => &[],
        Some(body) => Body::as_bytes(body).ok_or("a streamed request body cannot be signed")?,
    };
    let target = RequestTarget {
        method: request.method(),
        // Without the scheme's own port, as in the `Host` header; reqwest has taken user and password out.
        host: url.authority(),
        path: url.path(),
        query: url.query().unwrap_or_default(),
    };
    signing::authorize(
        credentials,
        target,
        headers,
        Payload::Bytes(body),
        SystemTime::now(),
    )
    .map_err(|error| error.to_string())
}

/// Reads up to `limit` bytes; what was read is returned even when the connection broke.
async fn read_body(mut response: Response, limit: usize) -> (Bytes, reqwest::Result<Completeness>) {
    let announced = response.content_length().unwrap_or_default();
    let room = usize::try_from(announced).unwrap_or(limit).min(limit);
    let mut body = BytesMut::with_capacity(room.min(LARGEST_RESERVE));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = limit - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return (body.freeze(), Ok(Completeness::OverLimit));
                }
            }
            Ok(None) => return (body.freeze(), Ok(Completeness::Complete)),
            Err(error) => return (body.freeze(), Err(error)),
        }
    }
}
