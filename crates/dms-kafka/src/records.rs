//! Reads offsets and times of records of one topic. Their content is not read.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::Instant;

use crate::call::{self, Effect, Operation};
use crate::config::Config;
use crate::error::Error;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::paging::List;
use crate::plan_content::{Losses, PlannedPartition};
use crate::response::RawResult;

/// The number of partitions that are read at the same time.
pub(crate) const CONCURRENCY: usize = 4;
/// Each needs up to three requests, which take a tenth of a second of some services.
const MOST_WITH_TIMES: usize = 100;

pub(crate) const RECORDS: List = List {
    operation: get("ShowInstanceMessages"),
    what: "records",
};
const OLDEST: Operation<'static> = get("ShowPartitionBeginningMessage");
const NEWEST: Operation<'static> = get("ShowPartitionEndMessage");

const fn get(name: &'static str) -> Operation<'static> {
    Operation {
        name,
        method: "GET",
    }
}

/// The times of records in milliseconds, by partition.
type PartitionTimes = BTreeMap<PartitionId, i64>;
/// Boxed, because the compiler does not see that the future is `Send` otherwise.
type TimeRequest<'a> = BoxFuture<'a, Result<(PartitionId, Option<i64>), Error>>;

/// A topic whose records are read.
#[derive(Clone, Copy)]
pub(crate) struct TopicRecords<'a> {
    pub(crate) config: &'a Config,
    pub(crate) instance_id: &'a InstanceId,
    pub(crate) topic: &'a TopicName,
}

impl<'a> TopicRecords<'a> {
    pub(crate) async fn find(
        self,
        client: raw::Client,
        project_id: ProjectId,
        query: &types::ShowInstanceMessagesQuery,
    ) -> RawResult<types::ShowInstanceMessagesResponse> {
        client
            .show_instance_messages(project_id.as_str(), self.instance_id.as_str(), query)
            .await
    }

    /// Returns offset and time of the first record at or after an offset.
    pub(crate) async fn at_or_after(
        self,
        partition: PartitionId,
        offset: Offset,
        deadline: Instant,
    ) -> Result<Option<(Offset, i64)>, Error> {
        let query = types::ShowInstanceMessagesQuery {
            topic: Some(self.topic.as_str().to_owned()),
            partition: Some(partition.get()),
            message_offset: Some(offset.get()),
            limit: Some(1),
            ..Default::default()
        };
        let send = async |client: raw::Client, project_id: ProjectId| {
            self.find(client, project_id, &query).await
        };
        let found = call::run(
            self.config,
            deadline,
            RECORDS.operation,
            Effect::Reads,
            send,
        )
        .await
        .map_err(Error::without_content)?;
        let mut records = Vec::new();
        for message in &found.value.messages {
            match self.record(message) {
                Ok(((of, at), time)) if of == partition && at >= offset => records.push((at, time)),
                Ok(_) => return Err(RECORDS.invalid("a record is not one that was asked for")),
                Err(rule) => return Err(RECORDS.invalid(rule)),
            }
        }
        Ok(records.into_iter().min())
    }

