//! Finds records of a topic by reading them. Their content is dropped.

use std::{
    collections::VecDeque,
    ops::{ControlFlow, Range, RangeInclusive},
    time::Instant,
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError,
};

use super::{librdkafka::Reader, results::Failure};
use crate::backend::{FoundRecord, FoundRecords, KafkaErrorCode};

/// A topic, and a client that reads it.
pub(super) struct RecordReader<'a> {
    pub(super) client: &'a Reader,
    pub(super) topic: &'a str,
    pub(super) deadline: Instant,
}

impl RecordReader<'_> {
    pub(super) fn first(
        &self,
        partition: i32,
        offsets: Range<i64>,
    ) -> Result<Option<FoundRecord>, Failure> {
        let mut first = None;
        self.scan(partition, offsets, |record| {
            first = Some(record);
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    /// The last record. The offsets before the end may have none: there are the markers of transactions.
    pub(super) fn last(
        &self,
        partition: i32,
        offsets: Range<i64>,
    ) -> Result<Option<FoundRecord>, Failure> {
        let mut last = None;
        let mut end = offsets.end;
        for exponent in 0..i64::BITS - 1 {
            let start = offsets.start.max(offsets.end.saturating_sub(1 << exponent));
            self.scan(partition, start..end, |record| {
                last = Some(record);
                ControlFlow::Continue(())
            })?;
            if last.is_some() || start == offsets.start {
                break;
            }
            end = start;
        }
        Ok(last)
    }

    /// The records with these times in these offsets of partitions, in order, or in the reverse order.
    pub(super) fn between(
        &self,
        mut partitions: Vec<(i32, Range<i64>)>,
        times: &RangeInclusive<i64>,
        reverse: bool,
        (skip, limit): (u64, usize),
    ) -> Result<FoundRecords, Failure> {
        if reverse {
            partitions.reverse();
        }
        let mut found = FoundRecords::default();
        for (partition, offsets) in partitions {
            let skipped = usize::try_from(skip.saturating_sub(found.total)).unwrap_or(usize::MAX);
            let taken = limit - found.records.len();
            let most = if taken == 0 {
                0
            } else {
                skipped.saturating_add(taken)
            };
            let mut kept = VecDeque::new();
            self.scan(partition, offsets, |record| {
                if times.contains(&record.timestamp) {
                    found.total += 1;
                    if kept.len() == most && reverse {
                        kept.pop_front();
                    }
                    if kept.len() < most {
                        kept.push_back(record);
                    }
                }
                ControlFlow::Continue(())
            })?;
            if reverse {
                kept.make_contiguous().reverse();
            }
            let page = kept.into_iter().skip(skipped).take(taken);
            found.records.extend(page.map(|record| (partition, record)));
        }
        Ok(found)
    }

    /// Calls `each` with the records at these offsets, in order, until it breaks.
    fn scan(
        &self,
        partition: i32,
        offsets: Range<i64>,
        mut each: impl FnMut(FoundRecord) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(self.topic, partition, Offset::Offset(offsets.start))?;
        self.client.assign(&list)?;
        loop {
            let time = self.deadline.saturating_duration_since(Instant::now());
            if time.is_zero() {
                return Err(Failure::timed_out());
            }
            match self.client.poll(time) {
                Some(Ok(record)) if record.partition() == partition => {
                    let offset = record.offset();
                    if offset >= offsets.end {
                        return Ok(());
                    }
                    let found = FoundRecord {
                        offset,
                        timestamp: record.timestamp().to_millis().unwrap_or_default(),
                    };
                    if each(found).is_break() || offset + 1 == offsets.end {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(of))) if of == partition => return Ok(()),
                Some(Err(error)) => check(error.into())?,
                _ => {}
            }
        }
    }
}

/// Fails unless the client continues despite this failure: it tries other brokers, and needs no permission for its group.
fn check(failure: Failure) -> Result<(), Failure> {
    match failure.code {
        KafkaErrorCode::NETWORK_EXCEPTION
        | KafkaErrorCode::REQUEST_TIMED_OUT
        | KafkaErrorCode::GROUP_AUTHORIZATION_FAILED => Ok(()),
        _ => Err(failure),
    }
}
