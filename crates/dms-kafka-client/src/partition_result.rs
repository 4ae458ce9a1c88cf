//! The word for what became of a partition.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The word `success` when the records of a partition were deleted, another word when they were not.
///
/// ```
/// use dms_kafka_client::PartitionResult;
///
/// let result: PartitionResult = serde_json::from_str(r#""success""#)?;
/// assert_eq!(result.as_str(), "success");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PartitionResult(Cow<'static, str>);

/// What nearly every item says: no allocation for each of them.
const SUCCESS: Cow<'static, str> = Cow::Borrowed("success");

impl PartitionResult {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The word, taken out.
    pub fn into_text(self) -> Cow<'static, str> {
        self.0
    }
}

impl fmt::Display for PartitionResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for PartitionResult {
    fn from(word: &str) -> Self {
        Self(match word {
            "success" => SUCCESS,
            word => Cow::Owned(word.to_owned()),
        })
    }
}

impl<'de> Deserialize<'de> for PartitionResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word)
    }
}

struct Word;

impl Visitor<'_> for Word {
    type Value = PartitionResult;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<PartitionResult, E> {
        Ok(word.into())
    }
}
