//! Resolves selectors into a plan, with read-only calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::call;
use crate::call_settings::call_settings;
use crate::config::Config;
use crate::consumer_groups::{self, GroupOffsets};
use crate::error::Error;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::{InstanceId, InvalidId, Offset, PartitionId, TopicName, validated};
use crate::list::{self, PartitionInfo};
use crate::plan::Plan;
use crate::plan_content::{
    GroupLoss, Losses, PlanContent, PlannedPartition, Selectors, SkippedPartition,
};
use crate::plan_time::{TimeCuts, TimeInTopic};
use crate::records::TopicRecords;
use crate::retry::RetryPolicy;

/// The number of topics that are read at the same time.
const CONCURRENCY: usize = 4;
const EXPIRY: Duration = Duration::from_secs(24 * 3600);

/// A deletion to plan: a topic and selectors. Created by [`Client::plan_deletion`](crate::Client::plan_deletion).
///
/// Selectors combine: in each partition, the one with the lowest offset applies. At least one is required.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
/// let plan = client
///     .plan_deletion(gateway.instance_id(), "orders")
///     .partitions([0, 2])
///     .before_offset(700)
///     .keep_last(400)
///     .resolve()
///     .await?;
/// assert_eq!(plan.partitions()[1].before(), 600);
/// assert_eq!(plan.records(), 1200);
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read until resolve() is awaited"]
pub struct PlanDeletion {
    config: Arc<Config>,
    /// The request, or the first invalid part of it.
    request: Result<PlanRequest, InvalidId>,
}

#[derive(Clone, Debug)]
struct PlanRequest {
    instance_id: InstanceId,
    topic: TopicName,
    selectors: Selectors,
    with_consumer_groups: bool,
    with_record_times: bool,
    /// Of several topics, which one timeout of a caller may cover. Otherwise one call timeout from the start.
    times_until: Option<Instant>,
    expiry: Duration,
}

impl PlanDeletion {
    pub(crate) fn new(
        config: Arc<Config>,
        instance_id: Result<InstanceId, InvalidId>,
        topic: Result<TopicName, InvalidId>,
    ) -> Self {
        let request = instance_id.and_then(|instance_id| {
            Ok(PlanRequest {
                instance_id,
                topic: topic?,
                selectors: Selectors::default(),
                with_consumer_groups: false,
                with_record_times: false,
                times_until: None,
                expiry: EXPIRY,
            })
        });
        Self { config, request }
    }

    fn with(mut self, change: impl FnOnce(&mut PlanRequest) -> Result<(), InvalidId>) -> Self {
        self.request = self
            .request
            .and_then(|mut request| change(&mut request).map(|()| request));
        self
    }

    fn set(self, change: impl FnOnce(&mut PlanRequest)) -> Self {
        self.with(|request| {
            change(request);
            Ok(())
        })
    }

    /// Deletes only from these partitions. Default: all partitions.
    pub fn partitions(
        self,
        partitions: impl IntoIterator<Item: TryInto<PartitionId, Error: Into<InvalidId>>>,
    ) -> Self {
        self.with(|request| {
            let partitions: Result<_, _> = partitions.into_iter().map(validated).collect();
            request.selectors.partitions = Some(partitions?);
            Ok(())
        })
    }

