//! The sources of credentials that the official SDKs know.

#[cfg(feature = "providers")]
mod cached;
#[cfg(feature = "providers")]
mod chain;
#[cfg(feature = "providers")]
mod container;
mod environment;
#[cfg(feature = "providers")]
mod federation;
#[cfg(feature = "providers")]
mod metadata;
#[cfg(feature = "providers")]
mod oidc;
#[cfg(feature = "providers")]
mod profile;
#[cfg(feature = "providers")]
mod temporary_key;

pub use environment::EnvironmentProvider;
#[cfg(feature = "providers")]
pub use {
    cached::CachedProvider, chain::ChainProvider, container::ContainerProvider,
    federation::FederationProvider, metadata::MetadataProvider, oidc::OidcProvider,
    profile::ProfileProvider,
};
