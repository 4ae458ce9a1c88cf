//! Which names topics, projects and instances may have.

use crate::error::Error;

/// Kafka's limit.
const LONGEST_TOPIC: usize = 249;
/// The vendor's limit.
const LONGEST_ID: usize = 64;

/// Whether Kafka accepts `name` for a topic: 1 to 249 of `A-Z a-z 0-9 . _ -`, but neither `.` nor `..`.
pub(crate) fn is_topic(name: &str) -> bool {
    is_name(name, LONGEST_TOPIC)
}

/// Checks that `id` can be a project or an instance, and needs no escaping in a path.
///
/// # Errors
/// An invalid setting called `setting`.
pub(crate) fn check_id(setting: &str, id: &str) -> Result<(), Error> {
    if is_name(id, LONGEST_ID) {
        return Ok(());
    }
    Err(Error::invalid_setting(
        setting,
        id,
        "it must be 1 to 64 of A-Z a-z 0-9 . _ -, and neither . nor ..",
    ))
}

fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=longest).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(allowed)
}
