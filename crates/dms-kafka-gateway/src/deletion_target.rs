//! The typed rows of a deletion. They are validated when the request is parsed.

use serde::{Serialize, Serializer};

/// A partition index within a topic; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct PartitionId(i32);

impl PartitionId {
    /// `None` for a negative number.
    pub(crate) fn new(number: i32) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    pub(crate) fn number(self) -> i32 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        self.0.unsigned_abs() as usize
    }
}

/// Which records of one partition are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeletionTarget {
    /// Every record whose offset is lower than this one; never negative.
    Before(i64),
    /// Every record below the current high watermark.
    Everything,
}

impl DeletionTarget {
    /// [`DeletionTarget::Everything`] in requests and in the audit log.
    const EVERYTHING: i64 = -1;

    /// `None` for a negative offset other than -1.
    pub(crate) fn from_offset(offset: i64) -> Option<Self> {
        match offset {
            Self::EVERYTHING => Some(Self::Everything),
            0.. => Some(Self::Before(offset)),
            _ => None,
        }
    }
}

impl Serialize for DeletionTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(match self {
            Self::Before(offset) => *offset,
            Self::Everything => Self::EVERYTHING,
        })
    }
}

/// One row of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RecordsToDelete {
    pub(crate) partition: PartitionId,
    #[serde(rename = "offset")]
    pub(crate) target: DeletionTarget,
}

impl RecordsToDelete {
    pub(crate) fn is_everything(&self) -> bool {
        self.target == DeletionTarget::Everything
    }
}
