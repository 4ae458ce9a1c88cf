//! Asks several credentials providers in order.

use std::sync::Arc;

use super::{
    container::ContainerProvider, context::ProviderContext, federation::FederationProvider,
    metadata::MetadataProvider, oidc::OidcProvider, profile::ProfileProvider,
};
use crate::{
    Credentials, EnvironmentProvider, ProvideCredentials, ProvideCredentialsFuture, ProviderError,
};

/// Asks credentials providers in order and returns the first credentials.
///
/// After [`NotFound`](crate::ProviderErrorKind::NotFound), it asks the next provider. Any other error stops it, so that a
/// mistake does not lead to unexpected credentials. The error lists the reason of each provider that was asked, and has the
/// kind of the last one.
///
/// ```
/// use std::sync::Arc;
/// use huaweicloud_auth::{ChainProvider, Credentials, Environment, EnvironmentProvider, ProvideCredentials};
///
/// # async fn run() -> Result<(), huaweicloud_auth::ProviderError> {
/// let nothing = EnvironmentProvider::new(Environment::from_iter([("PATH", "/bin")]));
/// let fixed = Credentials::new("AccessKey", "SecretKey")?;
/// let providers: [Arc<dyn ProvideCredentials>; 2] = [Arc::new(nothing), Arc::new(fixed)];
/// let credentials = ChainProvider::new(providers).provide_credentials().await?;
/// assert_eq!(credentials.provider_name(), "static");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ChainProvider {
    providers: Vec<Arc<dyn ProvideCredentials>>,
}

impl ChainProvider {
    /// Creates a chain of the given providers.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn ProvideCredentials>>) -> Self {
        Self {
            providers: providers.into_iter().collect(),
        }
    }

    /// Creates a chain of the providers of the official SDKs: environment ([OIDC](OidcProvider),
    /// [federation](FederationProvider), [keys](EnvironmentProvider)), [profile](ProfileProvider),
    /// [container](ContainerProvider), [ECS metadata](MetadataProvider).
    ///
    /// The official SDKs ask the container last. Here, what is configured comes before what every machine may have.
    ///
    /// Wrap it in a [`CachedProvider`](crate::CachedProvider), or every call asks the providers again.
    pub fn standard(context: &ProviderContext) -> Self {
        Self::new([
            Arc::new(OidcProvider::new(context)) as Arc<dyn ProvideCredentials>,
            Arc::new(FederationProvider::new(context)),
            Arc::new(EnvironmentProvider::new(context.environment().clone())),
            Arc::new(ProfileProvider::new(context)),
            Arc::new(ContainerProvider::new(context)),
            Arc::new(MetadataProvider::new(context)),
        ])
    }

    async fn first(&self) -> Result<Credentials, ProviderError> {
        let mut message = "no credentials found:".to_owned();
        for provider in &self.providers {
            let error = match provider.provide_credentials().await {
                Ok(credentials) => return Ok(credentials),
                Err(error) => error,
            };
            message.push_str("\n  ");
            message.push_str(&error.to_string());
            if !error.is_not_found() {
                return Err(error.with_message(message));
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
        self.providers
            .iter()
            .for_each(|provider| provider.invalidate(refused));
    }
}
