//! Resolves a time into offsets, by the times of records. Their content is not read.

use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::call::{self, Effect, Operation};
use crate::config::Config;
use crate::error::Error;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::list::PartitionInfo;
use crate::paging::{List, PAGE};
use crate::response::RawResult;

/// The number of partitions that are searched at the same time.
const CONCURRENCY: usize = 4;

const PURPOSE: &str = "cannot find records by their time, which before_time needs";

const RECORDS: List = List {
    operation: Operation {
        name: "ShowInstanceMessages",
        method: "GET",
    },
    what: "records",
};
/// More records than this are not listed. A service may cap its total at 10,000.
const MAX_RECORDS: usize = 5000;
/// The times of records in milliseconds, by partition and offset.
type Times = BTreeMap<(PartitionId, Offset), i64>;

/// The offset before which a partition is deleted, and the time of the first record from there on, if it is known.
pub(crate) type TimeCut = (Offset, Option<i64>);

pub(crate) struct TimeCuts {
    pub(crate) partitions: BTreeMap<PartitionId, TimeCut>,
    /// Whether every record before the offsets is older.
    pub(crate) is_exact: bool,
}

/// A topic, and a time in milliseconds since the Unix epoch.
#[derive(Clone, Copy)]
pub(crate) struct TimeInTopic<'a> {
    pub(crate) config: &'a Config,
    pub(crate) instance_id: &'a InstanceId,
    pub(crate) topic: &'a TopicName,
    pub(crate) time: i64,
}

impl TimeInTopic<'_> {
    /// `logs` were listed with the time, if it is positive, before this call.
    pub(crate) async fn cuts(
        self,
        logs: &[PartitionInfo],
        trust_timestamps: bool,
    ) -> Result<TimeCuts, Error> {
        let exact = |partitions| TimeCuts {
            partitions,
            is_exact: true,
        };
        if self.time <= 0 {
            let nothing = logs
                .iter()
                .map(|log| (log.partition(), (log.start_offset(), None)));
            return Ok(exact(nothing.collect()));
        }
        let of_service = logs
            .iter()
            .map(|log| Some((log.partition(), (log.timestamp_offset()?, None))));
        if let Some(of_service) = of_service.collect() {
            return Ok(exact(of_service));
        }
        match self.by_all_records(logs).await {
            Ok(partitions) => Ok(exact(partitions)),
            Err(_) if trust_timestamps => self.bisect_all(logs).await,
            Err(error) => Err(not_exact(error)),
        }
    }

    async fn by_all_records(
        self,
        logs: &[PartitionInfo],
    ) -> Result<BTreeMap<PartitionId, TimeCut>, Error> {
        let times = self.records().await?;
        let cut = |log: &PartitionInfo| {
            let partition = log.partition();
            let mut kept = times.range((partition, log.start_offset())..);
            match kept.next() {
                Some(((of, offset), at)) if *of == partition => (partition, (*offset, Some(*at))),
                _ => (partition, (log.end_offset(), None)),
            }
        };
        Ok(logs.iter().map(cut).collect())
    }

    async fn bisect_all(self, logs: &[PartitionInfo]) -> Result<TimeCuts, Error> {
        // Boxed, because the compiler does not see that the future is `Send` otherwise.
        let searches: Vec<_> = logs.iter().map(|log| self.bisect(log).boxed()).collect();
        let partitions: Vec<_> = stream::iter(searches)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(TimeCuts {
            partitions: partitions.into_iter().collect(),
            is_exact: false,
        })
    }

    /// Finds the offset from which records are not older, if times never fall.
    async fn bisect(self, log: &PartitionInfo) -> Result<(PartitionId, TimeCut), Error> {
        let partition = log.partition();
        let (mut low, mut high) = (log.start_offset().get(), log.end_offset().get());
        let mut first_kept = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let offset = Offset::new(middle)?;
            let found = self
                .record_at_or_after(partition, offset)
                .await
                .map_err(|error| error.with_purpose(PURPOSE))?;
            match found {
                Some((at, of_record)) if of_record < self.time => {
                    low = at.get().saturating_add(1).min(high);
                }
                found => {
                    high = middle;
                    first_kept = found.map(|(_, of_record)| of_record);
                }
            }
        }
        Ok((partition, (Offset::new(high)?, first_kept)))
    }

    async fn find(
        self,
        client: raw::Client,
        project_id: ProjectId,
        query: &types::ShowInstanceMessagesQuery,
    ) -> RawResult<types::ShowInstanceMessagesResponse> {
        client
            .show_instance_messages(project_id.as_str(), self.instance_id.as_str(), query)
            .await
    }

    /// Returns all records of the topic that are not older than the time, which is positive, or an error if the list may be incomplete.
    async fn records(self) -> Result<Times, Error> {
        let time = self.time;
        let query = |skip| types::ShowInstanceMessagesQuery {
            topic: Some(self.topic.as_str().to_owned()),
            // It may exclude the time itself.
            start_time: Some(time - 1),
            // Records may have any time, also nanoseconds.
            end_time: Some(i64::MAX),
            limit: Some(PAGE),
            // The number of the page. If a page is not full, the next one repeats a record, which is refused.
            offset: Some(skip / PAGE),
            asc: Some(true),
            ..Default::default()
        };
        let send = async |client: raw::Client, project_id: ProjectId, skip| {
            self.find(client, project_id, &query(skip)).await
        };
        let open = |page: types::ShowInstanceMessagesResponse| {
            let total = page.total.and_then(|total| i32::try_from(total).ok());
            let records = usize::try_from(total.unwrap_or(-1));
            let items = match records {
                Ok(records) if records > MAX_RECORDS => vec![Err("it is too long")],
                Ok(_) => {
                    let item = |message| match self.record(message)? {
                        (_, at) if at < time - 1 => Err("a record is older than was asked for"),
                        item => Ok(item),
                    };
                    page.messages.iter().map(item).collect()
                }
                Err(_) => vec![Err("it has no total")],
            };
            (total, items)
        };
        let mut times = RECORDS
            .all_pages(self.config, send, open)
            .await
            .map_err(Error::without_content)?;
        times.retain(|_, at| *at >= time);
        Ok(times)
    }

    /// Returns offset and time of the first record at or after an offset.
    async fn record_at_or_after(
        self,
        partition: PartitionId,
        offset: Offset,
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
        let deadline = call::after(self.config.settings.call_timeout);
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

    fn record(
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
}

fn not_exact(error: Error) -> Error {
    if error.kind() != ErrorKind::InvalidAnswer {
        return error.with_purpose(PURPOSE);
    }
    let message = "the service cannot list all records from that time on, which an exact plan needs; if times never fall within a partition, use trust_timestamps()";
    Error::plan(PlanProblem::TimeNotExact, message).with_source(error)
}
