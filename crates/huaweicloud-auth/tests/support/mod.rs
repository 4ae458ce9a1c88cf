//! What several test files share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod recorded;
pub(crate) mod vectors;

use std::{error::Error, iter};

/// The messages of an error and its causes, none of which may repeat the one below it.
pub(crate) fn layers(error: &dyn Error) -> Vec<String> {
    let layers: Vec<_> = iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    for pair in layers.windows(2) {
        assert!(
            !pair[0].contains(&pair[1]),
            "a cause is said twice: {layers:?}"
        );
    }
    layers
}
