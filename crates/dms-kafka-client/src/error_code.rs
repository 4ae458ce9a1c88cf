//! The code of a partition, which services write in two ways.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// Kafka's error code of a partition as the service wrote it; `0` when there was none.
///
/// ```
/// use dms_kafka_client::ErrorCode;
///
/// assert_eq!(ErrorCode::Text("0".into()).to_string(), ErrorCode::Number(0).to_string());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// As a string.
    Text(Cow<'static, str>),
    /// As an integer.
    Number(i64),
}

impl ErrorCode {
    /// The code as text, whichever way it was written.
    #[inline]
    pub fn into_text(self) -> Cow<'static, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(0) => NONE,
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}

/// What nearly every item says: no allocation for each of them.
const NONE: Cow<'static, str> = Cow::Borrowed("0");

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherWay)
    }
}

struct EitherWay;

impl Visitor<'_> for EitherWay {
    type Value = ErrorCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a 64-bit integer")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ErrorCode, E> {
        Ok(ErrorCode::Text(match text {
            "0" => NONE,
            text => Cow::Owned(text.to_owned()),
        }))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<ErrorCode, E> {
        Ok(ErrorCode::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ErrorCode, E> {
        let number =
            i64::try_from(number).map_err(|_| E::custom("the error code has more than 64 bits"))?;
        Ok(ErrorCode::Number(number))
    }
}
