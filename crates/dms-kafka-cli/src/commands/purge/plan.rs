//! What a purge will delete, shown before it does.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use dms_kafka::PartitionInfo;

use super::check::{Checked, TOLD_ROWS, unreadable};
use super::rows;
use super::source::Source;
use crate::exit::Failure;
use crate::output;
use crate::target::{Listing, Target};

/// The service is asked about so many topics at most, and so many are shown.
const ASKED_TOPICS: usize = 20;
const SHOWN_TOPICS: usize = 50;

type Held = BTreeMap<String, HashMap<i32, PartitionInfo>>;

/// The table: a line for each row of a small file, for each topic of a large one.
pub(super) async fn table(
    target: &Target,
    source: &Source,
    checked: &Checked,
) -> Result<String, Failure> {
    let held = held(target, checked).await?;
    if checked.rows <= TOLD_ROWS as u64 {
        return Ok(of_rows(checked, held.as_ref()));
    }
    let records = match &held {
        Some(held) => Some(records(source, held)?),
        None => None,
    };
    Ok(of_topics(checked, records.as_ref()))
}

/// What the partitions hold; `None` when the service does not say, or there are too many topics to ask.
async fn held(target: &Target, checked: &Checked) -> Result<Option<Held>, Failure> {
    if checked.topics.len() > ASKED_TOPICS {
        return Ok(None);
    }
    let mut held = Held::new();
    for topic in checked.topics.keys() {
        match target.partitions(topic).await? {
            Listing::Partitions(partitions) => {
                held.insert(topic.clone(), output::by_partition(&partitions));
            }
            Listing::NoSuchTopic => {}
            Listing::NotOffered => return Ok(None),
        }
    }
    Ok(Some(held))
}

fn of_rows(checked: &Checked, held: Option<&Held>) -> String {
    let mut table = output::table(&[
        "topic",
        "partition",
        "delete",
        "start",
        "end",
        "records to delete",
    ]);
    for row in &checked.first_rows {
        let held = held.and_then(|held| held.get(&row.topic)?.get(&row.partition));
        let Ok(target) = row.target() else {
            continue;
        };
        table.add_row([
            row.topic.clone(),
            row.partition.to_string(),
            target.to_string(),
            output::number(held.map(|held| held.start_offset().get())),
            output::number(held.map(|held| held.end_offset().get())),
            output::number(held.map(|held| output::records_below(held, target))),
        ]);
    }
    output::lines(&table)
}

fn records(source: &Source, held: &Held) -> Result<BTreeMap<String, i64>, Failure> {
    let mut records = BTreeMap::<String, i64>::new();
    let reader = source
        .reader()
        .map_err(|error| unreadable(source, &error))?;
    rows::read(reader, &mut |row| {
        let held = held
            .get(&row.topic)
            .and_then(|topic| topic.get(&row.partition));
        let target = row.target().map_err(|error| error.to_string())?;
        let below = held.map_or(0, |held| output::records_below(held, target));
        let sum = records.entry(row.topic).or_default();
        *sum = sum.saturating_add(below);
        Ok(())
    })
    .map_err(|error| Failure::usage(format!("{}, {error}; nothing was sent", source.name())))?;
    Ok(records)
}

fn of_topics(checked: &Checked, records: Option<&BTreeMap<String, i64>>) -> String {
    let mut table = output::table(&["topic", "partitions", "all of which", "records to delete"]);
    for (name, topic) in checked.topics.iter().take(SHOWN_TOPICS) {
        table.add_row([
            name.clone(),
            topic.rows.to_string(),
            topic.everything.to_string(),
            output::number(records.and_then(|records| records.get(name)).copied()),
        ]);
    }
    let mut text = output::lines(&table);
    let hidden = checked.topics.len().saturating_sub(SHOWN_TOPICS);
    if hidden > 0 {
        let at_least = if checked.has_more_topics {
            "at least "
        } else {
            ""
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "and {at_least}{hidden} more topics");
    }
    text
}
