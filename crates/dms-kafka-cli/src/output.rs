//! Tables for people, JSON for scripts.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use dms_kafka::auth::text;
use dms_kafka::{Deletion, DeletionTarget, PartitionId, PartitionInfo};
use serde::Serialize;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: one JSON object
    Json,
}

impl Format {
    pub(crate) fn is_json(self) -> bool {
        self == Self::Json
    }
}

/// The partitions that a deletion names, with what they held before.
pub(crate) struct Rows<'a> {
    targets: &'a [(PartitionId, DeletionTarget)],
    before: Option<HashMap<PartitionId, PartitionInfo>>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        targets: &'a [(PartitionId, DeletionTarget)],
        before: Option<&[PartitionInfo]>,
    ) -> Self {
        Self {
            targets,
            before: before.map(by_partition),
        }
    }

    pub(crate) fn has_everything(&self) -> bool {
        self.targets
            .iter()
            .any(|(_, target)| *target == DeletionTarget::Everything)
    }

    /// What will go: each partition's start and end, and how many records lie below the target.
    pub(crate) fn plan(&self) -> String {
        let mut table = table(&["partition", "delete", "start", "end", "records to delete"]);
        for (partition, target) in self.targets {
            let held = self
                .before
                .as_ref()
                .and_then(|before| before.get(partition));
            table.add_row([
                partition.to_string(),
                target.to_string(),
                number(held.map(|held| held.start_offset().get())),
                number(held.map(|held| held.end_offset().get())),
                number(held.map(|held| records_below(held, *target))),
            ]);
        }
        lines(&table)
    }

    /// What became of each partition, with its start before and after.
    pub(crate) fn outcome(&self, report: &Report<'_>, after: Option<&[PartitionInfo]>) -> String {
        let after = after.map(by_partition);
        let mut table = table(&[
            "partition",
            "delete",
            "status",
            "error code",
            "start before",
            "start after",
            "end",
        ]);
        for row in &report.partitions {
            let held = |state: &Option<HashMap<PartitionId, PartitionInfo>>| {
                state.as_ref().and_then(|state| {
                    let partition = PartitionId::new(row.asked.partition?).ok()?;
                    state.get(&partition).copied()
                })
            };
            let (before, after) = (held(&self.before), held(&after));
            table.add_row([
                number(row.asked.partition.map(i64::from)),
                row.asked.to_string(),
                row.status.to_owned(),
                row.error_code.map_or_else(|| "-".to_owned(), printable),
                number(before.map(|held| held.start_offset().get())),
                number(after.map(|held| held.start_offset().get())),
                number(after.map(|held| held.end_offset().get())),
            ]);
        }
        coloured_lines(&table, report.partitions.iter().map(|row| row.status))
    }
}

/// The documented JSON of a deletion.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    request_id: Option<&'a str>,
    partitions: Vec<ReportRow<'a>>,
}

#[derive(Serialize)]
struct ReportRow<'a> {
    #[serde(flatten)]
    asked: Asked,
    status: &'static str,
    result: Option<&'a str>,
    error_code: Option<&'a str>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(deletion: &'a Deletion) -> Self {
        let asked = deletion.partitions().iter().map(|row| ReportRow {
            asked: Asked::new(row.partition(), row.target()),
            status: row.status().as_str(),
            result: row.result(),
            error_code: row.error_code(),
        });
        let unexpected = deletion.unexpected().iter().map(|item| ReportRow {
            asked: Asked::nothing(item.partition()),
            status: "unexpected",
            result: item.result(),
            error_code: item.error_code(),
        });
        Self {
            request_id: deletion.request_id(),
            partitions: asked.chain(unexpected).collect(),
        }
    }
}

/// What was asked of a partition, in the documented JSON.
#[derive(Serialize)]
pub(crate) struct Asked {
    pub(crate) partition: Option<i32>,
    offset: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    everything: bool,
}

impl Asked {
    pub(crate) fn new(partition: PartitionId, target: DeletionTarget) -> Self {
        Self {
            partition: Some(partition.get()),
            offset: match target {
                DeletionTarget::Before(offset) => Some(offset.get()),
                _ => None,
            },
            everything: target == DeletionTarget::Everything,
        }
    }

    /// The partition of an answer's item that answers nothing that was asked.
    pub(crate) fn nothing(partition: Option<i32>) -> Self {
        Self {
            partition,
            offset: None,
            everything: false,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            _ if self.everything => f.write_str("everything"),
            Some(offset) => write!(f, "before {offset}"),
            None => f.write_str("-"),
        }
    }
}

pub(crate) fn by_partition(partitions: &[PartitionInfo]) -> HashMap<PartitionId, PartitionInfo> {
    partitions
        .iter()
        .map(|info| (info.partition(), *info))
        .collect()
}

pub(crate) fn records_below(held: &PartitionInfo, target: DeletionTarget) -> i64 {
    match target {
        DeletionTarget::Before(offset) if offset > held.end_offset() => 0,
        DeletionTarget::Before(offset) => (offset.get() - held.start_offset().get()).max(0),
        _ => held.records(),
    }
}

/// A value as one line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    // Values with names as keys cannot fail to be written to a string.
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}

pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if !matches!(
            header.get(index),
            Some(&("topic" | "delete" | "status" | "reason" | "region" | "endpoint"))
        ) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

pub(crate) fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The same with colours: the header bold, and each row as its status calls for.
pub(crate) fn coloured_lines<'a>(table: &Table, statuses: impl Iterator<Item = &'a str>) -> String {
    let styles = std::iter::once(Style::new().bold()).chain(statuses.map(style));
    let mut text = String::new();
    for (line, style) in table.lines().zip(styles) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{style}{}{style:#}", line.trim_end());
    }
    text
}

fn style(status: &str) -> Style {
    match status {
        "deleted" => Style::new(),
        "failed" => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

pub(crate) fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// The service's text on its way to a terminal.
pub(crate) fn printable(text: &str) -> String {
    text::sanitize(text, &[], usize::MAX).into_owned()
}
