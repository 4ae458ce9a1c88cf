//! What a deletion does to a topic and to its consumer groups. JSON and tables show the same numbers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use dms_kafka::{DeletionTarget, GroupLoss, Losses, Offset, PartitionId, Plan, PlannedPartition};
use jiff::Timestamp;
use serde::Serialize;

use crate::output::number;

/// A topic, what is deleted from it, and which consumer groups lose unread records.
#[derive(Debug, Serialize)]
pub(crate) struct TopicView {
    pub(crate) topic: String,
    /// Whether every record before the offsets is older than the time that was selected.
    pub(crate) is_exact: bool,
    pub(crate) partitions: Vec<PartitionView>,
    pub(crate) losses: LossesView,
    pub(crate) warnings: Vec<String>,
    /// Whether a partition does not exist of which records are to be deleted.
    #[serde(skip)]
    pub(crate) lacks_partitions: bool,
    /// Whether these are all partitions of the topic.
    #[serde(skip)]
    pub(crate) is_whole: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct PartitionView {
    pub(crate) partition: i32,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Records before this offset are deleted.
    pub(crate) before: i64,
    /// Whether later records are deleted too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) everything: bool,
    /// Records that are deleted.
    pub(crate) records: i64,
    /// Whether no record is left.
    pub(crate) is_emptied: bool,
    pub(crate) oldest_time: Option<Timestamp>,
    pub(crate) newest_time: Option<Timestamp>,
    pub(crate) first_kept_time: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub(crate) struct LossesView {
    /// Unread records that groups lose; null if this is not known.
    pub(crate) records: Option<i64>,
    /// Why it is not known.
    pub(crate) unknown: Option<String>,
    /// All groups with a committed offset in the topic, the largest losses first; null if they could not be read.
    pub(crate) groups: Option<Vec<GroupView>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct GroupView {
    pub(crate) group: String,
    pub(crate) state: Option<String>,
    pub(crate) unread: i64,
    /// Unread records that are deleted.
    pub(crate) lost: i64,
    pub(crate) positions: Vec<PositionView>,
    /// Partitions in which the group has no committed offset.
    pub(crate) without_commit: Vec<i32>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PositionView {
    pub(crate) partition: i32,
    pub(crate) committed: i64,
    pub(crate) unread: i64,
    pub(crate) lost: i64,
}

/// The most ranges of partitions that a sentence names.
const SHOWN_RANGES: usize = 3;

/// Sorted partitions as ranges, such as `0-4, 7`.
pub(crate) fn ranges(partitions: &[i32]) -> String {
    let mut ranges = partitions.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let shown: Vec<&[i32]> = ranges.by_ref().take(SHOWN_RANGES).collect();
    let range = |range: &&[i32]| match range {
        [first, .., last] => format!("{first}-{last}"),
        range => range.iter().map(ToString::to_string).collect(),
    };
    let text = shown.iter().map(range).collect::<Vec<_>>().join(", ");
    match ranges.map(<[i32]>::len).sum::<usize>() {
        0 => text,
        others => format!("{text} and {others} more"),
    }
}

fn named(partitions: &[i32]) -> String {
    let plural = if partitions.len() == 1 { "" } else { "s" };
    format!("partition{plural} {}", ranges(partitions))
}

/// The numbers come from a service, whose sum may be too large.
fn sum(numbers: impl Iterator<Item = i64>) -> i64 {
    numbers.fold(0, i64::saturating_add)
}

impl TopicView {
    /// What a plan deletes. `is_whole`: it selects all partitions.
    pub(crate) fn of_plan(plan: &Plan, is_whole: bool) -> Self {
        let partitions = plan.partitions().iter();
        let partitions = partitions.map(|planned| {
            PartitionView::new(planned, Some(DeletionTarget::Before(planned.before())))
        });
        let mut view = Self::new(plan, partitions.collect());
        if !plan.is_exact() {
            view.warnings.push(
                "the offsets are not exact: the search assumes that times never fall in a partition, and where they do, \
                 newer records are deleted"
                    .to_owned(),
            );
        }
        let mut skipped: BTreeMap<&[String], Vec<i32>> = BTreeMap::new();
        for partition in plan.skipped() {
            let of_groups = skipped.entry(partition.groups()).or_default();
            of_groups.push(partition.partition().get());
        }
        for (groups, partitions) in &skipped {
            let verb = if partitions.len() == 1 { "is" } else { "are" };
            view.warnings.push(format!(
                "{} {verb} skipped: no committed offset of {}",
                named(partitions),
                quoted(groups)
            ));
        }
        view.is_whole = is_whole && skipped.is_empty();
        view
    }

    /// What the targets delete from the topic of a plan that deletes nothing.
    pub(crate) fn of_targets(plan: &Plan, targets: &[(PartitionId, DeletionTarget)]) -> Self {
        let held: BTreeMap<_, _> = plan
            .partitions()
            .iter()
            .map(|planned| (planned.partition(), planned))
            .collect();
        let mut partitions = Vec::new();
        let mut warnings = Vec::new();
        for &(partition, target) in targets {
            let Some(planned) = held.get(&partition) else {
                warnings.push(format!(
                    "topic {} has no partition {partition}: the service will refuse it",
                    plan.topic()
                ));
                continue;
            };
            let shown = PartitionView::new(planned, Some(target));
            if shown.is_beyond_end() {
                warnings.push(format!(
                    "partition {partition}: the offset {} is beyond the end {}: the service will refuse it",
                    number(Some(shown.before)),
                    number(Some(shown.end)),
                ));
            }
            partitions.push(shown);
        }
        Self {
            lacks_partitions: partitions.len() < targets.len(),
            is_whole: partitions.len() == held.len(),
            warnings,
            ..Self::new(plan, partitions)
        }
    }

    /// The topic of a plan that deletes nothing.
    pub(crate) fn of_topic(plan: &Plan) -> Self {
        let partitions = plan.partitions().iter();
        let partitions = partitions.map(|planned| PartitionView::new(planned, None));
        Self::new(plan, partitions.collect())
    }

    fn new(plan: &Plan, partitions: Vec<PartitionView>) -> Self {
        Self {
            topic: plan.topic().to_string(),
            is_exact: plan.is_exact(),
            losses: LossesView::new(plan.losses(), &partitions),
            partitions,
            warnings: Vec::new(),
            lacks_partitions: false,
            is_whole: false,
        }
    }

    pub(crate) fn partition(&self, partition: i32) -> Option<&PartitionView> {
        let partitions = &self.partitions;
        let found = partitions.binary_search_by_key(&partition, |shown| shown.partition);
        Some(&partitions[found.ok()?])
    }

    /// Records that are deleted.
    pub(crate) fn records(&self) -> i64 {
        sum(self.partitions.iter().map(|shown| shown.records))
    }

    /// Records in the partitions.
    pub(crate) fn total(&self) -> i64 {
        sum(self.partitions.iter().map(PartitionView::total))
    }

    /// Whether records may be deleted that do not exist yet.
    pub(crate) fn deletes_later_records(&self) -> bool {
        let mut partitions = self.partitions.iter();
        partitions.any(|shown| shown.everything || shown.is_beyond_end())
    }

    pub(crate) fn emptied(&self) -> usize {
        let partitions = self.partitions.iter();
        partitions.filter(|shown| shown.is_emptied).count()
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

fn timestamp(time: Option<SystemTime>) -> Option<Timestamp> {
    Timestamp::try_from(time?).ok()
}

impl PartitionView {
    fn new(held: &PlannedPartition, target: Option<DeletionTarget>) -> Self {
        Self {
            oldest_time: timestamp(held.oldest_time()),
            newest_time: timestamp(held.newest_time()),
            first_kept_time: timestamp(held.first_kept_time()),
            ..Self::of_target(held.partition(), (held.start(), held.end()), target)
        }
    }

    /// What a target deletes from a partition with a start and an end.
    pub(crate) fn of_target(
        partition: PartitionId,
        (start, end): (Offset, Offset),
        target: Option<DeletionTarget>,
    ) -> Self {
        let everything = target == Some(DeletionTarget::Everything);
        let before = match target {
            None => start,
            Some(DeletionTarget::Before(offset)) => offset,
            Some(_) => end,
        };
        // The service refuses an offset beyond the end. It may have grown until then, so the partition counts as emptied.
        let records = if before > end {
            0
        } else {
            (before.get() - start.get()).max(0)
        };
        Self {
            partition: partition.get(),
            start: start.get(),
            end: end.get(),
            before: before.get(),
            everything,
            records,
            is_emptied: everything || (before >= end && before > start),
            oldest_time: None,
            newest_time: None,
            first_kept_time: None,
        }
    }

    /// Whether the service will refuse the offset.
    pub(crate) fn is_beyond_end(&self) -> bool {
        self.before > self.end
    }

    /// Records in the partition.
    pub(crate) fn total(&self) -> i64 {
        self.end - self.start
    }
}

impl LossesView {
    fn new(losses: &Losses, partitions: &[PartitionView]) -> Self {
        let deleted: BTreeMap<i32, &PartitionView> = partitions
            .iter()
            .map(|shown| (shown.partition, shown))
            .collect();
        let groups = losses.groups().map(|groups| {
            let mut groups: Vec<GroupView> = groups
                .iter()
                .map(|group| GroupView::new(group, &deleted))
                .collect();
            groups.sort_by(|one, next| {
                (next.lost, next.unread, &one.group).cmp(&(one.lost, one.unread, &next.group))
            });
            groups
        });
        let unknown = match losses {
            Losses::Unknown(reason) => Some(reason.clone()),
            _ => groups
                .iter()
                .flatten()
                .find_map(|group| group.unknown(&deleted)),
        };
        let lost = |groups: &Vec<GroupView>| sum(groups.iter().map(|group| group.lost));
        Self {
            records: match unknown {
                Some(_) => None,
                None => groups.as_ref().map(lost),
            },
            unknown,
            groups,
        }
    }

    /// Whether a group has a committed offset in the topic, or this is not known.
    pub(crate) fn has_groups(&self) -> bool {
        self.groups.as_ref().is_none_or(|groups| !groups.is_empty())
    }

    /// Whether a group loses unread records, or may do so.
    pub(crate) fn may_lose(&self) -> bool {
        self.records != Some(0)
    }
}

impl GroupView {
    /// Why it is not known what the group loses.
    fn unknown(&self, deleted: &BTreeMap<i32, &PartitionView>) -> Option<String> {
        let is_deleted = |partition: &i32| deleted[partition].records > 0;
        let beyond_end = self
            .positions
            .iter()
            .filter(|at| is_deleted(&at.partition) && at.committed > deleted[&at.partition].end);
        let beyond_end: Vec<i32> = beyond_end.map(|at| at.partition).collect();
        let without_commit = self.without_commit.iter().copied().filter(is_deleted);
        let without_commit: Vec<i32> = without_commit.collect();
        let (what, partitions) = match (&beyond_end[..], &without_commit[..]) {
            ([], []) => return None,
            ([], partitions) => ("no committed offset in", partitions),
            (partitions, _) => (
                "a committed offset beyond the end, perhaps of an earlier topic with this name, in",
                partitions,
            ),
        };
        Some(format!(
            "the consumer group {:?} has {what} {}",
            self.group,
            named(partitions)
        ))
    }

    fn new(group: &GroupLoss, deleted: &BTreeMap<i32, &PartitionView>) -> Self {
        let positions: Vec<PositionView> = group
            .positions()
            .iter()
            .filter_map(|at| {
                let of = deleted.get(&at.partition().get())?;
                // What is left of the unread records is at most what is left of all.
                let kept = (of.end - of.before).max(0);
                Some(PositionView {
                    partition: of.partition,
                    committed: at.committed().get(),
                    unread: at.unread(),
                    lost: (at.unread() - kept).clamp(0, of.records),
                })
            })
            .collect();
        let without_commit = group.without_commit().iter();
        let without_commit = without_commit.map(|partition| partition.get());
        Self {
            group: group.group().to_owned(),
            state: group.state().map(str::to_owned),
            unread: sum(positions.iter().map(|at| at.unread)),
            lost: sum(positions.iter().map(|at| at.lost)),
            positions,
            without_commit: without_commit
                .filter(|partition| deleted.contains_key(partition))
                .collect(),
        }
    }
}
