//! Patterns of topic names.

use std::fmt;

use dms_kafka::TopicName;
use wildmatch::WildMatch;

/// A topic name in which `*` is any number of characters and `?` is one.
#[derive(Clone, Debug)]
pub(crate) struct TopicPattern(String);

impl TopicPattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        match TopicName::new(text.replace(['*', '?'], "x")) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{error}; in a pattern also '*' and '?'")),
        }
    }

    /// The topic, if this is the name of one.
    pub(crate) fn exact(&self) -> Option<TopicName> {
        TopicName::new(&self.0).ok()
    }

    pub(crate) fn matches(&self, topic: &TopicName) -> bool {
        WildMatch::new(&self.0).matches(topic.as_str())
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
