//! Signs the requests of the generated methods, and captures the responses.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{self, Payload, RequestTarget, X_PROJECT_ID};
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};

use crate::attempt::{Attempt, CapturedResponse, Completeness};
use crate::generated::Client;

/// The generated code adds this header. The API does not define it.
const GENERATOR_HEADER: HeaderName = HeaderName::from_static("api-version");
/// The most memory that is reserved because of `Content-Length` alone.
const LARGEST_RESERVE: usize = 8 * 1024 * 1024;

impl ClientHooks<Attempt> for Client {
    /// Signs the exact bytes that will be sent, with the current date.
    async fn pre<E>(&self, request: &mut Request, _info: &OperationInfo) -> Result<(), Error<E>> {
        let attempt = self.inner();
        let mut headers = std::mem::take(request.headers_mut());
        headers.remove(GENERATOR_HEADER);
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

    /// Sends the request, captures the response in the [`Attempt`], and returns an equal response to the generated code.
    async fn exec(&self, request: Request, _info: &OperationInfo) -> reqwest::Result<Response> {
        let attempt = self.inner();
        let url = request.url().clone();
        let mut response = self.client().execute(request).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let redirected_to = (*response.url() != url).then(|| response.url().clone());
        attempt.captured().response = Some(CapturedResponse {
            status,
            headers: headers.clone(),
            body: Bytes::new(),
            completeness: Completeness::Truncated,
            redirected_to,
        });
        let (body, read) = read_body(response, attempt.response_limit).await;
        if let Some(captured) = attempt.captured().response.as_mut() {
            captured.body = body.clone();
            captured.completeness = *read.as_ref().unwrap_or(&Completeness::Truncated);
        }
        read?;
        Ok(rebuilt(url, status, headers, body))
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

/// Builds the response with its URL, because reqwest would otherwise parse a placeholder.
#[expect(
    clippy::expect_used,
    reason = "no part is converted, so no part can be invalid"
)]
fn rebuilt(url: Url, status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
    let builder = http::Response::builder().status(status).url(url);
    let mut rebuilt = builder.body(body).expect("a valid status and URL");
    *rebuilt.headers_mut() = headers;
    rebuilt.into()
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
