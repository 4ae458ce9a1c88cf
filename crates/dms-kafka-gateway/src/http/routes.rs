//! The paths of the API.

use axum::extract::MatchedPath;

/// The operation of the vendor's page.
pub(super) const DELETE_MESSAGES: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages/delete";
/// The vendor's earlier path, with the same body: some of its regions and tools know no other.
pub(super) const DELETE_MESSAGES_BEFORE: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages";
/// The read-only companion.
pub(super) const LIST_PARTITIONS: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/partitions";

/// The operation at a path in metrics and logs.
pub(super) fn operation(path: Option<&MatchedPath>) -> &'static str {
    match path.map(MatchedPath::as_str) {
        Some(DELETE_MESSAGES | DELETE_MESSAGES_BEFORE) => "delete_messages",
        Some(LIST_PARTITIONS) => "list_partitions",
        _ => "other",
    }
}
