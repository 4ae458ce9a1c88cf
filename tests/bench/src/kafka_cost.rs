//! What was measured of a gateway in front of a real Kafka.

use serde::{Deserialize, Serialize};

use crate::statistics::Spread;

/// Milliseconds of one deletion.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KafkaCost {
    pub(crate) direct: Spread,
    pub(crate) through_the_gateway: Spread,
}

impl KafkaCost {
    /// What the gateway adds to the middle one.
    pub(crate) fn added(&self) -> f64 {
        self.through_the_gateway.median - self.direct.median
    }
}
