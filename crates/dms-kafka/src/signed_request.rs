//! Sends signed requests for operations that the contract does not have.

use bytes::Bytes;
use dms_kafka_client as raw;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderName, Method, Request, Response};
use huaweicloud_auth::signing::{
    X_AUTH_TOKEN, X_PROJECT_ID, X_SDK_CONTENT_SHA256, X_SDK_DATE, X_SECURITY_TOKEN,
};

use crate::call::{self, Effect, Operation};
use crate::config::Config;
use crate::error::Error;
use crate::ids::ProjectId;
use crate::response;

/// The headers that the client sets, and those of the connection.
const OWN_HEADERS: [HeaderName; 12] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
    X_AUTH_TOKEN,
    X_PROJECT_ID,
    X_SDK_CONTENT_SHA256,
    X_SDK_DATE,
    X_SECURITY_TOKEN,
];

pub(crate) async fn send(
    config: &Config,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Error> {
    let request = for_endpoint(config, request)?;
    let operation = Operation {
        name: "SignedRequest",
        method: request.method().as_str(),
    };
    let send = |client: raw::Client, _: ProjectId| {
        let request = request.try_clone();
        async move {
            let not_repeatable = || raw::Error::Custom("the request cannot be copied".to_owned());
            client.send_other(request.ok_or_else(not_repeatable)?).await
        }
    };
    let deadline = call::after(config.settings.call_timeout);
    let call = call::run_with(
        config,
        deadline,
        operation,
        Effect::Other,
        send,
        response::evaluate_other,
    );
    Ok(call::in_span("send_signed", None, None, call).await?.value)
}

/// Refuses a request that would be sent to another place, or in another form, than it says.
fn for_endpoint(config: &Config, request: Request<Bytes>) -> Result<reqwest::Request, Error> {
    let (parts, body) = request.into_parts();
    if let Some(name) = OWN_HEADERS
        .iter()
        .find(|name| parts.headers.contains_key(*name))
    {
        let message =
            format!("the client sets the header {name} itself: remove it from the request");
        return Err(Error::invalid_input(message));
    }
    if parts.method == Method::CONNECT {
        return Err(Error::invalid_input(
            "the method CONNECT is not for services",
        ));
    }
    let path = parts.uri.path_and_query().map(PathAndQuery::as_str);
    let is_path = parts.uri.scheme().is_none() && parts.uri.authority().is_none();
    let path = path
        .filter(|path| is_path && path.starts_with('/'))
        .ok_or_else(|| {
            Error::invalid_input(
                "the URI is not a path: the request goes to the endpoint of the client",
            )
        })?;
    let url = reqwest::Url::parse(&format!("{}{path}", config.endpoint.base()));
    // A URL parser removes dot segments, and encodes some characters.
    let url = url
        .ok()
        .filter(|url| url.as_str().strip_prefix(config.endpoint.base()) == Some(path))
        .ok_or_else(|| {
            Error::invalid_input(
                "the path is not in normal form: percent-encode it, without the segments . and ..",
            )
        })?;
    let mut sent = reqwest::Request::new(parts.method, url);
    *sent.headers_mut() = parts.headers;
    if !body.is_empty() {
        *sent.body_mut() = Some(body.into());
    }
    Ok(sent)
}
