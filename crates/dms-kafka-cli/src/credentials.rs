//! Where credentials come from.

use std::sync::Arc;

use dms_kafka::auth::{ChainProvider, Credentials, ProviderContext, ReqwestTransport, text};

/// The official SDKs' sources: environment, profile, metadata of the machine, container.
pub(crate) fn provider() -> ChainProvider {
    ChainProvider::standard(&ProviderContext::new(Arc::new(ReqwestTransport::new())))
}

/// Says which source they are from, without showing them.
pub(crate) fn log_source(credentials: &Credentials) {
    let from = credentials.provider_name();
    let what = credentials.access_key().map_or_else(
        || "token".to_owned(),
        |key| format!("access key {}", text::key_hint(key)),
    );
    tracing::info!("{what} from {from}");
}
