//! The flags that select what a plan deletes.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use clap::{ArgMatches, Args};
use dms_kafka::{Offset, PartitionId, PlanDeletion};
use jiff::{SpanRelativeTo, Timestamp};

use crate::screen;
use crate::settings::{InvalidSettings, Settings, flag, is_typed};

/// All flags. They exclude the flags for explicit offsets.
pub(crate) const ALL: [&str; 9] = [
    "older_than",
    "before_time",
    "keep_last",
    "consumed_by",
    "consumed_by_all",
    "up_to_end",
    "before_offset",
    "partitions",
    "trust_timestamps",
];

/// The flags of which a plan needs at least one.
pub(crate) fn cuts() -> &'static [&'static str] {
    &ALL[..7]
}

/// What a plan deletes. In each partition, the selector with the lowest offset applies.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Selectors (they combine: the lowest offset applies)")]
#[group(skip)]
pub(crate) struct SelectorFlags {
    /// Delete records older than this age, such as 7d or 36h
    #[arg(long, value_name = "AGE", allow_hyphen_values = true, value_parser = age)]
    older_than: Option<Duration>,

    /// Delete records older than this time, such as 2026-11-19T00:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time)]
    before_time: Option<SystemTime>,

    /// Keep the last N records of each partition
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = count)]
    keep_last: Option<u64>,

    /// Delete what this consumer group has consumed; with several groups, what all of them have; repeatable
    #[arg(long, value_name = "GROUP")]
    consumed_by: Vec<String>,

    /// Delete what all consumer groups with a committed offset in the topic have consumed
    #[arg(long)]
    consumed_by_all: bool,

    /// Delete all records that the partitions have now; later ones are kept
    #[arg(long)]
    up_to_end: bool,

    /// Delete the records before this offset in each partition
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset)]
    before_offset: Option<Offset>,

    /// Only these partitions, such as 0,2-5; all partitions if omitted
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = partition_list)]
    partitions: Option<BTreeSet<PartitionId>>,

    /// If the service cannot tell the offsets of a time exactly, search for them, assuming that times never fall in a
    /// partition: where they do, newer records may be deleted
    #[arg(long)]
    trust_timestamps: bool,
}

/// The flags, and the words of a shell that repeat them.
#[derive(Debug)]
pub(crate) struct Selectors {
    flags: SelectorFlags,
    pub(crate) words: String,
}

impl Settings for Selectors {
    type Flags = SelectorFlags;

    fn resolve(flags: SelectorFlags, matches: &ArgMatches) -> Result<Self, InvalidSettings> {
        let mut words = Vec::new();
        for id in ALL.into_iter().filter(|id| is_typed(matches, id)) {
            let is_switch = matches.try_get_one::<bool>(id).is_ok();
            let values = matches.get_raw(id).into_iter().flatten();
            words.extend(values.map(|value| match value.to_string_lossy() {
                _ if is_switch => flag(id),
                value => screen::shell_flag(&flag(id), &value),
            }));
        }
        let words = words.join(" ");
        Ok(Self { flags, words })
    }
}

impl Selectors {
    /// Adds the selectors to a plan, which also determines which consumer groups lose unread records.
    pub(crate) fn add_to(&self, mut plan: PlanDeletion) -> PlanDeletion {
        let oldest_kept = self.flags.older_than.map(|age| {
            let time = SystemTime::now().checked_sub(age);
            time.unwrap_or(SystemTime::UNIX_EPOCH)
        });
        if let Some(time) = oldest_kept.into_iter().chain(self.flags.before_time).min() {
            plan = plan.before_time(time);
        }
        if self.flags.trust_timestamps {
            plan = plan.trust_timestamps();
        }
        if let Some(records) = self.flags.keep_last {
            plan = plan.keep_last(records);
        }
        if !self.flags.consumed_by.is_empty() {
            plan = plan.consumed_by(&self.flags.consumed_by);
        }
        if self.flags.consumed_by_all {
            plan = plan.consumed_by_all_groups();
        }
        if self.flags.up_to_end {
            plan = plan.up_to_end();
        }
        if let Some(offset) = self.flags.before_offset {
            plan = plan.before_offset(offset);
        }
        if let Some(partitions) = &self.flags.partitions {
            plan = plan.partitions(partitions.iter().copied());
        }
        plan.with_consumer_groups()
    }

    /// The highest partition that is named.
    pub(crate) fn highest_partition(&self) -> i32 {
        let last = self.flags.partitions.as_ref().and_then(BTreeSet::last);
        last.map_or(0, |partition| partition.get())
    }

    /// Whether all partitions are selected.
    pub(crate) fn is_whole_topic(&self) -> bool {
        self.flags.partitions.is_none()
    }
}

