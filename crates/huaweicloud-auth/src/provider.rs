//! The one trait behind every source of credentials.

use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc};

use crate::{Credentials, CredentialsError};

/// What [`ProvideCredentials::provide_credentials`] returns; awaiting it may read files or ask a service.
pub type ProvideCredentialsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Credentials, CredentialsError>> + Send + 'a>>;

/// A source of credentials, asked before each call.
///
/// Implement it to bring your own source. Tell "nothing here" ([`CredentialsError::not_found`]) from "broken"
/// ([`CredentialsError::invalid`]): a chain goes on after the first and stops at the second.
///
/// ```
/// use huaweicloud_auth::{Credentials, ProvideCredentials, ProvideCredentialsFuture};
///
/// #[derive(Debug)]
/// struct Vault;
///
/// impl ProvideCredentials for Vault {
///     fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
///         Box::pin(async { Ok(Credentials::new("AccessKey", "SecretKey")?.with_provider_name("vault")) })
///     }
/// }
/// let _object_safe: Box<dyn ProvideCredentials> = Box::new(Vault);
/// ```
pub trait ProvideCredentials: Debug + Send + Sync {
    /// The credentials to use now.
    ///
    /// # Errors
    ///
    /// The future resolves to an error when there are none, when they cannot be used, or when the source cannot be asked.
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_>;

    /// Tells the source that a service refused these credentials, so that one which keeps them asks for new ones next time.
    /// Does nothing unless implemented.
    fn invalidate(&self, refused: &Credentials) {
        let _ = refused;
    }
}

/// Fixed credentials are their own source.
impl ProvideCredentials for Credentials {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}

impl<P: ProvideCredentials + ?Sized> ProvideCredentials for Arc<P> {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        (**self).provide_credentials()
    }

    fn invalidate(&self, refused: &Credentials) {
        (**self).invalidate(refused);
    }
}
