//! The credentials provider of the command.

use std::sync::Arc;

use dms_kafka::auth::{
    CachedProvider, ChainProvider, Credentials, Endpoint, ProfileProvider, ProviderContext,
    ReqwestTransport, text,
};

/// The sources of the official SDKs. The metadata service of the machine is not asked for a loopback endpoint.
pub(crate) fn provider(endpoint: &Endpoint) -> ChainProvider {
    let mut context = context();
    if endpoint.is_loopback() {
        context = context.without_metadata("the URL has a loopback address");
    }
    ChainProvider::standard(&context)
}

/// Only a section of the credentials file, whatever the environment has.
pub(crate) fn section(name: &str) -> CachedProvider<ProfileProvider> {
    CachedProvider::new(ProfileProvider::new(&context().with_profile(name)))
}

fn context() -> ProviderContext {
    ProviderContext::new(Arc::new(ReqwestTransport::new()))
}

/// Logs the source, and only the end of the access key.
pub(crate) fn log_source(credentials: &Credentials) {
    let from = credentials.provider_name();
    let what = credentials.access_key().map_or_else(
        || "token".to_owned(),
        |key| format!("access key {}", text::key_hint(key)),
    );
    tracing::info!("{what} from {from}");
}
