//! Credentials and the trait of credentials providers.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::SystemTime};

use zeroize::Zeroizing;

use crate::{ProviderError, signing::SigningKey, text::key_hint};

/// An access key pair, with or without a security token, or an authentication token.
///
/// Clones share one copy of the secrets, which is overwritten when the last clone is dropped. [`Debug`](fmt::Debug) shows
/// only the last four characters of the access key and the name of the provider.
///
/// ```
/// use huaweicloud_auth::Credentials;
///
/// let credentials = Credentials::new("QTWAOYTTINDUT2QVKYUC", "secret")?.with_security_token("token")?;
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { access_key: "…KYUC", provider: "static" }"#);
/// # Ok::<(), huaweicloud_auth::ProviderError>(())
/// ```
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    identity: Identity,
    expires_at: Option<SystemTime>,
    project_id: Option<String>,
    domain_id: Option<String>,
    iam_endpoint: Option<String>,
    provider_name: &'static str,
}

#[derive(Clone)]
pub(crate) enum Identity {
    KeyPair(KeyPair),
    Token(Zeroizing<String>),
}

#[derive(Clone)]
pub(crate) struct KeyPair {
    pub(crate) access_key: String,
    secret_key: Zeroizing<String>,
    pub(crate) signing_key: SigningKey,
    pub(crate) security_token: Option<Zeroizing<String>>,
}

impl Credentials {
    /// Creates credentials from an access key (AK) and its secret key (SK). They do not expire unless
    /// [`with_expires_at`](Self::with_expires_at) is called.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when a key is empty, starts or ends with whitespace, or contains a
    /// control character; also when the access key contains a comma or anything but visible ASCII, which the
    /// `Authorization` header does not allow.
    pub fn new(
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Result<Self, ProviderError> {
        let secret_key = Zeroizing::new(secret_key.into());
        let access_key = access_key.into();
        require_header_safe("access key", &access_key)?;
        if access_key.contains(',') {
            return Err(ProviderError::invalid(
                "the access key contains a comma, which the Authorization header uses as a separator",
            ));
        }
        require_plain("secret key", &secret_key)?;
        Ok(Self::from_identity(Identity::KeyPair(KeyPair {
            access_key,
            signing_key: SigningKey::new(&secret_key),
            secret_key,
            security_token: None,
        })))
    }

    /// Creates credentials from a token, which is sent as `X-Auth-Token`. Requests with a token are not signed.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when the token is empty or contains anything but visible ASCII.
    pub fn token(auth_token: impl Into<String>) -> Result<Self, ProviderError> {
        let token = Zeroizing::new(auth_token.into());
        require_header_safe("authentication token", &token)?;
        Ok(Self::from_identity(Identity::Token(token)))
    }

    fn from_identity(identity: Identity) -> Self {
        Self(Arc::new(Inner {
            identity,
            expires_at: None,
            project_id: None,
            domain_id: None,
            iam_endpoint: None,
            provider_name: "static",
        }))
    }

    /// Adds the security token of a temporary key pair. It is sent and signed as `X-Security-Token`.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when the token is empty or contains anything but visible ASCII, and
    /// for [`token`](Self::token) credentials.
    pub fn with_security_token(self, token: impl Into<String>) -> Result<Self, ProviderError> {
        let token = Zeroizing::new(token.into());
        require_header_safe("security token", &token)?;
        let mut inner = Arc::unwrap_or_clone(self.0);
        let Identity::KeyPair(pair) = &mut inner.identity else {
            return Err(ProviderError::invalid(
                "a security token requires an access key pair, not an authentication token",
            ));
        };
        pair.security_token = Some(token);
        Ok(Self(Arc::new(inner)))
    }

    /// Sets when the credentials expire.
    #[must_use]
    pub fn with_expires_at(self, expires_at: SystemTime) -> Self {
        self.map(|inner| inner.expires_at = Some(expires_at))
    }

    /// Sets the project that the provider found, for regional services.
    #[must_use]
    pub fn with_project_id(self, project_id: impl Into<String>) -> Self {
        self.map(|inner| inner.project_id = Some(project_id.into()))
    }

    /// Sets the account (domain) that the provider found, for global services.
    #[must_use]
    pub fn with_domain_id(self, domain_id: impl Into<String>) -> Self {
        self.map(|inner| inner.domain_id = Some(domain_id.into()))
    }

    /// Sets the IAM endpoint that the provider found, such as `https://iam.eu-west-101.myhuaweicloud.eu`.
    #[must_use]
    pub fn with_iam_endpoint(self, iam_endpoint: impl Into<String>) -> Self {
        self.map(|inner| inner.iam_endpoint = Some(iam_endpoint.into()))
    }

    /// Sets the name of the provider, which [`Debug`](fmt::Debug) and logs show.
    #[must_use]
    pub fn with_provider_name(self, provider_name: &'static str) -> Self {
        self.map(|inner| inner.provider_name = provider_name)
    }

    fn map(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns the access key, or `None` for a token.
    pub fn access_key(&self) -> Option<&str> {
        self.key_pair().map(|pair| pair.access_key.as_str())
    }

    /// Returns the secret key, or `None` for a token.
    pub fn secret_key(&self) -> Option<&str> {
        self.key_pair().map(|pair| pair.secret_key.as_str())
    }

    /// Returns the security token of a temporary key pair.
    pub fn security_token(&self) -> Option<&str> {
        let token = self.key_pair()?.security_token.as_ref()?;
        Some(token)
    }

    /// Returns the token that is sent as `X-Auth-Token`, or `None` for a key pair.
    pub fn auth_token(&self) -> Option<&str> {
        match &self.0.identity {
            Identity::KeyPair(_) => None,
            Identity::Token(token) => Some(token),
        }
    }

    fn key_pair(&self) -> Option<&KeyPair> {
        match &self.0.identity {
            Identity::KeyPair(pair) => Some(pair),
            Identity::Token(_) => None,
        }
    }

    /// Returns when the credentials expire; `None` when they do not, or when it is not known.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// Returns the project that the provider found.
    pub fn project_id(&self) -> Option<&str> {
        self.0.project_id.as_deref()
    }

    /// Returns the account (domain) that the provider found.
    pub fn domain_id(&self) -> Option<&str> {
        self.0.domain_id.as_deref()
    }

    /// Returns the IAM endpoint that the provider found.
    pub fn iam_endpoint(&self) -> Option<&str> {
        self.0.iam_endpoint.as_deref()
    }

    /// Returns the name of the provider, such as `static` or `environment`.
    pub fn provider_name(&self) -> &'static str {
        self.0.provider_name
    }

    /// Whether these are [`token`](Self::token) credentials.
    pub fn is_token(&self) -> bool {
        matches!(self.0.identity, Identity::Token(_))
    }

    /// Whether this is a clone of the other.
    #[cfg(feature = "providers")]
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access_key = self.access_key().map(key_hint);
        f.debug_struct("Credentials")
            .field("access_key", &access_key.as_deref().unwrap_or("none"))
            .field("provider", &self.0.provider_name)
            .finish()
    }
}

