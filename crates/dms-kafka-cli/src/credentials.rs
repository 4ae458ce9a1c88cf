//! Where credentials come from.

use std::sync::Arc;

use dms_kafka::auth::{ChainProvider, Credentials, ProviderContext, ReqwestTransport};

/// The official SDKs' sources: environment, profile, metadata of the machine, container.
pub(crate) fn provider() -> ChainProvider {
    ChainProvider::standard(&ProviderContext::new(Arc::new(ReqwestTransport::new())))
}

/// Says which source they are from, without showing them.
pub(crate) fn tell(credentials: &Credentials) {
    tracing::info!("{credentials:?}");
}