    /// Deletes records that are older than this time, up to the first one that is not older. A record at or after the time is
    /// never deleted, whatever the order of times in a partition.
    ///
    /// This needs a service that finds offsets by time, such as the gateway. Of another service, all records from the time on
    /// are listed, up to 5,000: see [`trust_timestamps`](Self::trust_timestamps) for more.
    pub fn before_time(self, time: SystemTime) -> Self {
        // Times beyond the years -9999 to 9999 mean all or nothing as well.
        let limit = if time < SystemTime::UNIX_EPOCH {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let time = Timestamp::try_from(time).unwrap_or(limit);
        self.set(|request| request.selectors.before_time = Some(time))
    }

    /// If the service cannot tell the offsets of [`before_time`](Self::before_time) exactly, searches them, assuming that the
    /// times of records never fall within a partition. Where they do, newer records may be deleted. [`Plan::is_exact`] is
    /// `false` if this was needed.
    pub fn trust_timestamps(self) -> Self {
        self.set(|request| request.selectors.trust_timestamps = true)
    }

    /// Deletes records before this offset, in each partition. Beyond the end, it is the end at the time of the plan.
    pub fn before_offset(self, offset: impl TryInto<Offset, Error: Into<InvalidId>>) -> Self {
        self.with(|request| {
            request.selectors.before_offset = Some(validated(offset)?);
            Ok(())
        })
    }

    /// Keeps the last `records` offsets of each partition.
    pub fn keep_last(self, records: u64) -> Self {
        self.set(|request| request.selectors.keep_last = Some(records))
    }

    /// Deletes what all of these consumer groups have consumed: records before their lowest committed offset.
    ///
    /// A partition in which one of them has no committed offset is [skipped](Plan::skipped).
    pub fn consumed_by(self, groups: impl IntoIterator<Item: Into<String>>) -> Self {
        let groups = groups.into_iter().map(Into::into);
        self.set(|request| {
            let named = &mut request.selectors.consumed_by;
            named.get_or_insert_default().extend(groups);
        })
    }

    /// Deletes what all consumer groups have consumed that have a committed offset in the topic, whatever their state.
    pub fn consumed_by_all_groups(self) -> Self {
        self.set(|request| request.selectors.consumed_by_all_groups = true)
    }

    /// Deletes all records that the partitions have at the time of the plan.
    pub fn up_to_end(self) -> Self {
        self.set(|request| request.selectors.up_to_end = true)
    }

    /// Also determines which consumer groups lose unread records. If this fails, [`Plan::losses`] is unknown, and the plan
    /// is made.
    pub fn with_consumer_groups(self) -> Self {
        self.set(|request| request.with_consumer_groups = true)
    }

    /// Also reads the times of the oldest record, the newest record and the first record kept of each partition, with up to
    /// three requests for each, a few at a time. Of more than 100 partitions, these are the ones with the largest losses of
    /// unread records, then of records. A time is unknown if the service refuses or does not have the operation, or if one
    /// call timeout, counted from the start, ends before. This never fails the plan.
    pub fn with_record_times(self) -> Self {
        self.set(|request| request.with_record_times = true)
    }

    /// Sets how long the plan can be executed. Default: 24 hours.
    pub fn with_expiry(self, expiry: Duration) -> Self {
        self.set(|request| request.expiry = expiry)
    }

    /// Reads the offsets and makes the plan. The call timeout applies to each list that is read.
    ///
    /// # Errors
    /// * [`InvalidInput`](ErrorKind::InvalidInput), before anything is sent: an invalid identifier, a negative number, no
    ///   selector, or an empty list of partitions or groups.
    /// * [`Plan`](ErrorKind::Plan): see [`PlanProblem`].
    /// * Any other kind, except that consumer groups that only
    ///   [`with_consumer_groups`](Self::with_consumer_groups) needs are not an error.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn resolve(self) -> Result<Plan, Error> {
        let (config, request) = (self.config, self.request?);
        let (instance_id, topic) = (request.instance_id.clone(), request.topic.clone());
        let resolved = request.resolve(&config);
        let content =
            call::in_span("plan_deletion", Some(&instance_id), Some(&topic), resolved).await?;
        Ok(Plan::new(config, content))
    }

    /// Makes a plan with the same selectors for each of these topics, instead of the topic that the plan was started with.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).topic("bills", 2, 500).start().await.unwrap();
    /// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
    /// #     .credentials(gateway.credentials()).build().unwrap();
    /// let to_plan = client.plan_deletion(gateway.instance_id(), "orders").keep_last(100);
    /// let plans = to_plan.resolve_topics(["orders", "bills"]).await?;
    /// let rows: Vec<_> = plans.iter().flat_map(|plan| plan.targets()).collect();
    /// let mut results = client.purge(gateway.instance_id()).run(rows);
    /// while let Some(result) = results.next().await {
    ///     result.into_deletion()?.into_result()?;
    /// }
    /// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve): if a plan cannot be made for one topic, none is returned.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn resolve_topics(
        self,
        topics: impl IntoIterator<Item: TryInto<TopicName, Error: Into<InvalidId>>>,
    ) -> Result<Vec<Plan>, Error> {
        let topics: Result<Vec<TopicName>, _> = topics.into_iter().map(validated).collect();
        let until = call::after(self.config.settings.call_timeout);
        let plans = topics?.into_iter().map(|topic| {
            let plan = self.clone();
            plan.set(|request| {
                request.topic = topic;
                request.times_until = Some(until);
            })
            .resolve()
        });
        stream::iter(plans)
            .buffered(CONCURRENCY)
            .try_collect()
            .await
    }
}

call_settings!(PlanDeletion, plan => Arc::make_mut(&mut plan.config).settings);

