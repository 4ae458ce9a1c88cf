//! Resolves a time into offsets.

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::config::Config;
use crate::error::Error;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::{InstanceId, Offset, PartitionId, TopicName};
use crate::list::PartitionInfo;
use crate::records;

/// The number of partitions that are searched at the same time.
const CONCURRENCY: usize = 4;

const PURPOSE: &str = "cannot find records by their time, which before_time needs";

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
        let Self {
            config,
            instance_id,
            topic,
            time,
        } = self;
        let times = records::since(config, instance_id, topic, time).await?;
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
        let Self {
            config,
            instance_id,
            topic,
            time,
        } = self;
        let partition = log.partition();
        let (mut low, mut high) = (log.start_offset().get(), log.end_offset().get());
        let mut first_kept = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let offset = Offset::new(middle)?;
            let found = records::at_or_after(config, instance_id, topic, partition, offset)
                .await
                .map_err(|error| error.with_purpose(PURPOSE))?;
            match found {
                Some((at, of_record)) if of_record < time => {
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
}

fn not_exact(error: Error) -> Error {
    if error.kind() != ErrorKind::InvalidAnswer {
        return error.with_purpose(PURPOSE);
    }
    let message = "the service cannot list all records from that time on, which an exact plan needs; if times never fall within a partition, use trust_timestamps()";
    Error::plan(PlanProblem::TimeNotExact, message).with_source(error)
}
