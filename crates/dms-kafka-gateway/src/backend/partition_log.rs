//! The log of a partition in memory: its offsets, and the times of its records.

use std::{
    collections::VecDeque,
    ops::{Range, RangeInclusive},
};

use super::FoundRecord;

/// The most runs of a partition. When it has them, appended records change the times of the last run instead of adding one.
const MAX_RUNS: usize = 10_000;

/// A partition without the content of its records.
///
/// Times are kept as runs of records whose times lie on a line, so that any number of records takes little memory. Offsets
/// between two runs have no record, as in a compacted log.
#[derive(Clone, Debug)]
pub(crate) struct PartitionLog {
    start: i64,
    end: i64,
    /// By offset, without overlaps. The first may begin below `start`.
    runs: VecDeque<Run>,
}

/// Records with consecutive offsets, of which there is at least one.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_offset: i64,
    records: i64,
    first_time: i64,
    last_time: i64,
}

impl PartitionLog {
    pub(crate) fn empty() -> Self {
        Self {
            start: 0,
            end: 0,
            runs: VecDeque::new(),
        }
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Appends `skip` offsets without records, and records whose times lie on the line from the first to the last one, in
    /// milliseconds since 1970.
    ///
    /// Changes nothing and returns false if the end would not be less than 2<sup>63</sup>, or if there are offsets to skip and
    /// the partition has the most runs.
    pub(crate) fn append(
        &mut self,
        skip: u64,
        records: u64,
        (first_time, last_time): (i64, i64),
    ) -> bool {
        let full = self.runs.len() >= MAX_RUNS;
        let first_offset = self.end.checked_add_unsigned(skip);
        let Some(first_offset) = first_offset.filter(|_| skip == 0 || !full) else {
            return false;
        };
        let Some(end) = first_offset.checked_add_unsigned(records) else {
            return false;
        };
        self.end = end;
        let records = end - first_offset;
        if records == 0 {
            return true;
        }
        let run = Run {
            first_offset,
            records,
            first_time,
            last_time: if records == 1 { first_time } else { last_time },
        };
        match self.runs.back_mut() {
            // A full log has no gap at its end.
            Some(last) if full || last.is_continued_by(&run) => last.extend(&run),
            _ => self.runs.push_back(run),
        }
        true
    }

    /// Deletes the records below an offset, which is not above the end. Returns how many offsets that are.
    pub(crate) fn delete_before(&mut self, offset: i64) -> u64 {
        let start = self.start.max(offset);
        let deleted = start.abs_diff(self.start);
        self.start = start;
        while self.runs.front().is_some_and(|run| run.end() <= start) {
            self.runs.pop_front();
        }
        deleted
    }

    /// The smallest offset of a record that is not older than `time`; the end if there is none.
    pub(crate) fn offset_for_time(&self, time: i64) -> i64 {
        let first = self.between(time..=i64::MAX).next();
        first.map_or(self.end, |offsets| offsets.start)
    }

    /// The offsets of the records with these times, in order.
    pub(crate) fn between(
        &self,
        times: RangeInclusive<i64>,
    ) -> impl DoubleEndedIterator<Item = Range<i64>> {
        let within = move |run: &Run| run.between(self.start, &times);
        self.runs
            .iter()
            .map(within)
            .filter(|offsets| !offsets.is_empty())
    }

    /// The first record at or after an offset.
    pub(crate) fn at_or_after(&self, offset: i64) -> Option<FoundRecord> {
        let offset = offset.max(self.start);
        let run = self.runs.partition_point(|run| run.end() <= offset);
        let run = self.runs.get(run)?;
        Some(run.record(offset.max(run.first_offset)))
    }

    pub(crate) fn newest(&self) -> Option<FoundRecord> {
        let run = self.runs.back()?;
        Some(run.record(run.end() - 1))
    }
}

impl Run {
    fn end(&self) -> i64 {
        self.first_offset + self.records
    }

    fn record(&self, offset: i64) -> FoundRecord {
        FoundRecord {
            offset,
            timestamp: self.time(offset),
        }
    }

    fn time(&self, offset: i64) -> i64 {
        let (first, last) = (i128::from(self.first_time), i128::from(self.last_time));
        let time = match i128::from(self.records - 1) {
            0 => first,
            steps => {
                let step = i128::from(offset - self.first_offset);
                first + ((last - first) * step).div_euclid(steps)
            }
        };
        // It lies between the two.
        i64::try_from(time).unwrap_or(self.last_time)
    }

    /// The offsets from `start` on whose records have these times.
    fn between(&self, start: i64, times: &RangeInclusive<i64>) -> Range<i64> {
        let (first, end) = (self.first_offset.max(start), self.end());
        let rising = self.first_time <= self.last_time;
        // Times rise or fall, so each of these is true up to an offset and false from there on.
        let before = |time: i64| {
            if rising {
                time < *times.start()
            } else {
                time > *times.end()
            }
        };
        let not_after = |time: i64| {
            if rising {
                time <= *times.end()
            } else {
                time >= *times.start()
            }
        };
        let from = self.first_not(first..end, before);
        from..self.first_not(from..end, not_after)
    }

