//! Validated identifiers, partitions and offsets.

use std::borrow::{Borrow, Cow};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The error for an invalid identifier, partition or offset.
///
/// Its text contains the value, the rule and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value} {rule}")]
pub struct InvalidId {
    what: &'static str,
    value: String,
    rule: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, value: &str, rule: &'static str) -> Self {
        const SHOWN: usize = 80;
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self {
            what,
            value: format!("{shown:?}"),
            rule,
        }
    }
}

/// A value of the type itself is always valid.
impl From<Infallible> for InvalidId {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Validates text or a number, and accepts a value of the type itself.
#[inline]
pub(crate) fn validated<T>(value: impl TryInto<T, Error: Into<InvalidId>>) -> Result<T, InvalidId> {
    value.try_into().map_err(Into::into)
}

/// Refuses `.` and `..`: a URL parser would remove them, and with `..` the segment before it.
fn is_id(value: &str, longest: usize) -> bool {
    (1..=longest).contains(&value.len())
        && !matches!(value, "." | "..")
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal, $rule:literal) => {
        $(#[$doc])*
        ///
        /// Cheap to clone.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Validates `value`.
            ///
            /// # Errors
            /// [`InvalidId`] if the value is not as described above.
            pub fn new(value: impl AsRef<str>) -> Result<Self, InvalidId> {
                let value = value.as_ref();
                if is_id(value, $longest) {
                    Ok(Self(value.into()))
                } else {
                    Err(InvalidId::new($what, value, $rule))
                }
            }

            /// Returns the identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// Equal text has an equal hash, so a map can be searched with text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        equal_text!($name, str, &str, String);

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        conversions!($name, &str, String, &String);
    };
}

macro_rules! equal_text {
    ($name:ident, $($text:ty),+) => {$(
        impl PartialEq<$text> for $name {
            fn eq(&self, text: &$text) -> bool {
                self.as_str() == AsRef::<str>::as_ref(text)
            }
        }

        impl PartialEq<$name> for $text {
            fn eq(&self, id: &$name) -> bool {
                id == self
            }
        }
    )+};
}

macro_rules! conversions {
    ($name:ident, $($from:ty),+) => {$(
        impl TryFrom<$from> for $name {
            type Error = InvalidId;

            #[inline]
            fn try_from(value: $from) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }
    )+};
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $number:ty, $what:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($number);

        impl $name {
            /// Validates `number`.
            ///
            /// # Errors
            /// [`InvalidId`] if the number is negative.
            #[inline]
            pub fn new(number: $number) -> Result<Self, InvalidId> {
                if number < 0 {
                    return Err(InvalidId::new($what, &number.to_string(), $rule));
                }
                Ok(Self(number))
            }

            /// Returns the number.
            #[inline]
            pub fn get(self) -> $number {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for $number {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl From<&$name> for $name {
            fn from(number: &$name) -> Self {
                *number
            }
        }

        impl PartialEq<$number> for $name {
            fn eq(&self, number: &$number) -> bool {
                self.0 == *number
            }
        }

        impl PartialEq<$name> for $number {
            fn eq(&self, number: &$name) -> bool {
                *self == number.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(<$number>::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        conversions!($name, $number);
    };
}

text_id!(
    /// A project id: 1 to 64 ASCII letters, digits, `.`, `_` or `-` (usually 32 hexadecimal digits).
    ///
    /// ```
    /// use dms_kafka::ProjectId;
    /// assert!(ProjectId::new("0123456789abcdef0123456789abcdef").is_ok());
    /// assert!(ProjectId::new("../other").is_err());
    /// ```
    ProjectId,
    "project id",
    64,
    "is not valid: use 1 to 64 ASCII letters, digits, '.', '_' or '-', but not '.' or '..'; copy it from My Credentials in the console"
);

text_id!(
    /// The id of a Kafka instance: 1 to 64 ASCII letters, digits, `.`, `_` or `-` (usually a UUID).
    ///
    /// ```
    /// use dms_kafka::InstanceId;
    /// assert!(InstanceId::new("11111111-2222-3333-4444-555555555555").is_ok());
    /// assert!(InstanceId::new("").is_err());
    /// ```
    InstanceId,
    "instance id",
    64,
    "is not valid: use 1 to 64 ASCII letters, digits, '.', '_' or '-', but not '.' or '..'; copy it from the page of the instance in the console"
);

text_id!(
    /// The name of a topic: 1 to 249 ASCII letters, digits, `.`, `_` or `-`, but not `.` or `..` (Kafka's rule).
    ///
    /// ```
    /// use dms_kafka::TopicName;
    /// assert!(TopicName::new("orders.v2").is_ok());
    /// assert!(TopicName::new("..").is_err());
    /// ```
    TopicName,
    "topic",
    249,
    "is not a Kafka topic name: use 1 to 249 ASCII letters, digits, '.', '_' or '-', but not '.' or '..'"
);

number!(
    /// The number of a partition: 0 to 2,147,483,647.
    ///
    /// ```
    /// use dms_kafka::PartitionId;
    /// assert_eq!(PartitionId::new(3)?.get(), 3);
    /// assert!(PartitionId::new(-1).is_err());
    /// # Ok::<(), dms_kafka::InvalidId>(())
    /// ```
    PartitionId,
    i32,
    "partition",
    "is negative: partitions count from 0"
);

number!(
    /// An offset: 0 to 9,223,372,036,854,775,807.
    ///
    /// The API deletes all records of a partition if the offset is -1. Use
    /// [`Everything`](crate::DeletionTarget::Everything) for that.
    ///
    /// ```
    /// use dms_kafka::Offset;
    /// assert_eq!(Offset::new(i64::MAX)?.get(), i64::MAX);
    /// assert!(Offset::new(-1).is_err());
    /// # Ok::<(), dms_kafka::InvalidId>(())
    /// ```
    Offset,
    i64,
    "offset",
    "is negative: offsets count from 0; to delete all records of a partition use everything(partition)"
);
