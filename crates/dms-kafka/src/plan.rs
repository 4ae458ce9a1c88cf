//! A plan that can be executed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::call;
use crate::call_settings::call_settings;
use crate::config::Config;
use crate::delete::DeletionRequest;
use crate::deletion::Deletion;
use crate::error::Error;
use crate::error_kind::PlanProblem;
use crate::ids::{InstanceId, ProjectId, TopicName};
use crate::partition::DeletionTarget;
use crate::plan_content::{Losses, PlanContent, PlannedPartition, SkippedPartition, sum};
use crate::purge::PurgeTarget;
use crate::retry::RetryPolicy;
use crate::{plan_document, plan_drift};

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
        let content = plan_document::read(json)?;
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
        plan_document::write(&self.content)
    }

    #[cfg(feature = "serde")]
    pub(crate) fn document(&self) -> plan_document::PlanDocument<'_> {
        plan_document::document(&self.content)
    }

    /// Returns the SHA-256 digest of the plan, in lowercase hexadecimal digits. It identifies what was shown and approved.
    pub fn digest(&self) -> String {
        plan_document::digest(&self.content)
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
        plan_drift::check_expiry(&self.content)?;
        if self.is_stored {
            plan_drift::check(&self.config, &self.content).await?;
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
