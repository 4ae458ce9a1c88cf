//! The results of a purge on standard output.

use std::fmt::Write as _;

use clap::ValueEnum;
use dms_kafka::{Outcome, PartitionDeletion, PurgeResult, UnexpectedItem};
use serde::Serialize;
use serde_json::{Value, json};

use super::rows::{Row, RowCounts, RowState};
use crate::exit::{self, Failure};
use crate::output::{self, TargetFields};
use crate::stderr;
use crate::stdout;

const SHOWN_IN_TABLE: usize = 50;
const SHOWN_IN_JSON: usize = 1000;
/// Bytes.
const PRINTED_AT_ONCE: usize = 64 * 1024;

/// The format of a purge's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PurgeFormat {
    /// A summary, and a table of the first rows that failed
    Table,
    /// One JSON object: the summary, and the first 1,000 rows that failed
    Json,
    /// One JSON object for each row, when it is finished
    Ndjson,
}

impl PurgeFormat {
    pub(crate) fn is_json(self) -> bool {
        self != Self::Table
    }
}

/// Prints rows when they are finished, or keeps those that failed until the end.
pub(super) struct PurgeReport {
    format: PurgeFormat,
    kept: Vec<RowReport>,
    omitted: u64,
    unexpected: u64,
}

/// The documented JSON of one row.
#[derive(Serialize)]
pub(super) struct RowReport {
    topic: String,
    #[serde(flatten)]
    target: TargetFields,
    status: &'static str,
    /// Null for a deleted partition.
    outcome: Option<&'static str>,
    result: Option<String>,
    error_code: Option<String>,
    /// What the code means.
    #[serde(skip)]
    meaning: Option<&'static str>,
    request_id: Option<String>,
    /// The error of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

impl PurgeReport {
    pub(super) fn new(format: PurgeFormat) -> Self {
        Self {
            format,
            kept: Vec::new(),
            omitted: 0,
            unexpected: 0,
        }
    }

    /// Items of responses that were not requested.
    pub(super) fn unexpected(&self) -> u64 {
        self.unexpected
    }

    /// `states` cover the earlier requests of the rows, and with them the outcomes.
    pub(super) fn add(&mut self, result: &PurgeResult, states: &[RowState]) -> Result<(), Failure> {
        match result.deletion() {
            Ok(deletion) => {
                let rows = deletion.partitions().iter().zip(states);
                let all = self.format == PurgeFormat::Ndjson;
                let wanted = rows.filter(|(_, state)| all || **state != RowState::Deleted);
                let request_id = deletion.request_id();
                let wanted = wanted.map(|(partition, state)| {
                    RowReport::of_partition(result.topic(), partition, *state, request_id)
                });
                let unexpected = deletion
                    .unexpected()
                    .iter()
                    .map(|item| RowReport::of_unexpected(result.topic(), item, request_id));
                self.unexpected += deletion.unexpected().len() as u64;
                self.show(wanted.chain(unexpected))
            }
            Err(error) => {
                let json = exit::error_json(error);
                let rows = result.targets().iter().zip(states);
                self.show(rows.map(|((partition, target), state)| RowReport {
                    status: "request_failed",
                    outcome: outcome(*state),
                    request_id: error.request_id().map(str::to_owned),
                    error: Some(json.clone()),
                    ..RowReport::new(result.topic(), TargetFields::new(*partition, *target))
                }))
            }
        }
    }

    /// Adds rows whose outcome is unknown and that have no result in this run.
    pub(super) fn add_unknown<'a>(
        &mut self,
        rows: impl Iterator<Item = Row<'a>>,
    ) -> Result<(), Failure> {
        self.show(rows.map(|row| RowReport {
            status: "interrupted",
            outcome: Some(Outcome::Unknown.as_str()),
            ..RowReport::new(
                row.topic.as_str(),
                TargetFields::new(row.partition, row.target),
            )
        }))
    }

    /// Takes an iterator because each row of a failed request contains the whole error.
    fn show(&mut self, mut lines: impl Iterator<Item = RowReport>) -> Result<(), Failure> {
        let limit = match self.format {
            PurgeFormat::Ndjson => return print_lines(lines),
            PurgeFormat::Table => SHOWN_IN_TABLE,
            PurgeFormat::Json => SHOWN_IN_JSON,
        };
        let room = limit - self.kept.len();
        self.kept.extend(lines.by_ref().take(room));
        self.omitted += lines.count() as u64;
        Ok(())
    }

