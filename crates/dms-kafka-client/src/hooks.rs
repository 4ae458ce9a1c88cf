//! Signs the requests of the generated methods, and captures the responses.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{self, Payload, RequestTarget, X_PROJECT_ID};
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::{Body, Request, Response};

use crate::attempt::{Attempt, CapturedResponse, Completeness};
use crate::generated::Client;
use crate::response::ReadBody;

/// The most memory that is reserved because of `Content-Length` alone.
const LARGEST_RESERVE: usize = 8 * 1024 * 1024;

impl ClientHooks<Attempt> for Client {
    /// Signs the exact bytes that will be sent, with the current date.
    async fn pre<E>(&self, request: &mut Request, _info: &OperationInfo) -> Result<(), Error<E>> {
        let attempt = self.inner();
        let mut headers = std::mem::take(request.headers_mut());
        // The client decodes no content coding. Proxies may change this header, so it is not signed.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(project_id) = &attempt.project_id {
            headers.insert(X_PROJECT_ID, project_id.clone());
        }
        let Some(credentials) = &attempt.credentials else {
            *request.headers_mut() = headers;
            attempt.captured().request = request.try_clone();
            return Err(Error::Custom(
                "the request was built and not sent".to_owned(),
            ));
        };
        let date = attempt.date.unwrap_or_else(SystemTime::now);
        let authorized = authorize(credentials, request, &mut headers, date);
        *request.headers_mut() = headers;
        authorized.map_err(Error::Custom)
    }

    /// Sends the request and captures the response in the [`Attempt`]. The returned response has its body as an extension.
    async fn exec(&self, request: Request, _info: &OperationInfo) -> reqwest::Result<Response> {
        let attempt = self.inner();
        let url = request.url().clone();
        let mut response = self.client().execute(request).await?;
        let redirected_to = (*response.url() != url).then(|| response.url().clone());
        attempt.captured().response = Some(CapturedResponse {
            status: response.status(),
            headers: response.headers().clone(),
            body: Bytes::new(),
            completeness: Completeness::Truncated,
            redirected_to,
        });
        let (body, read) = read_body(&mut response, attempt.response_limit).await;
        if let Some(captured) = attempt.captured().response.as_mut() {
            captured.body = body.clone();
            captured.completeness = *read.as_ref().unwrap_or(&Completeness::Truncated);
        }
        read?;
        response.extensions_mut().insert(ReadBody(body));
        Ok(response)
    }
}

impl Client {
    /// Signs and sends a request that the contract does not describe. The [`Attempt`] captures the response.
    ///
    /// # Errors
    /// Those of signing, sending and reading the response, whatever its status.
    pub async fn send_other<E>(&self, mut request: Request) -> Result<(), Error<E>> {
        let info = OperationInfo {
            operation_id: "other",
        };
        self.pre(&mut request, &info).await?;
        self.exec(request, &info).await?;
        Ok(())
    }
}

fn authorize(
    credentials: &Credentials,
    request: &Request,
    headers: &mut HeaderMap,
    date: SystemTime,
) -> Result<(), String> {
    let url = request.url();
    let body = match request.body() {
        None => &[],
        Some(body) => Body::as_bytes(body).ok_or("a streamed request body cannot be signed")?,
    };
    let target = RequestTarget {
        method: request.method(),
        // Equals the `Host` header: no default port, and reqwest has removed user and password.
        host: url.authority(),
        path: url.path(),
        query: url.query().unwrap_or_default(),
    };
    signing::authorize(credentials, target, headers, Payload::Bytes(body), date)
        .map_err(|error| error.to_string())
}

/// Reads up to `limit` bytes. Returns them even if the connection breaks.
async fn read_body(
    response: &mut Response,
    limit: usize,
) -> (Bytes, reqwest::Result<Completeness>) {
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
