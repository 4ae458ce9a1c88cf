//! Records that no key may delete through the gateway.

use serde::Deserialize;

use crate::{
    backend::PartitionOffsets,
    deletion_target::{DeletionTarget, RecordsToDelete},
    error::Error,
    names::{TopicPath, TopicPattern},
    refusal::Refusal,
};

/// Holds that no grant overrides: the table `[holds]` of a configuration or of one instance. Where both have a hold, the
/// stricter one applies.
///
/// Records are counted by offsets: in a compacted or transactional topic there may be fewer. A request that violates a hold
/// is refused as a whole, with 403 `DMS.00403900`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Holds {
    /// Patterns of topics from which nothing is deleted. `*` is any number of characters.
    pub protected: Vec<String>,
    /// Records that a deletion must keep in each partition that it deletes from.
    pub keep_at_least: u64,
    /// Records that one request may delete; without it, any number.
    pub max_records_per_request: Option<u64>,
}

/// The holds on one instance.
#[derive(Debug, Default)]
pub(crate) struct InstanceHolds {
    protected: Vec<TopicPattern>,
    keep_at_least: u64,
    max_records: Option<u64>,
}

impl InstanceHolds {
    pub(crate) fn new<const N: usize>(holds: [&Holds; N]) -> Result<Self, Error> {
        let protected = holds.iter().flat_map(|holds| &holds.protected);
        Ok(Self {
            protected: TopicPattern::all("holds.protected", protected)?,
            keep_at_least: holds
                .map(|holds| holds.keep_at_least)
                .into_iter()
                .max()
                .unwrap_or(0),
            max_records: holds
                .iter()
                .filter_map(|holds| holds.max_records_per_request)
                .min(),
        })
    }

    pub(crate) fn check_topic(&self, path: &TopicPath) -> Result<(), Refusal> {
        if self
            .protected
            .iter()
            .any(|pattern| pattern.matches(&path.topic))
        {
            return Err(Refusal::HELD.with("holds.protected: this topic is protected"));
        }
        Ok(())
    }

    /// Whether rows must be checked against the current offsets.
    pub(crate) fn need_offsets(&self) -> bool {
        self.keep_at_least > 0 || self.max_records.is_some()
    }

    /// Checks the rows against the current offsets, ordered by partition, and replaces -1 by the end offset that was checked.
    ///
    /// An absolute offset that was checked stays within the holds whatever happens meanwhile: start and end of a partition
    /// only grow.
    pub(crate) fn check_rows(
        &self,
        offsets: &[PartitionOffsets],
        rows: Vec<RecordsToDelete>,
    ) -> Result<Vec<RecordsToDelete>, Refusal> {
        let mut records = 0_u64;
        let checked = rows.into_iter().map(|row| {
            let number = row.partition.number();
            let found = offsets.binary_search_by_key(&number, |offsets| offsets.partition);
            let Some(offsets) = found.ok().and_then(|at| offsets.get(at)) else {
                // If it is created meanwhile, it keeps its records.
                let target = DeletionTarget::Before(0);
                return Ok(RecordsToDelete { target, ..row });
            };
            let before = match row.target {
                DeletionTarget::Before(offset) => offset,
                DeletionTarget::Everything => offsets.high_watermark,
            };
            let deleted = distance(offsets.log_start_offset, before);
            if deleted > 0 && distance(before, offsets.high_watermark) < self.keep_at_least {
                return Err(Refusal::HELD.with(format_args!(
                    "holds.keep_at_least: {} records of partition {number} must be kept, which ends at offset {}",
                    self.keep_at_least, offsets.high_watermark
                )));
            }
            records = records.saturating_add(deleted);
            Ok(RecordsToDelete {
                target: DeletionTarget::Before(before),
                ..row
            })
        });
        let checked = checked.collect::<Result<_, _>>()?;
        match self.max_records {
            Some(most) if records > most => Err(Refusal::HELD.with(format_args!(
                "holds.max_records_per_request: the request would delete {records} records, and {most} are allowed"
            ))),
            _ => Ok(checked),
        }
    }
}

/// From one offset to another one; 0 when that is lower.
fn distance(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deletion_target::PartitionId;

    /// It may be created before the deletion reaches the cluster.
    #[test]
    fn a_partition_that_did_not_exist_when_it_was_checked_keeps_its_records() {
        let holds = Holds {
            keep_at_least: 1,
            ..Holds::default()
        };
        let holds = InstanceHolds::new([&holds]).expect("valid holds");
        for offset in [-1, 7] {
            let row = RecordsToDelete {
                partition: PartitionId::new(3).expect("a partition"),
                target: DeletionTarget::from_offset(offset).expect("an offset"),
            };
            let checked = holds.check_rows(&[], vec![row]).expect("no violation");
            assert_eq!(checked[0].target, DeletionTarget::Before(0), "{offset}");
        }
    }
}
