//! The preview of a purge.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::iter;

use anstyle::Style;

use super::rows::{Row, RowStates, Rows};
use crate::exit::Failure;
use crate::output::{self, TargetFields, number, up_to};
use crate::screen::alarm;
use crate::service::{Partitions, Service};
use crate::stderr;
use crate::view::PartitionView;

/// Partitions are listed for at most this many topics.
const LISTED_TOPICS: usize = 100;
/// A file with more rows is shown by topic. The question stays on the screen with its head.
const SHOWN_LINES: usize = 15;

/// What will be deleted.
pub(super) struct Preview<'a> {
    pub(super) text: String,
    /// The word that confirms: if partitions are emptied, or that is not known, the name of their topic, or `everything`
    /// for several topics.
    pub(super) word: &'a str,
}

/// What one topic loses.
struct Loss<'a> {
    topic: &'a str,
    rows: u64,
    everything: u64,
    /// Partitions without a record left. `None`: not known, like the records.
    emptied: Option<u64>,
    records: Option<i64>,
    /// Partitions that do not exist.
    missing: u64,
    /// Offsets beyond the end.
    beyond: u64,
}

impl<'a> Loss<'a> {
    fn of(topic: &'a str, rows: &Rows, numbers: &[u32], partitions: Option<&Partitions>) -> Self {
        let mut loss = Self {
            topic,
            rows: numbers.len() as u64,
            everything: rows.count_everything(numbers),
            emptied: partitions.map(|_| 0),
            records: partitions.map(|_| 0),
            missing: 0,
            beyond: 0,
        };
        let Some(partitions) = partitions else {
            return loss;
        };
        for number in numbers {
            let shown = view(&rows.get(*number as usize), partitions);
            let is_emptied = is_emptied(shown.as_ref());
            loss.emptied = loss.emptied.map(|sum| sum + u64::from(is_emptied));
            let Some(shown) = shown else {
                loss.missing += 1;
                continue;
            };
            loss.beyond += u64::from(shown.is_beyond_end());
            loss.records = loss.records.map(|sum| sum.saturating_add(shown.records));
        }
        loss
    }
}

/// Lists the partitions of the rows that will be sent. `None` if there are no such rows.
pub(super) async fn preview<'a>(
    service: &Service,
    rows: &'a Rows,
    states: &RowStates,
    yes: bool,
) -> Result<Option<Preview<'a>>, Failure> {
    let numbers = rows.to_be_sent_by_topic(states);
    let row = |number: &u32| rows.get(*number as usize);
    let of_topics: Vec<&[u32]> = numbers
        .chunk_by(|one, next| rows.have_one_topic(*one, *next))
        .collect();
    let everything = rows.count_everything(&numbers) > 0;
    let mut is_listed = of_topics.len() <= LISTED_TOPICS;
    let mut losses = Vec::with_capacity(of_topics.len());
    let mut shown = Vec::new();
    for of_topic in &of_topics {
        let Some(first) = of_topic.first() else {
            continue;
        };
        let topic = row(first).topic;
        let partitions = if is_listed {
            service.preview(topic, yes, everything).await?
        } else {
            None
        };
        is_listed &= partitions.is_some();
        losses.push(Loss::of(
            topic.as_str(),
            rows,
            of_topic,
            partitions.as_ref(),
        ));
        if numbers.len() <= SHOWN_LINES {
            let view = |row: &Row<'_>| view(row, partitions.as_ref()?);
            shown.extend(of_topic.iter().map(row).map(|row| (view(&row), row)));
        }
    }
    let mut is_emptied = losses.iter().filter(|loss| loss.emptied != Some(0));
    let word = match (is_emptied.next(), is_emptied.next()) {
        (None, _) => "yes",
        (Some(loss), None) => loss.topic,
        _ => "everything",
    };
    let table = if shown.is_empty() {
        of_topics_table(&mut losses)
    } else {
        of_rows_table(&shown)
    };
    let text = table + &summary(&losses);
    Ok((!numbers.is_empty()).then_some(Preview { text, word }))
}

/// `None` if the partition does not exist.
fn view(row: &Row<'_>, partitions: &Partitions) -> Option<PartitionView> {
    let held = partitions.get(&row.partition)?;
    let offsets = (held.start_offset(), held.end_offset());
    Some(PartitionView::of_target(
        row.partition,
        offsets,
        Some(row.target),
    ))
}

/// Whether no record is left, or that is not known.
fn is_emptied(shown: Option<&PartitionView>) -> bool {
    shown.is_none_or(|shown| shown.is_emptied)
}

fn of_rows_table(rows: &[(Option<PartitionView>, Row<'_>)]) -> String {
    let mut table = output::table(&[
        "topic",
        "partition",
        "delete",
        "start",
        "end",
        "records to delete",
    ]);
    for (shown, row) in rows {
        let shown = shown.as_ref();
        table.add_row([
            row.topic.to_string(),
            row.partition.to_string(),
            TargetFields::new(row.partition, row.target).to_string(),
            number(shown.map(|shown| shown.start)),
            number(shown.map(|shown| shown.end)),
            number(shown.map(|shown| shown.records)),
        ]);
    }
    let styles = rows
        .iter()
        .map(|(shown, _)| alarm(is_emptied(shown.as_ref())));
    let styles = iter::once(Style::new().bold()).chain(styles);
    output::laid_out(&table, stderr::width(), styles)
}

/// One line for each topic, the largest losses first.
fn of_topics_table(losses: &mut [Loss<'_>]) -> String {
    losses.sort_by_key(|loss| (Reverse((loss.emptied, loss.records)), loss.topic.to_owned()));
    let mut table = output::table(&[
        "topic",
        "partitions",
        "everything",
        "emptied",
        "records to delete",
    ]);
    for loss in losses.iter().take(SHOWN_LINES) {
        table.add_row([
            loss.topic.to_owned(),
            count(Some(loss.rows)),
            count(Some(loss.everything)),
            count(loss.emptied),
            number(loss.records),
        ]);
    }
    let mut text = output::laid_out(&table, stderr::width(), iter::empty());
    if losses.len() > SHOWN_LINES {
        // Writing to a string does not fail.
        let _ = writeln!(text, "and {} more topics", losses.len() - SHOWN_LINES);
    }
    text
}

/// The totals, and what is unknown or will fail.
fn summary(losses: &[Loss<'_>]) -> String {
    let sum = |of: fn(&Loss<'_>) -> u64| losses.iter().map(of).sum::<u64>();
    let emptied: Option<u64> = losses.iter().map(|loss| loss.emptied).sum();
    let records = losses
        .iter()
        .map(|loss| loss.records)
        .try_fold(0, |sum: i64, records| Some(sum.saturating_add(records?)));
    let mut text = format!(
        "Total: {} records; partitions: {}; topics: {}; emptied partitions: {}\n",
        up_to(records),
        count(Some(sum(|loss| loss.rows))),
        losses.len(),
        count(emptied),
    );
    if emptied.is_none() {
        text.push_str("Which partitions are emptied is not known.\n");
    }
    for (count, what) in [
        (sum(|loss| loss.missing), "partitions that do not exist"),
        (sum(|loss| loss.beyond), "offsets beyond the end"),
    ] {
        if count > 0 {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "warning: {what}: {count}; the service will refuse them"
            );
        }
    }
    text
}

fn count(count: Option<u64>) -> String {
    number(count.and_then(|count| i64::try_from(count).ok()))
}