impl PlanRequest {
    async fn resolve(self, config: &Config) -> Result<PlanContent, Error> {
        self.check()?;
        let created_at = Timestamp::now();
        let times_until = self
            .times_until
            .unwrap_or_else(|| call::after(config.settings.call_timeout));
        let expires_at = SignedDuration::try_from(self.expiry)
            .and_then(|expiry| created_at.checked_add(expiry))
            .map_err(|error| {
                Error::invalid_input("the expiry of the plan is too long").with_source(error)
            })?;
        let identity = config
            .identity(call::after(config.settings.call_timeout))
            .await?;
        // Before the ends of the partitions are read, so that no group is beyond them.
        let topic_created_at = self.topic_created_at(config).await?;
        let groups = self.groups(config).await;
        let (consumed, losing) = match groups {
            Ok(groups) => groups,
            Err(error) => return Err(self.or_unknown_topic(config, error).await),
        };
        let time = self.selectors.before_time.map(Timestamp::as_millisecond);
        let logs = self.logs(config, time).await?;
        let times = match time {
            Some(time) => Some(self.time_cuts(config, time, &logs).await?),
            None => None,
        };
        let mut partitions = Vec::new();
        let mut skipped = Vec::new();
        for log in &logs {
            let partition = log.partition();
            let without_commit: Vec<String> = consumed
                .iter()
                .filter(|group| !group.committed.contains_key(&partition))
                .map(|group| group.name.clone())
                .collect();
            if without_commit.is_empty() {
                let before = self.before(log, &consumed)?;
                let cut = times
                    .as_ref()
                    .and_then(|times| times.partitions.get(&partition));
                partitions.push(match cut {
                    Some(&(offset, time)) => {
                        PlannedPartition::new(log, before.min(offset)).with_time(offset, time)
                    }
                    None => PlannedPartition::new(log, before),
                });
            } else {
                skipped.push(SkippedPartition::new(partition, without_commit));
            }
        }
        let losses = match losing {
            Ok(groups) => Losses::Known(
                groups
                    .into_iter()
                    .map(|group| GroupLoss::new(group, &partitions))
                    .collect(),
            ),
            Err(reason) => Losses::Unknown(reason),
        };
        if self.with_record_times {
            self.records(config)
                .add_times(&mut partitions, &losses, times_until)
                .await;
        }
        Ok(PlanContent {
            endpoint: config.service_name.clone(),
            project_id: identity.project_id,
            instance_id: self.instance_id,
            topic: self.topic,
            topic_created_at,
            created_at,
            expires_at,
            selectors: self.selectors,
            is_exact: times.is_none_or(|times| times.is_exact),
            partitions,
            skipped,
            losses,
        })
    }

    fn check(&self) -> Result<(), Error> {
        let selectors = &self.selectors;
        let has_cut = selectors.before_time.is_some()
            || selectors.before_offset.is_some()
            || selectors.keep_last.is_some()
            || selectors.consumed_by.is_some()
            || selectors.consumed_by_all_groups
            || selectors.up_to_end;
        if !has_cut {
            return Err(Error::invalid_input(
                "the plan has no selector: add one, such as keep_last(records) or up_to_end()",
            ));
        }
        // An empty list comes from a mistake, and would delete more.
        if selectors
            .partitions
            .as_ref()
            .is_some_and(BTreeSet::is_empty)
        {
            return Err(Error::invalid_input(
                "the list of partitions is empty: add one, or leave the list out for all partitions",
            ));
        }
        if selectors
            .consumed_by
            .as_ref()
            .is_some_and(BTreeSet::is_empty)
        {
            return Err(Error::invalid_input(
                "the list of consumer groups is empty: add one, or leave the list out",
            ));
        }
        Ok(())
    }

    /// Returns the offset before which all selectors allow to delete.
    fn before(&self, log: &PartitionInfo, consumed: &[GroupOffsets]) -> Result<Offset, Error> {
        let end = log.end_offset();
        let mut before = end.min(self.selectors.before_offset.unwrap_or(end));
        if let Some(kept) = self.selectors.keep_last {
            let first_kept = end.get().saturating_sub_unsigned(kept).max(0);
            before = before.min(Offset::new(first_kept)?);
        }
        for group in consumed {
            let Some(&committed) = group.committed.get(&log.partition()) else {
                continue;
            };
            if committed > end {
                let (name, partition) = (&group.name, log.partition());
                return Err(Error::plan(
                    PlanProblem::CommittedBeyondEnd,
                    format!(
                        "the consumer group {name:?} has committed offset {committed} in partition {partition}, which ends at {end}: was the topic created again?"
                    ),
                ));
            }
            before = before.min(committed);
        }
        Ok(before)
    }

    async fn time_cuts(
        &self,
        config: &Config,
        time: i64,
        logs: &[PartitionInfo],
    ) -> Result<TimeCuts, Error> {
        let records = self.records(config);
        let time = TimeInTopic { records, time };
        time.cuts(logs, self.selectors.trust_timestamps).await
    }

    fn records<'a>(&'a self, config: &'a Config) -> TopicRecords<'a> {
        TopicRecords {
            config,
            instance_id: &self.instance_id,
            topic: &self.topic,
        }
    }

