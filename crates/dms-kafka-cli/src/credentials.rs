//! The credentials provider of the command.

use std::sync::Arc;

use dms_kafka::auth::{ChainProvider, Credentials, ProviderContext, ReqwestTransport, text};

/// The sources of the official SDKs: environment, profile, metadata of the machine, container.
pub(crate) fn provider() -> ChainProvider {
    ChainProvider::standard(&ProviderContext::new(Arc::new(ReqwestTransport::new())))
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
