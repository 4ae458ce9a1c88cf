//! Output formats, tables and JSON.

use std::fmt;
use std::iter;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, Row, Table, presets};
use dms_kafka::auth::text;
use dms_kafka::{DeletionTarget, PartitionId, PlanDeletion};
use indicatif::HumanCount;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::stdout;

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

/// The format of plans and topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    /// A table for people
    Table,
    /// One JSON object for programs
    Json,
    /// One HTML file for people without this command
    Html,
}

impl PageFormat {
    pub(crate) fn is_json(self) -> bool {
        self == Self::Json
    }

    /// Adds what only this format shows.
    pub(crate) fn add_to(self, plan: PlanDeletion) -> PlanDeletion {
        match self {
            Self::Table => plan,
            Self::Json | Self::Html => plan.with_record_times(),
        }
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
            Some(offset) => write!(f, "before {}", number(Some(offset))),
            None => f.write_str("-"),
        }
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
            Some(
                &("topic"
                    | "delete"
                    | "status"
                    | "reason"
                    | "region"
                    | "endpoint"
                    | "group"
                    | "state"
                    | "")
            )
        ) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text for standard output, with a bold header and a colour for each status.
pub(crate) fn coloured_lines<'a>(table: &Table, statuses: impl Iterator<Item = &'a str>) -> String {
    let styles = iter::once(Style::new().bold()).chain(statuses.map(style));
    laid_out(table, stdout::width(), styles)
}

/// One line for the header and each row. If a line is wider than the terminal: one line for each cell, and an empty line
/// between rows. The first style is that of the header.
pub(crate) fn laid_out(
    table: &Table,
    width: Option<usize>,
    mut styles: impl Iterator<Item = Style>,
) -> String {
    let mut lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    let mut separator = "\n";
    if !fits(table, width) {
        lines = cells_below_each_other(table);
        separator = "\n\n";
        styles.next();
    }
    let styles = styles.chain(iter::repeat(Style::new()));
    let shown = lines
        .iter()
        .zip(styles)
        .map(|(line, style)| format!("{style}{line}{style:#}"));
    shown.collect::<Vec<_>>().join(separator) + "\n"
}

/// Whether no line is wider than the terminal.
pub(crate) fn fits(table: &Table, width: Option<usize>) -> bool {
    let widest = table.lines().map(|line| line.trim_end().width()).max();
    width.is_none_or(|width| widest.unwrap_or_default() <= width)
}

/// The text of each row: its cells, each with the name of the column.
fn cells_below_each_other(table: &Table) -> Vec<String> {
    let names = || {
        table
            .header()
            .into_iter()
            .flat_map(Row::cell_iter)
            .map(Cell::content)
    };
    let longest = names().map(|name| name.len()).max().unwrap_or_default();
    let rows = table.row_iter().map(|row| {
        let cells = names().zip(row.cell_iter());
        let cells = cells.map(|(name, cell)| format!("{name:longest$}  {}", cell.content()));
        cells.collect::<Vec<_>>().join("\n")
    });
    rows.collect()
}

fn style(status: &str) -> Style {
    match status {
        "deleted" => Style::new(),
        "failed" => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

pub(crate) fn partition(partition: Option<i32>) -> String {
    partition.map_or_else(|| "-".to_owned(), |partition| partition.to_string())
}

/// A count or offset with its digits in groups.
pub(crate) fn number(number: Option<i64>) -> String {
    match number.map(u64::try_from) {
        Some(Ok(number)) => HumanCount(number).to_string(),
        // Counts and offsets are not negative.
        Some(Err(_)) | None => "-".to_owned(),
    }
}

/// A count of records. The service cannot tell which offsets have none, such as those of a compacted or transactional log.
pub(crate) fn up_to(records: Option<i64>) -> String {
    let bound = if records > Some(0) { "up to " } else { "" };
    format!("{bound}{}", number(records))
}

/// Text of the service, escaped for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text::sanitize(text, &[], usize::MAX).into_owned()
}
