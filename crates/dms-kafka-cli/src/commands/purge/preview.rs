//! The preview of a purge.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::iter;

use dms_kafka::{PartitionInfo, TopicName};

use super::rows::{Row, Rows, TopicRows};
use crate::exit::Failure;
use crate::output;
use crate::service::{Partitions, Service};

/// Partitions are listed for at most this many topics.
const LISTED_TOPICS: usize = 20;
const SHOWN_TOPICS: usize = 50;
/// A file with more rows is shown by topic.
const SHOWN_ROWS: usize = 50;

/// The partitions of each topic.
type Held = HashMap<TopicName, Partitions>;

fn partition<'a>(held: Option<&'a Held>, row: &Row<'_>) -> Option<&'a PartitionInfo> {
    held?.get(row.topic)?.get(&row.partition)
}

/// One line for each row of a small file, or for each topic of a large file.
pub(super) async fn table(service: &Service, rows: &Rows, yes: bool) -> Result<String, Failure> {
    let held = held(service, rows, yes).await?;
    Ok(if rows.len() <= SHOWN_ROWS {
        of_rows(rows, held.as_ref())
    } else {
        of_topics(rows, held.as_ref())
    })
}

/// The word that confirms: the name of the topic if all records of a partition are deleted.
pub(super) fn word(rows: &Rows) -> &str {
    let mut topics = rows.topics().filter(|topic| topic.everything > 0);
    match (topics.next(), topics.next()) {
        (None, _) => "yes",
        (Some(topic), None) => topic.name.as_str(),
        _ => "everything",
    }
}

/// `None` if the partitions cannot be listed, or there are too many topics.
async fn held(service: &Service, rows: &Rows, yes: bool) -> Result<Option<Held>, Failure> {
    if rows.topics().len() > LISTED_TOPICS {
        return Ok(None);
    }
    let mut held = Held::new();
    for topic in rows.topics() {
        let listed = service
            .preview(&topic.name, yes, rows.everything() > 0)
            .await?;
        let Some(partitions) = listed else {
            return Ok(None);
        };
        held.insert(topic.name.clone(), partitions);
    }
    Ok(Some(held))
}

fn of_rows(rows: &Rows, held: Option<&Held>) -> String {
    let mut table = output::table(&[&["topic"][..], &output::PREVIEW_COLUMNS].concat());
    for row in rows.iter() {
        let cells = output::preview_cells(row.partition, row.target, partition(held, &row));
        table.add_row(iter::once(row.topic.to_string()).chain(cells));
    }
    output::lines(&table)
}

fn of_topics(rows: &Rows, held: Option<&Held>) -> String {
    let mut records = HashMap::<&TopicName, i64>::new();
    if held.is_some() {
        for row in rows.iter() {
            let below =
                partition(held, &row).map_or(0, |held| output::records_below(held, row.target));
            let sum = records.entry(row.topic).or_default();
            *sum = sum.saturating_add(below);
        }
    }
    let mut topics: Vec<&TopicRows> = rows.topics().collect();
    topics.sort_unstable_by_key(|topic| &topic.name);
    let mut table = output::table(&["topic", "partitions", "everything", "records to delete"]);
    for topic in topics.iter().take(SHOWN_TOPICS) {
        table.add_row([
            topic.name.to_string(),
            topic.rows.to_string(),
            topic.everything.to_string(),
            output::number(records.get(&topic.name).copied()),
        ]);
    }
    let mut text = output::lines(&table);
    if topics.len() > SHOWN_TOPICS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "and {} more topics", topics.len() - SHOWN_TOPICS);
    }
    text
}