fn require_header_safe(what: &str, value: &str) -> Result<(), ProviderError> {
    require_plain(what, value)?;
    if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ProviderError::invalid(format!(
        "the {what} contains a character that HTTP headers do not allow: use visible ASCII only"
    )))
}

fn require_plain(what: &str, value: &str) -> Result<(), ProviderError> {
    let fault = if value.is_empty() {
        "is empty"
    } else if value.trim() != value {
        "starts or ends with whitespace: remove it"
    } else if value.chars().any(char::is_control) {
        "contains a control character, such as a line break: remove it"
    } else {
        return Ok(());
    };
    Err(ProviderError::invalid(format!("the {what} {fault}")))
}

/// What [`ProvideCredentials::provide_credentials`] returns. Awaiting it may read files or call a service.
pub type ProvideCredentialsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Credentials, ProviderError>> + Send + 'a>>;

/// A credentials provider: a source of credentials. It is called before each attempt.
///
/// Implement it for your own source. Return [`ProviderError::not_found`] when nothing is configured, so that a chain calls
/// the next provider. Return [`ProviderError::invalid`] when the configuration is wrong, so that a chain stops.
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
pub trait ProvideCredentials: fmt::Debug + Send + Sync {
    /// Returns the credentials to use now.
    ///
    /// # Errors
    ///
    /// The future resolves to an error when there are no credentials, when they are invalid, or when a service does not
    /// provide them.
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_>;

    /// Reports that a service refused the credentials. A provider that caches them should fetch new ones next time. The
    /// default does nothing.
    fn invalidate(&self, refused: &Credentials) {
        let _ = refused;
    }
}

/// Provides clones of the credentials.
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
