//! Warnings about requests whose sender is not authenticated, or not permitted to send them.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::http::{HeaderValue, Uri};
use huaweicloud_auth::text;

use crate::{
    protection::{RateLimit, RateLimiter},
    refusal::Refusal,
};

/// Anyone can send such requests, so only this many lines are written: a burst, then one per second.
const LINES: RateLimit = RateLimit {
    requests_per_second: NonZeroU32::MIN,
    burst: NonZeroU32::new(20).unwrap(),
};
pub(crate) const MAX_PATH: usize = 1000;
/// The most characters of the access key that a request claims.
const MAX_ACCESS_KEY: usize = 100;
/// The most characters of a reason, which may quote the name of a header.
const MAX_REASON: usize = 300;

#[derive(Debug)]
pub(crate) struct RefusalLog {
    limiter: RateLimiter,
    /// Requests without a line since the last line.
    omitted: AtomicU64,
}

impl RefusalLog {
    pub(crate) fn new() -> Self {
        Self {
            limiter: RateLimiter::new(LINES),
            omitted: AtomicU64::new(0),
        }
    }

    /// Says who wanted what, with which access key, and why it was refused.
    pub(crate) fn warn(
        &self,
        message: &'static str,
        request_id: &str,
        uri: &Uri,
        peer: Option<SocketAddr>,
        authorization: Option<&HeaderValue>,
        refusal: &Refusal,
    ) {
        if self.limiter.check().is_err() {
            self.omitted.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // This one quotes the request.
        let quotes = refusal.kind == Refusal::WRONG_SIGNATURE.kind;
        let reason = (!quotes).then(|| text::sanitize(&refusal.message, &[], MAX_REASON));
        let authorization = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let access_key = authorization.as_deref().and_then(claimed_access_key);
        let access_key = access_key.map(|key| text::sanitize(key, &[], MAX_ACCESS_KEY));
        tracing::warn!(
            request_id,
            path = &*text::sanitize(uri.path(), &[], MAX_PATH),
            peer = peer.map(tracing::field::display),
            access_key = access_key.as_deref(),
            kind = refusal.kind,
            reason = reason.as_deref(),
            omitted = self.omitted.swap(0, Ordering::Relaxed),
            "{message}"
        );
    }
}

/// The access key in an `Authorization` header, which may be invalid.
fn claimed_access_key(authorization: &str) -> Option<&str> {
    let (_, access_key) = authorization.split_once("Access=")?;
    access_key.split([',', ' ']).next()
}
