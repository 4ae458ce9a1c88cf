//! A plan that can be executed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::json;

use crate::call;
use crate::call_settings::call_settings;
use crate::config::Config;
use crate::consumer_groups;
use crate::delete::DeletionRequest;
use crate::deletion::Deletion;
use crate::error::Error;
use crate::error_kind::PlanProblem;
use crate::ids::{InstanceId, PartitionId, ProjectId, TopicName};
use crate::list;
use crate::partition::DeletionTarget;
#[cfg(feature = "serde")]
use crate::plan_content::PlanDocument;
use crate::plan_content::{
    GroupLoss, GroupPosition, Losses, PlanContent, PlannedPartition, SkippedPartition, sum,
};
use crate::purge::PurgeTarget;
use crate::retry::RetryPolicy;

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
    /// Whether the plan was read from JSON, so that its topic may have changed.
    is_stored: bool,
}

impl Plan {
    pub(crate) fn new(config: Arc<Config>, content: PlanContent) -> Self {
        Self {
            config,
            content,
            is_stored: false,
        }
    }

    /// Reads a plan that [`to_json`](Self::to_json) wrote.
    pub(crate) fn stored(
        config: Arc<Config>,
        instance_id: &InstanceId,
        json: &str,
    ) -> Result<Self, Error> {
        let content = PlanContent::from_json(json)?;
        if content.instance_id != *instance_id {
            let message = format!(
                "the plan is for instance {}, not for {instance_id}",
                content.instance_id
            );
            return Err(Error::plan(PlanProblem::OtherInstance, message));
        }
        Ok(Self {
            config,
            content,
            is_stored: true,
        })
    }

    /// Returns the plan as JSON, for [`Client::stored_plan`](crate::Client::stored_plan).
    pub fn to_json(&self) -> String {
        self.content.to_json()
    }

    #[cfg(feature = "serde")]
    pub(crate) fn document(&self) -> PlanDocument<&PlanContent> {
        self.content.document()
    }

    /// Returns the SHA-256 digest of the plan, in lowercase hexadecimal digits. It identifies what was shown and approved.
    pub fn digest(&self) -> String {
        self.content.digest()
    }

    /// Returns the time at which the plan was made.
    pub fn created_at(&self) -> SystemTime {
        self.content.created_at.into()
    }

    /// Returns the time from which the plan is refused.
    pub fn expires_at(&self) -> SystemTime {
        self.content.expires_at.into()
    }

    /// Returns the endpoint: scheme, host and port; or the name that
    /// [`service_name`](crate::ClientBuilder::service_name) has set.
    pub fn endpoint(&self) -> &str {
        &self.content.endpoint
    }

