//! The parameters in the path.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::Deserialize;

use crate::{names, refusal::Refusal};

/// Project, instance and topic of a request, percent-decoded.
#[derive(Deserialize)]
pub(super) struct TopicPath {
    pub(super) project_id: String,
    pub(super) instance_id: String,
    pub(super) topic: String,
}

impl TopicPath {
    /// Reads the parameters.
    ///
    /// # Errors
    /// A 400 when they are no UTF-8 once percent-decoded.
    pub(super) async fn read(parts: &mut Parts) -> Result<Self, Refusal> {
        let Path(path) = Path::from_request_parts(parts, &()).await.map_err(|_| {
            Refusal::invalid_parameter("path", "it is not valid percent-encoded UTF-8")
        })?;
        Ok(path)
    }

    /// Whether Kafka could have a topic of that name.
    ///
    /// # Errors
    /// The 400 of an unknown topic.
    pub(super) fn check_topic(&self) -> Result<(), Refusal> {
        if names::is_topic(&self.topic) {
            Ok(())
        } else {
            Err(Refusal::invalid_topic())
        }
    }
}
