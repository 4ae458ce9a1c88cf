//! What a plan says: the offsets before which records are deleted, and what consumer groups lose. Its JSON has a digest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use huaweicloud_auth::signing;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::consumer_groups::GroupOffsets;
use crate::error::Error;
use crate::error_kind::PlanProblem;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::list::PartitionInfo;

/// The version of the JSON.
const VERSION: u32 = 1;

/// The JSON of a plan.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanDocument<P> {
    version: u32,
    digest: String,
    plan: P,
}

/// What a plan says, without the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanContent {
    pub(crate) endpoint: String,
    pub(crate) project_id: ProjectId,
    pub(crate) instance_id: InstanceId,
    pub(crate) topic: TopicName,
    /// In milliseconds since the Unix epoch, if the service tells it. A topic that was created again has another one.
    pub(crate) topic_created_at: Option<i64>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) selectors: Selectors,
    pub(crate) is_exact: bool,
    pub(crate) partitions: Vec<PlannedPartition>,
    pub(crate) skipped: Vec<SkippedPartition>,
    pub(crate) losses: Losses,
}

/// What to delete. The lowest offset of all selectors applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selectors {
    /// All partitions if absent.
    pub(crate) partitions: Option<BTreeSet<PartitionId>>,
    pub(crate) before_time: Option<Timestamp>,
    pub(crate) trust_timestamps: bool,
    pub(crate) before_offset: Option<Offset>,
    pub(crate) keep_last: Option<u64>,
    pub(crate) consumed_by: Option<BTreeSet<String>>,
    pub(crate) consumed_by_all_groups: bool,
    pub(crate) up_to_end: bool,
}

/// What a plan deletes from one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPartition {
    partition: PartitionId,
    start: Offset,
    end: Offset,
    before: Offset,
    records: i64,
    first_kept_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oldest_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest_time: Option<Timestamp>,
}

/// A partition of which nothing is deleted, because a consumer group has no committed offset in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedPartition {
    partition: PartitionId,
    groups: Vec<String>,
}

/// What consumer groups lose by a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Losses {
    /// All groups that have a committed offset in the topic, also those that lose nothing.
    Known(Vec<GroupLoss>),
    /// It is not known which groups lose unread records, for this reason.
    Unknown(String),
}

/// The unread records of a consumer group that a plan deletes.
///
/// A group whose committed offset is below the new start continues according to its `auto.offset.reset`. With `latest`, the
/// default, it skips the records that were kept, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupLoss {
    group: String,
    state: Option<String>,
    positions: Vec<GroupPosition>,
    without_commit: Vec<PartitionId>,
}

/// The position of a consumer group in one partition of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupPosition {
    partition: PartitionId,
    committed: Offset,
    unread: i64,
    lost: i64,
}

/// The numbers come from a service, whose sum may be too large.
pub(crate) fn sum(numbers: impl Iterator<Item = i64>) -> i64 {
    numbers.fold(0, i64::saturating_add)
}

/// A record without a time has a negative one.
fn timestamp(milliseconds: Option<i64>) -> Option<Timestamp> {
    let known = milliseconds.filter(|time| *time >= 0)?;
    Timestamp::from_millisecond(known).ok()
}

impl PlannedPartition {
    /// Moves `before` into the log.
    pub(crate) fn new(log: &PartitionInfo, before: Offset) -> Self {
        let (start, end) = (log.start_offset(), log.end_offset());
        let before = before.clamp(start, end);
        Self {
            partition: log.partition(),
            start,
            end,
            before,
            records: before.get() - start.get(),
            first_kept_time: None,
            oldest_time: None,
            newest_time: None,
        }
    }

    /// Sets the time of the first record from `offset` on, in milliseconds, if that is the first record that is kept.
    pub(crate) fn with_time(mut self, offset: Offset, time: Option<i64>) -> Self {
        if offset == self.before {
            self.first_kept_time = timestamp(time);
        }
        self
    }

    /// Sets the times of the oldest record, the newest record and the first record that is kept, in milliseconds.
    pub(crate) fn set_times(&mut self, times: [Option<i64>; 3]) {
        let [oldest, newest, first_kept] = times.map(timestamp);
        (self.oldest_time, self.newest_time) = (oldest, newest);
        let first_kept = if self.records == 0 {
            oldest
        } else {
            first_kept
        };
        self.first_kept_time = self.first_kept_time.or(first_kept);
    }

    /// Returns the number of the partition.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the offset of the first record.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// Returns the offset after the last record.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Returns the offset before which records are deleted: from `start`, which deletes nothing, to `end`.
    pub fn before(&self) -> Offset {
        self.before
    }

    /// Returns the number of offsets that are deleted.
    pub fn records(&self) -> i64 {
        self.records
    }

    /// Returns the time of the first record before the deletion, if it was read: see
    /// [`with_record_times`](crate::PlanDeletion::with_record_times).
    pub fn oldest_time(&self) -> Option<SystemTime> {
        self.oldest_time.map(SystemTime::from)
    }

    /// Returns the time of the last record, which is not always the latest time, if it was read: see
    /// [`with_record_times`](crate::PlanDeletion::with_record_times).
    pub fn newest_time(&self) -> Option<SystemTime> {
        self.newest_time.map(SystemTime::from)
    }