    /// Returns the project.
    pub fn project_id(&self) -> &ProjectId {
        &self.content.project_id
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

    /// Whether every selector was resolved exactly. If not, [`trust_timestamps`](crate::PlanDeletion::trust_timestamps) was
    /// needed, and records at or after the time may be deleted if times fall within a partition.
    pub fn is_exact(&self) -> bool {
        self.content.is_exact
    }

    /// Returns which consumer groups lose unread records, if this is known.
    pub fn losses(&self) -> &Losses {
        &self.content.losses
    }

    /// Returns whether a consumer group loses unread records, or whether that is not known: the groups could not be read, or one
    /// has no committed offset, or one beyond the end, in a partition from which records are deleted.
    pub fn may_lose_unread(&self) -> bool {
        let partitions = self.partitions().iter();
        let ends: BTreeMap<_, _> = partitions
            .filter(|planned| planned.records() > 0)
            .map(|planned| (planned.partition(), planned.end()))
            .collect();
        let may_lose = |at: &GroupPosition| {
            let end = ends.get(&at.partition());
            at.lost() > 0 || end.is_some_and(|end| at.committed() > *end)
        };
        self.losses().groups().is_none_or(|groups| {
            groups.iter().any(|group| {
                let mut without_commit = group.without_commit().iter();
                group.positions().iter().any(may_lose)
                    || without_commit.any(|partition| ends.contains_key(partition))
            })
        })
    }

    /// Returns the number of offsets that are deleted from all partitions.
    pub fn records(&self) -> i64 {
        sum(self
            .content
            .partitions
            .iter()
            .map(PlannedPartition::records))
    }

    /// Whether no record is deleted.
    pub fn is_empty(&self) -> bool {
        self.records() == 0
    }

    /// Returns the partitions from which records are deleted, as rows for [`Purge::run`](crate::Purge::run). A purge sends any
    /// number of partitions and topics in requests of limited size.
    pub fn targets(&self) -> impl Iterator<Item = PurgeTarget> {
        self.content.deleted_from().map(|planned| PurgeTarget {
            topic: self.topic().clone(),
            partition: planned.partition(),
            target: DeletionTarget::Before(planned.before()),
            row: 0,
        })
    }

    /// Returns the offsets of plans as the JSON that Kafka's `kafka-delete-records.sh` and `dms-kafka purge` read.
    pub fn offsets_file<'a>(plans: impl IntoIterator<Item = &'a Self>) -> String {
        let item = |plan: &'a Self| {
            plan.content.deleted_from().map(|planned| {
                json!({
                    "topic": plan.topic().as_str(),
                    "partition": planned.partition().get(),
                    "offset": planned.before().get(),
                })
            })
        };
        let partitions: Vec<_> = plans.into_iter().flat_map(item).collect();
        json!({ "partitions": partitions, "version": 1 }).to_string()
    }

    /// Refuses the plan if it expired.
    ///
    /// A [stored plan](crate::Client::stored_plan) is also compared with the topic, and with its consumer groups if the plan shows
    /// what they lose. It is refused if they changed so that it would delete something else than it shows.
    ///
    /// # Errors
    /// [`Plan`](crate::ErrorKind::Plan): see [`PlanProblem`]. Errors of the calls that read.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn check(&self) -> Result<(), Error> {
        self.in_span("check_plan", self.refuse_drift()).await
    }

    /// [Checks](Self::check) the plan, and deletes the records before its offsets in one request. An empty plan sends no request.
    ///
    /// # Errors
    /// The errors of [`check`](Self::check), before the deletion is sent, and of [`DeleteMessages::send`](crate::DeleteMessages::send). Failed partitions are
    /// an error of [`Deletion::into_result`].
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn delete(&self) -> Result<Deletion, Error> {
        self.in_span("delete_plan", self.execute()).await
    }

    async fn in_span<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        call::in_span(name, Some(self.instance_id()), Some(self.topic()), call).await
    }

    async fn refuse_drift(&self) -> Result<(), Error> {
        check_expiry(&self.content)?;
        if self.is_stored {
            check_drift(&self.config, &self.content).await?;
        }
        Ok(())
    }

    async fn execute(&self) -> Result<Deletion, Error> {
        self.refuse_drift().await?;
        let target = |planned: &PlannedPartition| {
            let target = DeletionTarget::Before(planned.before());
            (planned.partition(), target)
        };
        let request = DeletionRequest {
            instance_id: self.instance_id().clone(),
            topic: self.topic().clone(),
            targets: self.content.deleted_from().map(target).collect(),
        };
        if request.targets.is_empty() {
            return Ok(Deletion::of_nothing());
        }
        request.deletion(&self.config).await
    }
}

call_settings!(Plan, plan => Arc::make_mut(&mut plan.config).settings);

/// Compares what the plans say, not their clients.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

impl Eq for Plan {}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.content.fmt(f)
    }
}

fn check_expiry(plan: &PlanContent) -> Result<(), Error> {
    let expires_at = plan.expires_at;
    if Timestamp::now() < expires_at {
        return Ok(());
    }
    let message = format!("the plan expired at {expires_at}: make a new plan");
    Err(Error::plan(PlanProblem::Expired, message))
}

/// Compares the plan with the service, the topic and the consumer groups as they are now.
async fn check_drift(config: &Config, plan: &PlanContent) -> Result<(), Error> {
    check_service(config, plan).await?;
    check_topic(config, plan).await?;
    // Before the partitions, as when the plan was made.
    let groups = match &plan.losses {
        Losses::Known(_) => consumer_groups::all(config, &plan.instance_id, &plan.topic).await?,
        Losses::Unknown(_) => Vec::new(),
    };
    let now = partitions_now(config, plan).await?;
    let now = groups.into_iter().map(|group| GroupLoss::new(group, &now));
    check_losses(plan, now)
}

