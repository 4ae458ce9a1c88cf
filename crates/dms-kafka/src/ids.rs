//! Validated identifiers: what does not fit here never reaches a URL.

use std::fmt;
use std::str::FromStr;

/// A value that cannot be used as an identifier, partition or offset.
///
/// Its text names the value, the rule and the mend.
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

/// No `.` or `..`: a URL would swallow them together with the path segment before.
fn is_id(value: &str) -> bool {
    (1..=64).contains(&value.len())
        && !matches!(value, "." | "..")
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks `value` and takes it.
            ///
            /// # Errors
            /// [`InvalidId`] when the value breaks the rule above.
            pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
                let value = value.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&value) {
                    Ok(Self(value))
                } else {
                    Err(InvalidId::new($what, &value, $rule))
                }
            }

            /// The identifier as text.
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

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }
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
    is_id,
    "is not usable: it takes 1 to 64 ASCII letters, digits, '.', '_' or '-', and is neither '.' nor '..'; copy it from My Credentials in the console"
);

text_id!(
    /// A Kafka instance's id: 1 to 64 ASCII letters, digits, `.`, `_` or `-` (usually a UUID).
    ///
    /// ```
    /// use dms_kafka::InstanceId;
    /// assert!(InstanceId::new("11111111-2222-3333-4444-555555555555").is_ok());
    /// assert!(InstanceId::new("").is_err());
    /// ```
    InstanceId,
    "instance id",
    is_id,
    "is not usable: it takes 1 to 64 ASCII letters, digits, '.', '_' or '-', and is neither '.' nor '..'; copy it from the instance's page in the console"
);

text_id!(
    /// A topic's name by Kafka's own rule: 1 to 249 ASCII letters, digits, `.`, `_` or `-`, and neither
    /// `.` nor `..`, which a URL would swallow together with the path segment before it.
    ///
    /// ```
    /// use dms_kafka::TopicName;
    /// assert!(TopicName::new("orders.v2").is_ok());
    /// assert!(TopicName::new("..").is_err());
    /// ```
    TopicName,
    "topic",
    |value| {
        (1..=249).contains(&value.len())
            && !matches!(value, "." | "..")
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    },
    "is not a Kafka topic name: it takes 1 to 249 ASCII letters, digits, '.', '_' or '-', and is neither '.' nor '..'"
);

/// A partition's number: 0 to 2,147,483,647.
///
/// ```
/// use dms_kafka::PartitionId;
/// assert_eq!(PartitionId::new(3)?.get(), 3);
/// assert!(PartitionId::new(-1).is_err());
/// # Ok::<(), dms_kafka::InvalidId>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(i32);

impl PartitionId {
    /// Checks `partition` and takes it.
    ///
    /// # Errors
    /// [`InvalidId`] when it is negative.
    #[inline]
    pub fn new(partition: i32) -> Result<Self, InvalidId> {
        if partition < 0 {
            return Err(InvalidId::new(
                "partition",
                &partition.to_string(),
                "is negative: partitions count from 0",
            ));
        }
        Ok(Self(partition))
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A position in a partition's log: 0 to 9,223,372,036,854,775,807. Kafka offsets have 64 bits.
///
/// ```
/// use dms_kafka::Offset;
/// assert_eq!(Offset::new(i64::MAX)?.get(), i64::MAX);
/// assert!(Offset::new(-1).is_err());
/// # Ok::<(), dms_kafka::InvalidId>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(i64);

impl Offset {
    /// Checks `offset` and takes it.
    ///
    /// # Errors
    /// [`InvalidId`] when it is negative. On the wire -1 deletes all records of a partition; here that is
    /// spelled out as `everything`.
    #[inline]
    pub fn new(offset: i64) -> Result<Self, InvalidId> {
        if offset < 0 {
            return Err(InvalidId::new(
                "offset",
                &offset.to_string(),
                "is negative: offsets count from 0; to delete all records of a partition use everything(partition)",
            ));
        }
        Ok(Self(offset))
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