    /// Returns the time of the first record that is kept, if it was read to make the plan.
    pub fn first_kept_time(&self) -> Option<SystemTime> {
        self.first_kept_time.map(SystemTime::from)
    }
}

impl SkippedPartition {
    pub(crate) fn new(partition: PartitionId, groups: Vec<String>) -> Self {
        Self { partition, groups }
    }

    /// Returns the number of the partition.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the consumer groups without a committed offset in the partition.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

impl Losses {
    /// Returns the number of unread records that all groups lose where they have a committed offset, or `None` if the groups could
    /// not be read. For a decision, use [`Plan::may_lose_unread`](crate::Plan::may_lose_unread).
    pub fn records(&self) -> Option<i64> {
        self.groups()
            .map(|groups| sum(groups.iter().map(GroupLoss::records)))
    }

    /// Returns the number of unread records that all groups lose in each partition, as far as it is known.
    pub(crate) fn by_partition(&self) -> BTreeMap<PartitionId, i64> {
        let groups = self.groups().into_iter().flatten();
        let mut lost = BTreeMap::new();
        for at in groups.flat_map(|group| &group.positions) {
            let lost: &mut i64 = lost.entry(at.partition).or_default();
            *lost = lost.saturating_add(at.lost);
        }
        lost
    }

    /// Returns all groups with a committed offset in the topic, or `None` if they are not known.
    pub fn groups(&self) -> Option<&[GroupLoss]> {
        match self {
            Self::Known(groups) => Some(groups),
            Self::Unknown(_) => None,
        }
    }
}

impl GroupLoss {
    pub(crate) fn new(group: GroupOffsets, planned: &[PlannedPartition]) -> Self {
        let mut positions = Vec::new();
        let mut without_commit = Vec::new();
        for planned in planned {
            match group.committed.get(&planned.partition) {
                Some(&committed) => positions.push(GroupPosition::new(planned, committed)),
                None => without_commit.push(planned.partition),
            }
        }
        Self {
            group: group.name,
            state: group.state,
            positions,
            without_commit,
        }
    }

    /// Returns the name of the group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Returns the state of the group as the service reports it, such as `STABLE` or `EMPTY`.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Returns the number of unread records that the group loses.
    pub fn records(&self) -> i64 {
        sum(self.positions.iter().map(|position| position.lost))
    }

    /// Returns the positions in the partitions in which the group has a committed offset.
    pub fn positions(&self) -> &[GroupPosition] {
        &self.positions
    }

    /// Returns the partitions of the plan in which the group has no committed offset. What it loses there is not known.
    pub fn without_commit(&self) -> &[PartitionId] {
        &self.without_commit
    }
}

impl GroupPosition {
    fn new(planned: &PlannedPartition, committed: Offset) -> Self {
        let first_unread = committed.max(planned.start).get();
        let unread_before = |offset: Offset| (offset.get() - first_unread).max(0);
        Self {
            partition: planned.partition,
            committed,
            unread: unread_before(planned.end),
            lost: unread_before(planned.before),
        }
    }

    /// Returns the number of the partition.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the committed offset, which is that of the next record that the group reads.
    pub fn committed(&self) -> Offset {
        self.committed
    }

    /// Returns the number of unread records before the deletion.
    pub fn unread(&self) -> i64 {
        self.unread
    }

    /// Returns the number of unread records that the plan deletes.
    pub fn lost(&self) -> i64 {
        self.lost
    }
}

impl PlanContent {
    pub(crate) fn document(&self) -> PlanDocument<&Self> {
        PlanDocument {
            version: VERSION,
            digest: self.digest(),
            plan: self,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        json(&self.document())
    }

    /// The digest covers the values, not white space.
    pub(crate) fn digest(&self) -> String {
        let digest = Sha256::digest(json(self)).into();
        signing::hex(&digest).as_str().to_owned()
    }

    pub(crate) fn from_json(text: &str) -> Result<Self, Error> {
        let document: PlanDocument<Self> = serde_json::from_str(text).map_err(|error| {
            Error::plan(PlanProblem::NotAPlan, "this is not the JSON of a plan").with_source(error)
        })?;
        if document.version != VERSION {
            let message = format!(
                "the plan has version {}, and this client reads version {VERSION}",
                document.version
            );
            return Err(Error::plan(PlanProblem::NotAPlan, message));
        }
        let plan = document.plan;
        if plan.digest() != document.digest || !plan.is_consistent() {
            let message = "the plan was edited: its content and its digest differ; make a new plan";
            return Err(Error::plan(PlanProblem::Edited, message));
        }
        Ok(plan)
    }

    /// Whether the numbers agree with each other.
    pub(crate) fn is_consistent(&self) -> bool {
        self.partitions
            .is_sorted_by(|one, next| one.partition < next.partition)
            && self.partitions.iter().all(|planned| {
                (planned.start..=planned.end).contains(&planned.before)
                    && planned.records == planned.before.get() - planned.start.get()
            })
    }

    /// Returns the partitions from which records are deleted.
    pub(crate) fn deleted_from(&self) -> impl Iterator<Item = &PlannedPartition> {
        self.partitions.iter().filter(|planned| planned.records > 0)
    }
}

/// Structs, strings and numbers can always be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
