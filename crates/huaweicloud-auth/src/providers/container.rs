//! The credentials provider for pods.

use std::{path::Path, time::Duration};

use http::{HeaderValue, Request, header};
use url::Url;

use super::{
    context::{ProviderContext, read_token},
    named, request,
};
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError, endpoint};

const URI: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// Five seconds to connect and five to respond.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches a temporary key from `HC_CONTAINER_CREDENTIALS_FULL_URI` with the token in the file
/// `HC_CONTAINER_AUTHORIZATION_TOKEN_FILE`: pod identity in a CCE cluster. The URI must be `https`, or have a loopback or
/// link-local address.
///
/// Wrap it in a [`CachedProvider`](crate::CachedProvider), or every call sends a request. The error is
/// [`NotFound`](crate::ProviderErrorKind::NotFound) when neither variable is set.
#[derive(Clone, Debug)]
pub struct ContainerProvider {
    context: ProviderContext,
}

impl ContainerProvider {
    /// Creates a provider that uses the environment and the HTTP client of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
        }
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        let (uri, token_file) = self.context.environment().get_both(URI, TOKEN_FILE)?;
        let url = confidential(&uri).map_err(|error| error.at(URI))?;
        let token = read_token(Path::new(&token_file))?;
        let request = post(&url, &token, &token_file)?;
        let fix = format!("check {URI} and the token in {token_file}");
        request::fetch_key(&self.context, request, TIMEOUT, &token, &fix).await
    }
}

impl ProvideCredentials for ContainerProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        named("container", self.fetch())
    }
}

/// The request contains a token.
fn confidential(uri: &str) -> Result<Url, ProviderError> {
    let url = Url::parse(uri)
        .map_err(|error| ProviderError::invalid("is not a URL").with_source(error))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ProviderError::invalid("contains a user name: remove it"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if endpoint::is_local(&url) => Ok(url),
        _ => Err(ProviderError::invalid(
            "would send the token without encryption: use https, or a loopback or link-local address",
        )),
    }
}

fn post(url: &Url, token: &str, token_file: &str) -> Result<Request<Vec<u8>>, ProviderError> {
    let mut token = HeaderValue::from_str(token).map_err(|_| {
        ProviderError::invalid(format!(
            "the token in {token_file} is not valid in an HTTP header: write it on one line in visible ASCII"
        ))
    })?;
    token.set_sensitive(true);
    Request::post(url.as_str())
        .header(header::AUTHORIZATION, token)
        .header(header::CONTENT_TYPE, "application/json")
        .body(b"{}".to_vec())
        .map_err(|error| {
            ProviderError::invalid("is not a URL")
                .with_source(error)
                .at(URI)
        })
}
