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
    /// Empty for an operation on the whole instance.
    #[serde(default)]
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

/// A pattern of topic names, in which `*` is any number of characters.
#[derive(Clone, Debug)]
pub(crate) struct TopicPattern(String);

impl TopicPattern {
    /// Checks the patterns of a setting.
    pub(crate) fn all<'a>(
        setting: &str,
        patterns: impl IntoIterator<Item = &'a String>,
    ) -> Result<Vec<Self>, Error> {
        let checked = patterns.into_iter().map(|pattern| {
            if is_topic(&pattern.replace('*', "x")) {
                return Ok(Self(pattern.clone()));
            }
            let rule = "a pattern of topics must be 1 to 249 of A-Z a-z 0-9 . _ - and *";
            Err(Error::invalid_setting(setting, pattern, rule))
        });
        checked.collect()
    }

    pub(crate) fn matches(&self, topic: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = topic.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        // The leftmost match of each part leaves the most for the parts after it.
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_topics() {
        for (pattern, matching, others) in [
            (
                "orders",
                &["orders"][..],
                &["", "order", "orders-1", "Orders"][..],
            ),
            ("*", &["a", "a.b"], &[]),
            (
                "orders-*",
                &["orders-", "orders-eu"],
                &["orders", "xorders-1"],
            ),
            ("*-eu", &["-eu", "orders-eu"], &["orders-eu-1", "eu"]),
            ("a*a", &["aa", "aba"], &["a", "ab", "ba"]),
            (
                "a*b*c",
                &["abc", "axbbc", "abcbc"],
                &["ac", "acb", "ab", "bc"],
            ),
            ("a*bc*bc", &["abcbc", "abcxbc"], &["abc", "abcb"]),
            ("**", &["a"], &[]),
            ("a.b", &["a.b"], &["axb"]),
        ] {
            let text = pattern.to_owned();
            let pattern = TopicPattern::all("topics", [&text])
                .expect("a pattern")
                .remove(0);
            for topic in matching {
                assert!(pattern.matches(topic), "{text} {topic:?}");
            }
            for topic in others {
                assert!(!pattern.matches(topic), "{text} {topic:?}");
            }
        }
    }

    #[test]
    fn invalid_patterns() {
        for pattern in [
            "",
            "a b",
            "orders-?",
            "[a]",
            ".",
            "..",
            "é*",
            &"x".repeat(250),
        ] {
            let pattern = pattern.to_owned();
            let checked = TopicPattern::all("topics", [&pattern]);
            assert!(checked.is_err(), "{pattern:?}");
        }
    }
}
