//! A plan: the offsets before which records will be deleted, and what consumer groups lose.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use dms_kafka_client::types::DeleteKafkaTopicMessagesResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::Config;
use crate::consumer_groups::GroupOffsets;
use crate::delete::DeleteMessages;
use crate::deletion::{Deletion, History};
use crate::error::Error;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::list::PartitionInfo;
use crate::outcome::Outcome;
use crate::partition::DeletionTarget;

/// A deletion that was resolved into absolute offsets. Created by [`PlanDeletion::resolve`](crate::PlanDeletion::resolve).
///
/// Records that are written after the plan was made are kept, and repeating the deletion deletes no other records. In
/// compacted and transactional logs some offsets have no record: numbers of records are upper bounds there.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 2, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
/// let plan = client.plan_deletion(gateway.instance_id(), "orders").keep_last(100).resolve().await?;
/// assert_eq!(plan.records(), 1800);
/// for partition in plan.partitions() {
///     println!("{}: {} records before {}", partition.partition(), partition.records(), partition.before());
/// }
/// plan.delete().await?.into_result()?;
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
#[must_use = "nothing is deleted until delete() is awaited"]
pub struct Plan {
    config: Arc<Config>,
    content: PlanContent,
}

/// What a plan says, without the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanContent {
    pub(crate) endpoint: String,
    pub(crate) project_id: ProjectId,
    pub(crate) instance_id: InstanceId,
    pub(crate) topic: TopicName,
    pub(crate) selectors: Selectors,
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
    pub(crate) before_offset: Option<Offset>,
    pub(crate) keep_last: Option<u64>,
    pub(crate) consumed_by: BTreeSet<String>,
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

impl Plan {
    pub(crate) fn new(config: Arc<Config>, content: PlanContent) -> Self {
        Self { config, content }
    }

    /// Returns the instance.
    pub fn instance_id(&self) -> &InstanceId {
        &self.content.instance_id
    }

    /// Returns the topic.
    pub fn topic(&self) -> &TopicName {
        &self.content.topic
    }

    /// Returns the selected partitions, ordered by partition, without the skipped ones.
    pub fn partitions(&self) -> &[PlannedPartition] {
        &self.content.partitions
    }

    /// Returns the partitions of which nothing is deleted, because a consumer group has no committed offset in them.
    pub fn skipped(&self) -> &[SkippedPartition] {
        &self.content.skipped
    }

    /// Returns which consumer groups lose unread records, if this is known.
    pub fn losses(&self) -> &Losses {
        &self.content.losses
    }

    /// Returns the number of offsets that are deleted from all partitions.
    pub fn records(&self) -> i64 {
        sum(self
            .content
            .partitions
            .iter()
            .map(|planned| planned.records))
    }

    /// Whether no record is deleted.
    pub fn is_empty(&self) -> bool {
        self.records() == 0
    }

    /// Returns the offsets as the JSON that Kafka's `kafka-delete-records.sh` and `dms-kafka purge` read.
    pub fn offsets_file(&self) -> String {
        let item = |planned: &PlannedPartition| {
            json!({
                "topic": self.topic().as_str(),
                "partition": planned.partition.get(),
                "offset": planned.before.get(),
            })
        };
        let partitions: Vec<_> = self.deleted_from().map(item).collect();
        json!({ "partitions": partitions, "version": 1 }).to_string()
    }

    /// Deletes the records before the offsets of the plan, in one request. An empty plan sends nothing.
    ///
    /// # Errors
    /// The errors of [`DeleteMessages::send`](DeleteMessages::send). Failed partitions are an error of
    /// [`Deletion::into_result`].
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn delete(&self) -> Result<Deletion, Error> {
        let target = |planned: &PlannedPartition| {
            (planned.partition, DeletionTarget::Before(planned.before))
        };
        let targets: Vec<_> = self.deleted_from().map(target).collect();
        if targets.is_empty() {
            let nothing = DeleteKafkaTopicMessagesResponse::default();
            let history = History {
                request_id: None,
                attempts: 0,
                earlier: Outcome::NotApplied,
            };
            return Ok(Deletion::new(&[], nothing, None, history));
        }
        let (instance_id, topic) = (self.instance_id().clone(), self.topic().clone());
        DeleteMessages::new(
            Arc::clone(&self.config),
            Ok(instance_id),
            Ok(topic),
            targets,
        )
        .send()
        .await
    }

    fn deleted_from(&self) -> impl Iterator<Item = &PlannedPartition> {
        let partitions = self.content.partitions.iter();
        partitions.filter(|planned| planned.records > 0)
    }
}

/// The numbers come from a service, whose sum may be too large.
fn sum(numbers: impl Iterator<Item = i64>) -> i64 {
    numbers.fold(0, i64::saturating_add)
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.content.fmt(f)
    }
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
        }
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
    /// Returns the number of unread records that all groups lose, or `None` if this is not known.
    pub fn records(&self) -> Option<i64> {
        self.groups()
            .map(|groups| sum(groups.iter().map(GroupLoss::records)))
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