    /// Returns the selected partitions.
    async fn logs(&self, config: &Config, time: Option<i64>) -> Result<Vec<PartitionInfo>, Error> {
        // Negative times have other meanings in Kafka.
        let time = time.filter(|time| *time > 0);
        let listed = list::partitions(config, &self.instance_id, &self.topic, time).await;
        let logs = match listed {
            Ok(logs) => logs,
            Err(error) => return Err(self.or_unknown_topic(config, error).await),
        };
        let Some(selected) = &self.selectors.partitions else {
            return Ok(logs);
        };
        let by_partition: BTreeMap<_, _> =
            logs.into_iter().map(|log| (log.partition(), log)).collect();
        let find = |partition| {
            by_partition.get(partition).copied().ok_or_else(|| {
                let (topic, count) = (&self.topic, by_partition.len());
                Error::plan(
                    PlanProblem::UnknownPartition,
                    format!("topic {topic} has no partition {partition}: it has {count} partitions, counted from 0"),
                )
            })
        };
        selected.iter().map(find).collect()
    }

    /// A plan can do without it. Only an error that any other request would have too is returned: a service may lock a key
    /// after some wrong signatures.
    async fn topic_created_at(&self, config: &Config) -> Result<Option<i64>, Error> {
        match list::topics(config, &self.instance_id).await {
            Ok(topics) => Ok(topics.get(&self.topic).copied().flatten()),
            Err(error) => match error.kind() {
                ErrorKind::Credentials
                | ErrorKind::ProjectId
                | ErrorKind::Unauthorized
                | ErrorKind::Connect => Err(error),
                _ => Ok(None),
            },
        }
    }

    /// Returns an error that lists similar topics instead, if the service refused a request and does not list the topic.
    async fn or_unknown_topic(&self, config: &Config, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::BadRequest) {
            return error;
        }
        let topic = &self.topic;
        match list::topics(config, &self.instance_id).await {
            Ok(topics) if !topics.contains_key(topic) => {
                let similar = similar(topic.as_str(), topics.keys().map(TopicName::as_str));
                let message = format!("topic {topic} does not exist{similar}");
                Error::plan(PlanProblem::UnknownTopic, message).with_source(error)
            }
            _ => error,
        }
    }

    /// Returns the groups whose commits limit the deletion, and those that may lose records, or why they are not known.
    async fn groups(
        &self,
        config: &Config,
    ) -> Result<(Vec<GroupOffsets>, Result<Vec<GroupOffsets>, String>), Error> {
        let by_all = self.selectors.consumed_by_all_groups;
        let all = if by_all || self.with_consumer_groups {
            consumer_groups::all(config, &self.instance_id, &self.topic).await
        } else {
            let reason = "the consumer groups were not read: see with_consumer_groups()";
            Err(Error::invalid_input(reason))
        };
        let mut consumed = Vec::new();
        for name in self.selectors.consumed_by.iter().flatten() {
            let known = all.iter().flatten().find(|group| group.name == *name);
            let group = match known {
                Some(group) => group.clone(),
                None => self.named_group(config, name).await?,
            };
            if group.committed.is_empty() {
                let topic = &self.topic;
                return Err(Error::plan(
                    PlanProblem::NoCommittedOffset,
                    format!("the consumer group {name:?} has no committed offset in topic {topic}"),
                ));
            }
            consumed.push(group);
        }
        let losing = match all {
            Ok(groups) => Ok(groups),
            Err(error) if by_all => return Err(error),
            Err(error) => Err(error.to_string()),
        };
        if let (true, Ok(groups)) = (by_all, &losing) {
            if groups.is_empty() {
                let topic = &self.topic;
                return Err(Error::plan(
                    PlanProblem::NoConsumerGroup,
                    format!("no consumer group has a committed offset in topic {topic}"),
                ));
            }
            consumed.clone_from(groups);
        }
        Ok((consumed, losing))
    }

    async fn named_group(&self, config: &Config, name: &str) -> Result<GroupOffsets, Error> {
        let instance_id = &self.instance_id;
        let found = consumer_groups::groups(config, instance_id, Some(name)).await?;
        if let Some(state) = found.get(name) {
            let (name, state) = (name.to_owned(), state.clone());
            return consumer_groups::offsets(config, instance_id, &self.topic, name, state).await;
        }
        let all = consumer_groups::groups(config, instance_id, None).await?;
        let similar = similar(name, all.keys().map(String::as_str));
        let message = format!("the consumer group {name:?} does not exist{similar}");
        Err(Error::plan(PlanProblem::UnknownGroup, message))
    }
}

/// Lists the most similar names, for an error.
fn similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    const LISTED: usize = 3;
    const LEAST: f64 = 0.8;
    let mut scored: Vec<(f64, &str)> = names
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(score, _)| *score >= LEAST)
        .collect();
    scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let listed: Vec<String> = scored
        .iter()
        .take(LISTED)
        .map(|(_, name)| format!("{name:?}"))
        .collect();
    if listed.is_empty() {
        return String::new();
    }
    format!(" (did you mean {}?)", listed.join(", "))
}
