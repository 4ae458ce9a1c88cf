//! The feature `providers`: credentials providers, regions and projects.

mod cached;
mod chain;
mod container;
mod context;
mod endpoint_resolver;
mod federation;
mod metadata;
mod oidc;
mod profile;
mod project_lookup;
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
    endpoint_resolver::EndpointResolver,
    federation::FederationProvider,
    metadata::MetadataProvider,
    oidc::OidcProvider,
    profile::ProfileProvider,
    project_lookup::ProjectLookup,
    region::Region,
    transport::{HttpFuture, HttpTransport, TransportError, TransportErrorKind},
};

use crate::{Credentials, ProvideCredentialsFuture, ProviderError};

/// Adds the name of the provider to the credentials or the error of a future.
fn named<'a>(
    provider: &'static str,
    fetch: impl Future<Output = Result<Credentials, ProviderError>> + Send + 'a,
) -> ProvideCredentialsFuture<'a> {
    Box::pin(async move {
        let credentials = fetch.await.map_err(|error| error.at(provider))?;
        Ok(credentials.with_provider_name(provider))
    })
}
