//! Shared by the tests.

pub(crate) mod recorded;
pub(crate) mod test_request;
pub(crate) mod vectors;

use std::{
    error::Error,
    iter,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use huaweicloud_auth::Credentials;

/// 2026-01-02T03:04:05Z
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

pub(crate) fn key_pair() -> Credentials {
    Credentials::new("AccessKey", "SecretKey").unwrap()
}

pub(crate) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        })
        .collect()
}

/// The messages of an error and its causes. No message may repeat that of its cause.
pub(crate) fn layers(error: &dyn Error) -> Vec<String> {
    let layers: Vec<_> = iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    for pair in layers.windows(2) {
        assert!(
            !pair[0].contains(&pair[1]),
            "a message repeats its cause: {layers:?}"
        );
    }
    layers
}
