//! The two hand-written types of a partition's result. Their usual values, `"success"` and `"0"`, need no allocation.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The error code of a partition, as the service wrote it. `0` means no error.
///
/// ```
/// use dms_kafka_client::ErrorCode;
///
/// assert_eq!(ErrorCode::Text("0".into()).to_string(), ErrorCode::Number(0).to_string());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ErrorCode {
    /// A string.
    Text(Cow<'static, str>),
    /// An integer.
    Number(i64),
}

/// The result of a partition: `success` if its records were deleted.
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

impl ErrorCode {
    /// Returns the code as text.
    #[inline]
    pub fn into_text(self) -> Cow<'static, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(0) => Cow::Borrowed("0"),
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl PartitionResult {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text without copying it.
    pub fn into_text(self) -> Cow<'static, str> {
        self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for PartitionResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for PartitionResult {
    fn from(result: &str) -> Self {
        Self(text(result, "success"))
    }
}

fn text(text: &str, usual: &'static str) -> Cow<'static, str> {
    if text == usual {
        Cow::Borrowed(usual)
    } else {
        Cow::Owned(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Code;

        impl Visitor<'_> for Code {
            type Value = ErrorCode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a 64-bit integer")
            }

            fn visit_str<E: Error>(self, code: &str) -> Result<ErrorCode, E> {
                Ok(ErrorCode::Text(text(code, "0")))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<ErrorCode, E> {
                Ok(ErrorCode::Number(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<ErrorCode, E> {
                let number = i64::try_from(number)
                    .map_err(|_| E::custom("the error code does not fit in 64 bits"))?;
                Ok(ErrorCode::Number(number))
            }
        }

        deserializer.deserialize_any(Code)
    }
}

impl<'de> Deserialize<'de> for PartitionResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A derived `Cow` takes longer, once for each partition of a response.
        struct Text;

        impl Visitor<'_> for Text {
            type Value = PartitionResult;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, result: &str) -> Result<PartitionResult, E> {
                Ok(result.into())
            }
        }

        deserializer.deserialize_str(Text)
    }
}
