//! The result of `dms-kafka delete`: what the service reported, and what the partitions listed afterwards prove.

use std::fmt::Write as _;
use std::mem;

use dms_kafka::{
    Deletion, DeletionTarget, Error, Outcome, PartitionDeletion, PartitionId, PartitionStatus,
};
use serde::Serialize;

use crate::exit::Failure;
use crate::output::{self, Format, TargetFields, number, up_to};
use crate::service::Partitions;
use crate::stdout;
use crate::view::{LossesView, TopicView};

/// The status of a row of the response that was not requested.
const UNEXPECTED: &str = "unexpected";
const NOT_SENT: &str = "not_sent";

pub(super) type Targets = Vec<(PartitionId, DeletionTarget)>;

/// The requests that ended, and those that were not sent.
#[derive(Default)]
pub(super) struct SentRequests {
    pub(super) ended: Vec<(Targets, Result<Deletion, Error>)>,
    pub(super) not_sent: Targets,
}

/// `after` are the partitions after the deletion, if they could be listed.
pub(super) fn show(
    format: Format,
    view: Option<&TopicView>,
    mut results: SentRequests,
    after: Option<&Partitions>,
) -> Result<(), Failure> {
    // A single request that failed has no results.
    if let [(_, Err(_))] = &results.ended[..]
        && results.not_sent.is_empty()
        && let Some((_, Err(error))) = results.ended.pop()
    {
        return Err(Failure::call(error));
    }
    let report = DeletionReport::new(&results, view, after);
    let shown = match format {
        Format::Json => stdout::deliver(&output::json_line(&report)),
        Format::Table if report.partitions.is_empty() => {
            stdout::deliver("No record is selected: nothing was deleted.\n")
        }
        Format::Table => stdout::deliver_coloured(&report.table(stdout::width())),
    };
    let unconfirmed = report.unconfirmed().map(Failure::unconfirmed);
    let is_deleted = |(_, sent): &(_, Result<Deletion, Error>)| {
        let deletion = sent.as_ref().ok();
        deletion.is_some_and(|deletion| {
            deletion
                .partitions()
                .iter()
                .any(PartitionDeletion::is_deleted)
        })
    };
    let is_partial = results.ended.len() > 1 && results.ended.iter().any(is_deleted);
    let errors = mem::take(&mut results.ended).into_iter();
    let errors = errors.filter_map(|(_, sent)| sent.and_then(Deletion::into_result).err());
    let failure = |error| {
        if is_partial {
            Failure::call_of_several(error)
        } else {
            Failure::call(error)
        }
    };
    let errors: Vec<Error> = errors.collect();
    let outcome = errors
        .iter()
        .map(Error::outcome)
        .chain(unconfirmed.as_ref().map(|_| Outcome::Unknown))
        .reduce(|one, next| match (one, next) {
            (one, next) if one == next && !is_partial => one,
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            _ => Outcome::Partial,
        });
    shown.map_err(|failure| failure.with_outcome(outcome))?;
    let failures = errors.into_iter().map(failure).chain(unconfirmed);
    failures.max_by_key(Failure::severity).map_or(Ok(()), Err)
}

/// The documented JSON of a deletion.
#[derive(Serialize)]
struct DeletionReport<'a> {
    /// Null unless there was one request.
    request_id: Option<&'a str>,
    partitions: Vec<PartitionReport<'a>>,
    /// Before the deletion; null without a preview.
    losses: Option<&'a LossesView>,
}

#[derive(Serialize)]
struct PartitionReport<'a> {
    #[serde(flatten)]
    target: TargetFields,
    status: &'static str,
    result: Option<&'a str>,
    error_code: Option<&'a str>,
    /// Before the deletion; null without a preview.
    start: Option<i64>,
    end: Option<i64>,
    before: Option<i64>,
    records: Option<i64>,
    /// After the deletion; null if the partitions could not be listed, and without a preview.
    start_after: Option<i64>,
    end_after: Option<i64>,
}

impl PartitionReport<'_> {
    fn is_reported_deleted(&self) -> bool {
        self.status == PartitionStatus::Deleted.as_str()
    }

    /// How many of the records are gone. `None` if that is not known.
    fn gone(&self) -> Option<i64> {
        let end = self.start_after?.min(self.before?);
        Some(end.saturating_sub(self.start?).max(0))
    }

    fn cells(&self) -> [String; 7] {
        let code = self.error_code.map(output::printable);
        [
            output::partition(self.target.partition),
            self.target.to_string(),
            self.status.to_owned(),
            code.unwrap_or_else(|| "-".to_owned()),
            number(self.start),
            number(self.start_after),
            number(self.end_after),
        ]
    }
}

