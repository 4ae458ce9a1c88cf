//! Where credentials come from.

use std::sync::Arc;

use dms_kafka::auth::{ChainProvider, Credentials, ProviderContext, ReqwestTransport};

/// The official SDKs' sources: environment, profile, metadata of the machine, container.
pub(crate) fn provider() -> ChainProvider {
    ChainProvider::standard(&ProviderContext::new(Arc::new(ReqwestTransport::new())))
}

/// Says which source they are from, without showing them.
pub(crate) fn tell(credentials: &Credentials) {
    let from = credentials.provider_name();
    let what = credentials.access_key().map_or_else(
        || "token".to_owned(),
        |key| format!("access key …{}", tail(key)),
    );
    tracing::info!("{what} from {from}");
}

/// Enough to tell one key from another; nothing of a short one.
fn tail(key: &str) -> &str {
    const SHOWN: usize = 4;
    let start = key.len().saturating_sub(SHOWN);
    if start < SHOWN {
        ""
    } else {
        key.get(start..).unwrap_or_default()
    }
}
