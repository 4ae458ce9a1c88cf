//! The credentials provider of the command.

use std::sync::Arc;

use dms_kafka::auth::{
    ChainProvider, Credentials, Endpoint, ProviderContext, ReqwestTransport, text,
};

/// The sources of the official SDKs. The metadata service of the machine is not asked for a loopback endpoint.
pub(crate) fn provider(endpoint: &Endpoint) -> ChainProvider {
    let mut context = ProviderContext::new(Arc::new(ReqwestTransport::new()));
    if endpoint.is_loopback() {
        context = context.without_metadata("the URL has a loopback address");
    }
    ChainProvider::standard(&context)
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
