//! The paths of the API and their parameters.

use axum::{
    extract::{FromRequestParts, MatchedPath, Path},
    http::request::Parts,
};
use serde::Deserialize;

use crate::{names, refusal::Refusal};

/// The operation of the vendor's page.
pub(super) const DELETE_MESSAGES: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages/delete";
/// What the vendor offered before it, with the same body: some of its regions and tools know no other.
pub(super) const DELETE_MESSAGES_BEFORE: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages";
/// The read-only companion.
pub(super) const LIST_PARTITIONS: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/partitions";

/// What metrics and logs call the operation at a path.
pub(super) fn operation(path: Option<&MatchedPath>) -> &'static str {
    match path.map(MatchedPath::as_str) {
        Some(DELETE_MESSAGES | DELETE_MESSAGES_BEFORE) => "delete_messages",
        Some(LIST_PARTITIONS) => "list_partitions",
        _ => "other",
    }
}

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
    /// A 400 when they are not UTF-8 once percent-decoded.
    pub(super) async fn read(parts: &mut Parts) -> Result<Self, Refusal> {
        let path = Path::from_request_parts(parts, &()).await;
        let Path(path) = path.map_err(|_| {
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
            Err(Refusal::INVALID_TOPIC)
        }
    }
}