    /// Prints the summary: to standard error if standard output has one line for each row.
    pub(super) fn finish(&self, total: u64, counts: &RowCounts) -> Result<(), Failure> {
        match self.format {
            PurgeFormat::Ndjson => {
                stderr::line(&json!({"summary": summary(total, counts)}).to_string());
                Ok(())
            }
            PurgeFormat::Table if total == 0 => {
                stdout::deliver("The offsets file has no rows: nothing to delete.\n")
            }
            PurgeFormat::Table => stdout::deliver_coloured(&self.table(total, counts)),
            PurgeFormat::Json => stdout::deliver(&format!("{}\n", self.json(total, counts))),
        }
    }

    fn json(&self, total: u64, counts: &RowCounts) -> Value {
        let mut object = summary(total, counts);
        object["failures"] = json!(self.kept);
        object["failures_omitted"] = json!(self.omitted);
        object
    }

    fn table(&self, total: u64, counts: &RowCounts) -> String {
        let mut summary = output::table(&[
            "rows",
            "deleted",
            "failed",
            "request failed",
            "unknown",
            "not sent",
        ]);
        summary.add_row(
            [
                total,
                counts.deleted,
                counts.failed,
                counts.requests_failed(),
                counts.all_unknown(),
                counts.waiting,
            ]
            .map(|count| count.to_string()),
        );
        let mut text = output::coloured_lines(&summary, std::iter::once("deleted"));
        if self.kept.is_empty() {
            return text;
        }
        let mut failures = output::table(&["topic", "partition", "delete", "status", "reason"]);
        for line in &self.kept {
            failures.add_row([
                line.topic.clone(),
                output::partition(line.target.partition),
                line.target.to_string(),
                line.status.to_owned(),
                line.reason(),
            ]);
        }
        text.push('\n');
        let statuses = self.kept.iter().map(|line| line.status);
        text.push_str(&output::coloured_lines(&failures, statuses));
        if self.omitted > 0 {
            // Writing to a string does not fail.
            let _ = writeln!(text, "and {} more", self.omitted);
        }
        text
    }
}

fn summary(total: u64, counts: &RowCounts) -> Value {
    json!({
        "rows": total,
        "deleted": counts.deleted,
        "failed": counts.failed,
        "request_failed": counts.requests_failed(),
        "unknown": counts.all_unknown(),
        "not_sent": counts.waiting,
    })
}

fn print_lines(lines: impl Iterator<Item = RowReport>) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&output::json_line(&line));
        if text.len() > PRINTED_AT_ONCE {
            stdout::deliver(&text)?;
            text.clear();
        }
    }
    stdout::deliver(&text)
}

/// The outcome of a row with a result.
fn outcome(state: RowState) -> Option<&'static str> {
    match state {
        RowState::Deleted => None,
        state if state.is_unknown() => Some(Outcome::Unknown.as_str()),
        _ => Some(Outcome::NotApplied.as_str()),
    }
}

impl RowReport {
    fn new(topic: &str, target: TargetFields) -> Self {
        Self {
            topic: topic.to_owned(),
            target,
            status: "",
            outcome: None,
            result: None,
            error_code: None,
            meaning: None,
            request_id: None,
            error: None,
        }
    }

    fn of_partition(
        topic: &str,
        partition: &PartitionDeletion,
        state: RowState,
        request_id: Option<&str>,
    ) -> Self {
        Self {
            status: partition.status().as_str(),
            outcome: outcome(state),
            result: partition.result().map(str::to_owned),
            error_code: partition.error_code().map(str::to_owned),
            meaning: partition.error_meaning(),
            request_id: request_id.map(str::to_owned),
            ..Self::new(
                topic,
                TargetFields::new(partition.partition(), partition.target()),
            )
        }
    }

    fn of_unexpected(topic: &str, item: &UnexpectedItem, request_id: Option<&str>) -> Self {
        Self {
            status: "unexpected",
            outcome: Some(Outcome::Unknown.as_str()),
            result: item.result().map(str::to_owned),
            error_code: item.error_code().map(str::to_owned),
            request_id: request_id.map(str::to_owned),
            ..Self::new(topic, TargetFields::only_partition(item.partition()))
        }
    }

    /// The code of the partition, or else code or message of the request.
    fn reason(&self) -> String {
        let error = self.error.as_ref();
        let of_request = ["code", "message"]
            .iter()
            .find_map(|name| error?.get(name)?.as_str());
        match (&self.error_code, of_request) {
            (Some(code), _) => match self.meaning {
                Some(meaning) => format!("error code {code}: {meaning}"),
                None => format!("error code {}", output::printable(code)),
            },
            (None, Some(text)) => output::printable(text),
            (None, None) => "-".to_owned(),
        }
    }
}