    /// The first of these offsets whose time is not so, or their end.
    fn first_not(&self, offsets: Range<i64>, is_so: impl Fn(i64) -> bool) -> i64 {
        let Range { mut start, mut end } = offsets;
        while start < end {
            let middle = start + (end - start) / 2;
            if is_so(self.time(middle)) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }

    /// Whether both together are one run, without a change of any time.
    fn is_continued_by(&self, next: &Self) -> bool {
        let step = i128::from(next.first_time) - i128::from(self.last_time);
        self.end() == next.first_offset && self.has_step(step) && next.has_step(step)
    }

    fn has_step(&self, step: i128) -> bool {
        let all = i128::from(self.last_time) - i128::from(self.first_time);
        all == step * i128::from(self.records - 1)
    }

    fn extend(&mut self, next: &Self) {
        self.records += next.records;
        self.last_time = next.last_time;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[derive(Clone, Debug)]
    enum Change {
        Append(u64, (i64, i64)),
        Skip(u64),
        /// In thousandths of the records.
        Delete(i64),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            4 => (0..20_u64, (-50..50_i64, -50..50_i64)).prop_map(|(records, times)| Change::Append(records, times)),
            2 => (0..3_u64, -50..50_i64).prop_map(|(records, time)| Change::Append(records, (time, time))),
            1 => (0..9_u64).prop_map(Change::Skip),
            1 => (0..=1000_i64).prop_map(Change::Delete),
        ]
    }

    /// Stores every record.
    #[derive(Default)]
    struct Model {
        start: i64,
        end: i64,
        records: Vec<FoundRecord>,
    }

    impl Model {
        fn apply(&mut self, change: &Change) {
            match *change {
                Change::Append(records, (first, last)) => {
                    for index in 0..i64::try_from(records).unwrap_or_default() {
                        let steps = i64::try_from(records).unwrap_or_default() - 1;
                        let rise = ((last - first) * index).checked_div_euclid(steps);
                        self.records.push(FoundRecord {
                            offset: self.end,
                            timestamp: first + rise.unwrap_or(0),
                        });
                        self.end += 1;
                    }
                }
                Change::Skip(offsets) => self.end = self.end.saturating_add_unsigned(offsets),
                Change::Delete(part) => {
                    self.start += (self.end - self.start) * part / 1000;
                    self.records.retain(|record| record.offset >= self.start);
                }
            }
        }

        fn between(&self, times: &RangeInclusive<i64>) -> Vec<i64> {
            let within = |record: &&FoundRecord| times.contains(&record.timestamp);
            let records = self.records.iter().filter(within);
            records.map(|record| record.offset).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn runs_answer_as_a_log_that_stores_every_record(changes in vec(change(), 0..12)) {
            let (mut log, mut model) = (PartitionLog::empty(), Model::default());
            for change in &changes {
                model.apply(change);
                match *change {
                    Change::Append(records, times) => prop_assert!(log.append(0, records, times)),
                    Change::Skip(offsets) => prop_assert!(log.append(offsets, 0, (0, 0))),
                    Change::Delete(_) => { log.delete_before(model.start); }
                }
                prop_assert_eq!((log.start(), log.end()), (model.start, model.end));
                prop_assert_eq!(log.newest(), model.records.last().copied());
            }
            for offset in -1..=model.end {
                let next = model.records.iter().find(|record| record.offset >= offset);
                prop_assert_eq!(log.at_or_after(offset), next.copied(), "offset {}", offset);
            }
            for time in -51..=51 {
                let first = model.between(&(time..=i64::MAX)).first().copied();
                prop_assert_eq!(log.offset_for_time(time), first.unwrap_or(model.end), "time {}", time);
                for end in [time - 1, time, time + 7] {
                    let found: Vec<i64> = log.between(time..=end).flatten().collect();
                    prop_assert_eq!(found, model.between(&(time..=end)), "times {} to {}", time, end);
                }
            }
        }
    }

    #[test]
    fn records_that_continue_a_line_take_no_further_run() {
        let mut log = PartitionLog::empty();
        for time in 0..100_000 {
            log.append(0, 1, (time, time));
        }
        log.append(0, 3, (100_000, 100_002));
        assert_eq!(log.runs.len(), 1);
        log.append(0, 2, (7, 7));
        log.append(0, 5, (7, 7));
        log.append(0, 1, (6, 0));
        assert_eq!((log.runs.len(), log.end()), (3, 100_011));
    }

    #[test]
    fn a_partition_never_has_more_than_the_most_runs() {
        let mut log = PartitionLog::empty();
        for index in 0..3 * MAX_RUNS {
            log.append(0, 3, if index % 2 == 0 { (0, 1) } else { (10, 0) });
        }
        assert_eq!(log.runs.len(), MAX_RUNS);
        let newest = log.newest().map(|record| record.offset);
        assert_eq!((log.end(), newest), (90_000, Some(89_999)));
        assert!(!log.append(1, 0, (0, 0)));
        log.delete_before(3);
        assert!(log.append(1, 0, (0, 0)));
        log.append(0, 1, (5, 5));
        assert_eq!(
            log.at_or_after(90_000).map(|record| record.offset),
            Some(90_001)
        );
        assert_eq!(log.runs.len(), MAX_RUNS);
    }

    #[test]
    fn extreme_offsets_and_times() {
        let mut log = PartitionLog::empty();
        assert!(!log.append(0, u64::MAX, (i64::MIN, i64::MAX)));
        assert!(log.append(0, i64::MAX.unsigned_abs(), (i64::MIN, i64::MAX)));
        assert_eq!(log.end(), i64::MAX);
        let newest = log.newest().map(|record| record.timestamp);
        assert_eq!(newest, Some(i64::MAX));
        assert_eq!(log.offset_for_time(i64::MIN), 0);
        assert_eq!(log.offset_for_time(i64::MAX), i64::MAX - 1);
        assert!(!log.append(0, 1, (0, 0)) && !log.append(1, 0, (0, 0)));
        assert_eq!(log.delete_before(i64::MAX), i64::MAX.unsigned_abs());
        assert_eq!((log.newest(), log.end()), (None, i64::MAX));
    }
}
