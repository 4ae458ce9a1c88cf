//! What was measured of a gateway in front of a real Kafka.

use serde::{Deserialize, Serialize};

use crate::statistics::Spread;

/// Milliseconds of one deletion.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KafkaCost {
    pub(crate) direct: Spread,
    pub(crate) through_the_gateway: Spread,
    /// What the gateway adds at the median of each of several rounds.
    pub(crate) added: Spread,
}