/// More partitions than a topic can have.
const MOST_PARTITIONS: usize = 100_000;

/// Parses partitions in the form `0,2-5`.
fn partition_list(text: &str) -> Result<BTreeSet<PartitionId>, String> {
    let mut partitions = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let wrong = |_| format!("{part:?} is not a partition or a range: expected 0,2-5");
        let (first, last) = (
            first.parse::<u32>().map_err(wrong)?,
            last.parse::<u32>().map_err(wrong)?,
        );
        if first > last {
            return Err(format!("the range {part} falls: write {last}-{first}"));
        }
        for partition in first..=last {
            let id = i32::try_from(partition).ok().map(PartitionId::new);
            let Some(Ok(id)) = id else {
                return Err(format!(
                    "partition {partition} is greater than {}",
                    i32::MAX
                ));
            };
            if !partitions.insert(id) {
                return Err(format!("partition {partition} is given twice"));
            }
            if partitions.len() > MOST_PARTITIONS {
                return Err(format!("there are more than {MOST_PARTITIONS} partitions"));
            }
        }
    }
    Ok(partitions)
}

/// Days have 24 hours.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "expected an age such as 7d, 36h or 1h30m".to_owned();
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    // Months and years differ in length.
    let age = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    match Duration::try_from(age) {
        Ok(age) if !age.is_zero() => Ok(age),
        _ => Err("an age is more than 0".to_owned()),
    }
}

fn time(text: &str) -> Result<SystemTime, String> {
    let time: Timestamp = text.parse().map_err(|_| {
        "expected a date and time with its time zone, such as 2026-11-19T00:00:00Z".to_owned()
    })?;
    if time > Timestamp::now() {
        return Err(
            "the time is in the future: to delete all records that exist now, use --up-to-end"
                .to_owned(),
        );
    }
    Ok(time.into())
}

fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("expected a number of records from 0 to {}", u64::MAX))
}

pub(crate) fn offset(text: &str) -> Result<Offset, String> {
    let offset: i64 = text
        .parse()
        .map_err(|_| format!("offset {text:?} is not a number from 0 to {}", i64::MAX))?;
    Offset::new(offset).map_err(|_| "offsets start at 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_partitions() {
        for (text, expected) in [
            ("0", Some(&[0][..])),
            ("0,2-5", Some(&[0, 2, 3, 4, 5])),
            ("2-2,0", Some(&[0, 2])),
            ("2147483647", Some(&[i32::MAX])),
            ("", None),
            (",", None),
            ("0,", None),
            ("5-2", None),
            ("-1", None),
            ("1-", None),
            ("1--2", None),
            ("0 1", None),
            ("+1", Some(&[1])),
            ("0,0", None),
            ("0-5,3", None),
            ("0x1", None),
            ("2147483648", None),
            ("0-4294967295", None),
            ("99999999999", None),
            ("٣", None),
        ] {
            let parsed = partition_list(text).ok();
            let parsed = parsed.map(|list| list.into_iter().map(PartitionId::get).collect());
            assert_eq!(parsed, expected.map(<[i32]>::to_vec), "{text:?}");
        }
    }

    #[test]
    fn ages_and_times() {
        const HOUR: u64 = 3600;
        for (text, hours) in [
            ("7d", Some(7 * 24)),
            ("36h", Some(36)),
            ("2w", Some(14 * 24)),
            ("1d12h", Some(36)),
            ("120m", Some(2)),
            ("P1D", Some(24)),
            ("1w2d", Some(9 * 24)),
            ("7 days", Some(7 * 24)),
            ("7D", None),
            ("1e3d", None),
            ("-1d", None),
            ("0s", None),
            ("1d -2d", None),
            ("+1d", Some(24)),
            ("7", None),
            ("", None),
            ("d", None),
            ("0d", None),
            ("-7d", None),
            ("7d ago", None),
            ("1mo", None),
            ("1y", None),
            ("7 parsecs", None),
            ("99999999999d", None),
        ] {
            let expected = hours.map(|hours: u64| Duration::from_secs(hours * HOUR));
            assert_eq!(age(text).ok(), expected, "{text:?}");
        }
        for (text, is_time) in [
            ("2026-11-19T00:00:00Z", true),
            ("2026-11-19T01:00:00+02:00", true),
            ("1960-01-01T00:00:00Z", true),
            ("2026-11-19", false),
            ("2026-11-19T00:00:00", false),
            ("2026-13-19T00:00:00Z", false),
            ("9999-01-01T00:00:00Z", false),
            ("now", false),
            ("", false),
            ("1763500000", false),
        ] {
            assert_eq!(time(text).is_ok(), is_time, "{text:?}");
        }
    }
}
