//! Everything behind the feature `providers`: the sources of credentials that the official SDKs know, regions and projects.

mod cached;
mod chain;
mod container;
mod context;
mod endpoints;
mod federation;
mod metadata;
mod oidc;
mod profile;
mod project;
mod region;
mod request;
#[cfg(feature = "reqwest")]
mod reqwest;
mod transport;

#[cfg(feature = "reqwest")]
pub use reqwest::ReqwestTransport;
pub use {
    cached::CachedProvider,
    chain::ChainProvider,
    container::ContainerProvider,
    context::{Clock, ProviderContext},
    endpoints::EndpointResolver,
    federation::FederationProvider,
    metadata::MetadataProvider,
    oidc::OidcProvider,
    profile::ProfileProvider,
    project::ProjectLookup,
    region::Region,
    transport::{HttpFuture, HttpTransport, TransportError, TransportErrorKind},
};

use crate::{Credentials, ProvideCredentialsFuture, ProviderError};

/// Names the source in the credentials or the error that a future resolves to.
fn named<'a>(
    source: &'static str,
    fetch: impl Future<Output = Result<Credentials, ProviderError>> + Send + 'a,
) -> ProvideCredentialsFuture<'a> {
    Box::pin(async move {
        let credentials = fetch.await.map_err(|error| error.at(source))?;
        Ok(credentials.with_provider_name(source))
    })
}
