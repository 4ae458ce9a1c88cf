//! The credentials provider for pods.

use std::{path::Path, time::Duration};

use http::{HeaderValue, Request, header};

use super::{
    context::{ProviderContext, read_token},
    named, request,
};
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const URI: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// Five seconds to connect and five to respond.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches a temporary key from `HC_CONTAINER_CREDENTIALS_FULL_URI` with the token in the file
/// `HC_CONTAINER_AUTHORIZATION_TOKEN_FILE`: pod identity in a CCE cluster.
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
        let token = read_token(Path::new(&token_file))?;
        let request = post(&uri, &token, &token_file)?;
        let fix = format!("check {URI} and the token in {token_file}");
        request::fetch_key(&self.context, request, TIMEOUT, &token, &fix).await
    }
}

impl ProvideCredentials for ContainerProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        named("container", self.fetch())
    }
}

fn post(uri: &str, token: &str, token_file: &str) -> Result<Request<Vec<u8>>, ProviderError> {
    let mut token = HeaderValue::from_str(token).map_err(|_| {
        ProviderError::invalid(format!(
            "the token in {token_file} is not valid in an HTTP header: write it on one line in visible ASCII"
        ))
    })?;
    token.set_sensitive(true);
    let request = Request::post(uri)
        .header(header::AUTHORIZATION, token)
        .header(header::CONTENT_TYPE, "application/json")
        .body(b"{}".to_vec())
        .map_err(|error| {
            ProviderError::invalid("is not a URL")
                .with_source(error)
                .at(URI)
        })?;
    let authority = request.uri().authority();
    if authority.is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(ProviderError::invalid("contains a user name: remove it").at(URI));
    }
    Ok(request)
}
