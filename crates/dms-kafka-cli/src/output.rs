//! Output formats, tables and JSON.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use dms_kafka::auth::text;
use dms_kafka::{DeletionTarget, PartitionId, PartitionInfo};
use serde::Serialize;

/// The format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// One JSON object for programs
    Json,
}

impl Format {
    pub(crate) fn is_json(self) -> bool {
        self == Self::Json
    }
}

/// Partition and deletion target in the documented JSON.
#[derive(Serialize)]
pub(crate) struct TargetFields {
    pub(crate) partition: Option<i32>,
    offset: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    everything: bool,
}

impl TargetFields {
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

    /// For an item of the response that was not requested.
    pub(crate) fn only_partition(partition: Option<i32>) -> Self {
        Self {
            partition,
            offset: None,
            everything: false,
        }
    }
}

impl fmt::Display for TargetFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            _ if self.everything => f.write_str("everything"),
            Some(offset) => write!(f, "before {offset}"),
            None => f.write_str("-"),
        }
    }
}

pub(crate) const PREVIEW_COLUMNS: [&str; 5] =
    ["partition", "delete", "start", "end", "records to delete"];

/// The cells of [`PREVIEW_COLUMNS`] for one partition.
pub(crate) fn preview_cells(
    partition: PartitionId,
    target: DeletionTarget,
    held: Option<&PartitionInfo>,
) -> [String; 5] {
    [
        partition.to_string(),
        target.to_string(),
        number(held.map(|held| held.start_offset().get())),
        number(held.map(|held| held.end_offset().get())),
        number(held.map(|held| records_below(held, target))),
    ]
}

pub(crate) fn records_below(held: &PartitionInfo, target: DeletionTarget) -> i64 {
    match target {
        DeletionTarget::Before(offset) if offset > held.end_offset() => 0,
        DeletionTarget::Before(offset) => (offset.get() - held.start_offset().get()).max(0),
        _ => held.records(),
    }
}

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

/// Like [`lines`], with a bold header and a colour for each status.
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

/// Text of the service, escaped for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text::sanitize(text, &[], usize::MAX).into_owned()
}
