//! Names of topics, projects and instances.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Kafka's limit.
const MAX_TOPIC_LENGTH: usize = 249;
/// The vendor's limit.
const MAX_ID_LENGTH: usize = 64;

/// The parameters of an API path, percent-decoded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TopicPath {
    pub(crate) project_id: String,
    pub(crate) instance_id: String,
    pub(crate) topic: String,
}

/// Whether Kafka accepts `name` for a topic: 1 to 249 of `A-Z a-z 0-9 . _ -`, but neither `.` nor `..`.
pub(crate) fn is_topic(name: &str) -> bool {
    is_name(name, MAX_TOPIC_LENGTH)
}

/// Checks that `id`, the value of `setting`, is a valid project or instance id, which needs no escaping in a path.
pub(crate) fn check_id(setting: &str, id: &str) -> Result<(), Error> {
    if is_name(id, MAX_ID_LENGTH) {
        return Ok(());
    }
    let rule = "it must be 1 to 64 of A-Z a-z 0-9 . _ -, and neither . nor ..";
    Err(Error::invalid_setting(setting, id, rule))
}

fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=longest).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(allowed)
}