async fn check_service(config: &Config, plan: &PlanContent) -> Result<(), Error> {
    let identity = config
        .identity(call::after(config.settings.call_timeout))
        .await?;
    let planned = (plan.endpoint.as_str(), plan.project_id.as_str());
    let now = (config.service_name.as_str(), identity.project_id.as_str());
    if planned == now {
        return Ok(());
    }
    let message = format!(
        "the plan is for project {} of {}, not for project {} of {}",
        planned.1, planned.0, now.1, now.0
    );
    Err(Error::plan(PlanProblem::OtherService, message))
}

async fn check_topic(config: &Config, plan: &PlanContent) -> Result<(), Error> {
    let Some(planned) = plan.topic_created_at else {
        return Ok(());
    };
    let topics = list::topics(config, &plan.instance_id).await?;
    let topic = &plan.topic;
    match topics.get(topic) {
        Some(Some(now)) if *now == planned => Ok(()),
        Some(_) => Err(other_topic(plan)),
        None => {
            let message = format!("topic {topic} does not exist any more");
            Err(Error::plan(PlanProblem::UnknownTopic, message))
        }
    }
}

fn other_topic(plan: &PlanContent) -> Error {
    let topic = &plan.topic;
    let message = format!(
        "topic {topic} was created again, or its offsets moved back, after the plan was made"
    );
    Error::plan(PlanProblem::OtherTopic, message)
}

/// Returns what the plan would delete now. Producers and retention may have moved the ends and the starts upwards.
async fn partitions_now(
    config: &Config,
    plan: &PlanContent,
) -> Result<Vec<PlannedPartition>, Error> {
    let logs = list::partitions(config, &plan.instance_id, &plan.topic, None).await?;
    let logs: BTreeMap<_, _> = logs.into_iter().map(|log| (log.partition(), log)).collect();
    let mut now = Vec::new();
    for planned in &plan.partitions {
        let log = logs.get(&planned.partition());
        let log = log.ok_or_else(|| other_topic(plan))?;
        if log.start_offset() < planned.start() || log.end_offset() < planned.end() {
            return Err(other_topic(plan));
        }
        if planned.records() > 0 && log.start_offset() > planned.before() {
            let message = format!(
                "records up to offset {} of partition {} were deleted after the plan was made, beyond the planned offset {}",
                log.start_offset(),
                planned.partition(),
                planned.before()
            );
            return Err(Error::plan(PlanProblem::StartOffsetPassed, message));
        }
        now.push(PlannedPartition::new(log, planned.before()));
    }
    Ok(now)
}

fn check_losses(plan: &PlanContent, now: impl Iterator<Item = GroupLoss>) -> Result<(), Error> {
    let planned = plan.losses.groups().unwrap_or_default().iter();
    let planned: BTreeMap<_, _> = planned.map(|loss| (loss.group(), loss)).collect();
    let deleted_from: BTreeSet<_> = plan
        .deleted_from()
        .map(PlannedPartition::partition)
        .collect();
    for loss in now {
        let shown = planned.get(loss.group());
        let grew = |at: &&GroupPosition| {
            let shown = shown.map_or(&[][..], |shown| shown.positions());
            let shown = shown
                .iter()
                .find(|shown| shown.partition() == at.partition());
            at.lost() > shown.map_or(0, GroupPosition::lost)
        };
        let is_new = |partition: &&PartitionId| {
            let shown = shown.map_or(&[][..], |shown| shown.without_commit());
            deleted_from.contains(*partition) && !shown.contains(partition)
        };
        let message = if let Some(at) = loss.positions().iter().find(grew) {
            format!(
                "the consumer group {:?} would lose {} unread records of partition {}, more than the plan shows: make a new plan",
                loss.group(),
                at.lost(),
                at.partition()
            )
        } else if let Some(partition) = loss.without_commit().iter().find(is_new) {
            format!(
                "the consumer group {:?} has no committed offset in partition {partition}, which the plan does not show, so what \
                 it would lose is not known: make a new plan",
                loss.group()
            )
        } else {
            continue;
        };
        return Err(Error::plan(PlanProblem::LossesGrew, message));
    }
    Ok(())
}