    pub(crate) fn record(
        self,
        message: &types::InstanceMessage,
    ) -> Result<((PartitionId, Offset), i64), &'static str> {
        let (Some(of), Some(partition), Some(offset), Some(time)) = (
            message.topic.as_deref(),
            message.partition,
            message.message_offset,
            message.timestamp,
        ) else {
            return Err("an item has no topic, partition, offset or time");
        };
        match (PartitionId::new(partition), Offset::new(offset)) {
            (Ok(partition), Ok(offset)) if of == self.topic.as_str() => {
                Ok(((partition, offset), time))
            }
            _ => Err("an item has another topic, or a negative partition or offset"),
        }
    }

    /// Adds the times of the oldest record, the newest record and the first record kept, as far as the service tells them
    /// before the deadline. Of many partitions, those with the largest losses have times.
    pub(crate) async fn add_times(
        self,
        partitions: &mut [PlannedPartition],
        losses: &Losses,
        deadline: Instant,
    ) {
        let mut largest: Vec<PlannedPartition> = partitions.to_vec();
        let lost = losses.by_partition();
        largest.sort_by_key(|planned| {
            let lost = lost.get(&planned.partition()).copied().unwrap_or_default();
            let held = planned.end().get() - planned.start().get();
            Reverse((lost, planned.records(), held))
        });
        largest.truncate(MOST_WITH_TIMES);
        let oldest = times(self.edges(OLDEST, &largest, deadline)).await;
        let newest = times(self.edges(NEWEST, &largest, deadline)).await;
        let first_kept = times(self.first_kept(&largest, deadline)).await;
        for planned in partitions {
            let time = |times: &PartitionTimes| times.get(&planned.partition()).copied();
            let times = [&oldest, &newest, &first_kept].map(time);
            planned.set_times(times);
        }
    }

    fn edges(
        self,
        operation: Operation<'static>,
        partitions: &[PlannedPartition],
        deadline: Instant,
    ) -> Vec<TimeRequest<'a>> {
        let with_records = partitions
            .iter()
            .filter(|planned| planned.start() < planned.end());
        let request = |planned: &PlannedPartition| {
            let (partition, start) = (planned.partition(), planned.start());
            let time = self.edge(operation, partition, start, deadline);
            async move { Ok((partition, time.await?)) }.boxed()
        };
        with_records.map(request).collect()
    }

    /// The first record kept of the others is the oldest one, there is none, or its time is known.
    fn first_kept(
        self,
        partitions: &[PlannedPartition],
        deadline: Instant,
    ) -> Vec<TimeRequest<'a>> {
        let unknown = partitions.iter().filter(|planned| {
            planned.records() > 0
                && planned.before() < planned.end()
                && planned.first_kept_time().is_none()
        });
        let request = |planned: &PlannedPartition| {
            let partition = planned.partition();
            let found = self.at_or_after(partition, planned.before(), deadline);
            async move { Ok((partition, found.await?.map(|(_, time)| time))) }.boxed()
        };
        unknown.map(request).collect()
    }

    /// Returns the time of the oldest or newest record, or `None` if there is none.
    async fn edge(
        self,
        operation: Operation<'static>,
        partition: PartitionId,
        start: Offset,
        deadline: Instant,
    ) -> Result<Option<i64>, Error> {
        let partition = partition.get();
        let (instance_id, topic) = (self.instance_id.as_str(), self.topic.as_str());
        let send = async |client: raw::Client, project_id: ProjectId| {
            let project_id = project_id.as_str();
            if operation.name == OLDEST.name {
                client
                    .show_partition_beginning_message(project_id, instance_id, topic, partition)
                    .await
            } else {
                client
                    .show_partition_end_message(project_id, instance_id, topic, partition)
                    .await
            }
        };
        let found = call::run(self.config, deadline, operation, Effect::Reads, send);
        let found = found.await?.value;
        let is_asked_for = found.topic.is_none_or(|of| of == topic)
            && found.partition.is_none_or(|of| of == partition)
            && found.offset.is_none_or(|offset| offset >= start.get());
        if is_asked_for {
            Ok(found.timestamp)
        } else {
            Err(RECORDS.invalid("a record is not one that was asked for"))
        }
    }
}

/// Reads times until a request fails, so that a service without the operation gets only a few. The others are unknown.
async fn times(requests: Vec<TimeRequest<'_>>) -> PartitionTimes {
    let mut found = stream::iter(requests).buffer_unordered(CONCURRENCY);
    let mut times = PartitionTimes::new();
    while let Some(found) = found.next().await {
        match found {
            Ok((partition, time)) => times.extend(time.map(|time| (partition, time))),
            Err(error) => {
                let kind = error.kind().as_str();
                tracing::info!(error.r#type = kind, "times of records are unknown");
                break;
            }
        }
    }
    times
}
