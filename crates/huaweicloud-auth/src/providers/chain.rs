//! Asking one source after another.

use std::sync::Arc;

use super::{
    container::ContainerProvider, context::ProviderContext, federation::FederationProvider,
    metadata::MetadataProvider, oidc::OidcProvider, profile::ProfileProvider,
};
use crate::{
    Credentials, EnvironmentProvider, ProvideCredentials, ProvideCredentialsFuture, ProviderError,
};

/// Asks its sources in order and takes the first credentials.
///
/// "Nothing here" lets it go on; any other error stops it, so that a mistake in one place is not papered over by another.
/// When nothing is anywhere, the error lists each source with its reason.
///
/// ```
/// use std::sync::Arc;
/// use huaweicloud_auth::{ChainProvider, Credentials, Environment, EnvironmentProvider, ProvideCredentials};
///
/// # async fn run() -> Result<(), huaweicloud_auth::ProviderError> {
/// let nothing = EnvironmentProvider::new(Environment::from_iter([("PATH", "/bin")]));
/// let fixed = Credentials::new("AccessKey", "SecretKey")?;
/// let sources: [Arc<dyn ProvideCredentials>; 2] = [Arc::new(nothing), Arc::new(fixed)];
/// let credentials = ChainProvider::new(sources).provide_credentials().await?;
/// assert_eq!(credentials.provider_name(), "static");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ChainProvider {
    sources: Vec<Arc<dyn ProvideCredentials>>,
}

impl ChainProvider {
    /// A chain of sources of your own.
    pub fn new(sources: impl IntoIterator<Item = Arc<dyn ProvideCredentials>>) -> Self {
        Self {
            sources: sources.into_iter().collect(),
        }
    }

    /// The order of the official SDKs: environment ([OIDC](OidcProvider), [federation](FederationProvider),
    /// [keys](EnvironmentProvider)), [profile](ProfileProvider), [ECS metadata](MetadataProvider),
    /// [container](ContainerProvider).
    ///
    /// Wrap it in a [`CachedProvider`](crate::CachedProvider), else every call asks all over.
    pub fn standard(context: &ProviderContext) -> Self {
        Self::new([
            Arc::new(OidcProvider::new(context)) as Arc<dyn ProvideCredentials>,
            Arc::new(FederationProvider::new(context)),
            Arc::new(EnvironmentProvider::new(context.environment().clone())),
            Arc::new(ProfileProvider::new(context)),
            Arc::new(MetadataProvider::new(context)),
            Arc::new(ContainerProvider::new(context)),
        ])
    }

    async fn first(&self) -> Result<Credentials, ProviderError> {
        let mut message = "no source has credentials:".to_owned();
        for source in &self.sources {
            match source.provide_credentials().await {
                Err(error) if error.is_not_found() => {
                    message.push_str("\n  ");
                    message.push_str(&error.to_string());
                }
                found_or_broken => return found_or_broken,
            }
        }
        Err(ProviderError::not_found(message))
    }
}

impl ProvideCredentials for ChainProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(self.first())
    }

    fn invalidate(&self, refused: &Credentials) {
        self.sources
            .iter()
            .for_each(|source| source.invalidate(refused));
    }
}
