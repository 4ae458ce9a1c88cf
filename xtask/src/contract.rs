//! Reads the contract, and refuses what no client can be generated from.

use openapiv3::OpenAPI;

use crate::failure::{Failure, Result};

/// The contract, relative to the root of the checkout.
pub(crate) const CONTRACT: &str = "openapi/dms-kafka.yaml";

/// Parses the contract's text.
pub(crate) fn parse(text: &str) -> Result<OpenAPI> {
    serde_saphyr::from_str(text).map_err(|error| Failure::file(CONTRACT, error))
}
