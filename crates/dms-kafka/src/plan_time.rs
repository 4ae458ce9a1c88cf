//! Resolves a time into offsets, by the times of records.

use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::call;
use crate::error::Error;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::{Offset, PartitionId, ProjectId};
use crate::list::PartitionInfo;
use crate::paging::PAGE;
use crate::records::{CONCURRENCY, RECORDS, TopicRecords};

const PURPOSE: &str = "cannot find records by their time, which before_time needs";

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
    pub(crate) records: TopicRecords<'a>,
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
        let times = self.kept_records().await?;
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
            let deadline = call::after(self.records.config.settings.call_timeout);
            let found = self
                .records
                .at_or_after(partition, offset, deadline)
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

    /// Returns all records of the topic that are not older than the time, which is positive, or an error if the list may be incomplete.
    async fn kept_records(self) -> Result<Times, Error> {
        let time = self.time;
        let query = |skip| types::ShowInstanceMessagesQuery {
            topic: Some(self.records.topic.as_str().to_owned()),
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
            self.records.find(client, project_id, &query(skip)).await
        };
        let open = |page: types::ShowInstanceMessagesResponse| {
            let total = page.total.and_then(|total| i32::try_from(total).ok());
            let records = usize::try_from(total.unwrap_or(-1));
            let items = match records {
                Ok(records) if records > MAX_RECORDS => vec![Err("it is too long")],
                Ok(_) => {
                    let item = |message| match self.records.record(message)? {
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
            .all_pages(self.records.config, send, open)
            .await
            .map_err(Error::without_content)?;
        times.retain(|_, at| *at >= time);
        Ok(times)
    }
}

fn not_exact(error: Error) -> Error {
    if error.kind() != ErrorKind::InvalidAnswer {
        return error.with_purpose(PURPOSE);
    }
    let message = "the service cannot list all records from that time on, which an exact plan needs; if times never fall within a partition, use trust_timestamps()";
    Error::plan(PlanProblem::TimeNotExact, message).with_source(error)
}