impl<'a> DeletionReport<'a> {
    fn new(
        results: &'a SentRequests,
        view: Option<&'a TopicView>,
        after: Option<&Partitions>,
    ) -> Self {
        let mut partitions = Vec::new();
        let row = |target: TargetFields, status| {
            let shown = view
                .zip(target.partition)
                .and_then(|(view, partition)| view.partition(partition));
            let id = target.partition.map(PartitionId::new).transpose();
            let after = after
                .zip(id.ok().flatten())
                .and_then(|(after, id)| after.get(&id));
            PartitionReport {
                status,
                result: None,
                error_code: None,
                start: shown.map(|shown| shown.start),
                end: shown.map(|shown| shown.end),
                before: shown.map(|shown| shown.before),
                records: shown.map(|shown| shown.records),
                start_after: after.map(|held| held.start_offset().get()),
                end_after: after.map(|held| held.end_offset().get()),
                target,
            }
        };
        let without_result = |targets: &Targets, status| -> Vec<_> {
            let targets = targets.iter();
            targets
                .map(|&(partition, target)| row(TargetFields::new(partition, target), status))
                .collect()
        };
        for (targets, sent) in &results.ended {
            let Ok(deletion) = sent else {
                partitions.extend(without_result(targets, "request_failed"));
                continue;
            };
            partitions.extend(
                deletion
                    .partitions()
                    .iter()
                    .map(|reported| PartitionReport {
                        result: reported.result(),
                        error_code: reported.error_code(),
                        ..row(
                            TargetFields::new(reported.partition(), reported.target()),
                            reported.status().as_str(),
                        )
                    }),
            );
            partitions.extend(deletion.unexpected().iter().map(|item| PartitionReport {
                result: item.result(),
                error_code: item.error_code(),
                ..row(TargetFields::only_partition(item.partition()), UNEXPECTED)
            }));
        }
        partitions.extend(without_result(&results.not_sent, NOT_SENT));
        // Requests end in any order.
        if results.ended.len() > 1 {
            partitions.sort_by_key(|row| row.target.partition);
        }
        let request_id = match &results.ended[..] {
            [(_, Ok(deletion))] => deletion.request_id(),
            _ => None,
        };
        Self {
            request_id,
            partitions,
            losses: view.map(|view| &view.losses),
        }
    }

    /// The result of each partition, with its start offset before and after, and the sum of the records.
    fn table(&self, width: Option<usize>) -> String {
        const NAMES: [&str; 7] = [
            "partition",
            "delete",
            "status",
            "error code",
            "start before",
            "start after",
            "end",
        ];
        // What a narrow terminal shows.
        const NARROW: [usize; 5] = [0, 1, 2, 3, 5];
        let rows: Vec<[String; 7]> = self.partitions.iter().map(PartitionReport::cells).collect();
        let table = |columns: &[usize]| {
            let names: Vec<&str> = columns.iter().map(|at| NAMES[*at]).collect();
            let mut table = output::table(&names);
            for row in &rows {
                table.add_row(columns.iter().map(|at| &row[*at]));
            }
            table
        };
        let mut shown = table(&[0, 1, 2, 3, 4, 5, 6]);
        if !output::fits(&shown, width) {
            shown = table(&NARROW);
        }
        let statuses = self.partitions.iter().map(|row| row.status);
        let mut text = output::coloured_lines(&shown, statuses);
        let deleted = || {
            let partitions = self.partitions.iter();
            partitions.filter(|row| row.is_reported_deleted())
        };
        let sum = |records: fn(&PartitionReport<'a>) -> Option<i64>| {
            let mut records = deleted().map(records);
            records.try_fold(0, |sum: i64, records| Some(sum.saturating_add(records?)))
        };
        let (gone, reported) = (sum(PartitionReport::gone), sum(|row| row.records));
        let requested = self
            .partitions
            .iter()
            .filter(|row| row.status != UNEXPECTED);
        let requested = requested.count();
        let is_certain = |row: &PartitionReport<'a>| {
            let status = [PartitionStatus::Failed.as_str(), NOT_SENT];
            row.is_reported_deleted()
                || (status.contains(&row.status) && row.gone().is_none_or(|gone| gone == 0))
        };
        let what = match gone {
            Some(_) if self.partitions.iter().all(is_certain) => "Deleted",
            _ => "Reported as deleted",
        };
        if let Some(records) = gone.or(reported) {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{what}: {} records; partitions: {} of {}",
                up_to(Some(records)),
                deleted().count(),
                requested
            );
        }
        text
    }

    /// The partitions that the service reported as deleted, and that have a lower start.
    fn unconfirmed(&self) -> Option<String> {
        let short = |row: &&PartitionReport<'_>| {
            row.is_reported_deleted()
                && row
                    .start_after
                    .is_some_and(|start| Some(start) < row.before)
        };
        let mut short = self.partitions.iter().filter(short);
        let first = short.next()?;
        let others = match short.count() {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Some(format!(
            "the service reported a success, but partition {}{others} now starts at {}, before {}: it is not known whether \
             the records in between will be deleted",
            output::partition(first.target.partition),
            number(first.start_after),
            number(first.before)
        ))
    }
}
