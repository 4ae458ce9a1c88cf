//! `dms-kafka delete`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{ArgGroup, Args};
use dms_kafka::{
    DeleteMessages, Deletion, DeletionTarget, Error, Offset, Outcome, PartitionId, TopicName,
};
use serde::Serialize;
use tokio::time::timeout;

use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::{self, Format, TargetFields, number};
use crate::service::{self, Partitions, Service};
use crate::service_settings::ServiceSettings;
use crate::settings::Resolved;
use crate::stderr;
use crate::stdout;

/// For the start offsets that are shown with the result.
const AFTER_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["partition", "everything"]))]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// Topic to delete from
    #[arg(long, value_name = "NAME", help_heading = "Deletion")]
    pub(crate) topic: TopicName,

    /// Delete the records of partition P before OFFSET; repeatable
    #[arg(long, value_name = "P:OFFSET", allow_hyphen_values = true, value_parser = before_offset, help_heading = "Deletion")]
    pub(crate) partition: Vec<(PartitionId, DeletionTarget)>,

    /// Delete all records of partition P; repeatable
    #[arg(long, value_name = "P", allow_hyphen_values = true, value_parser = partition_id, help_heading = "Deletion")]
    pub(crate) everything: Vec<PartitionId>,

    /// Delete without asking for confirmation
    #[arg(long, short, help_heading = "Safety")]
    pub(crate) yes: bool,

    /// Name of the profile, which a protected profile needs besides --yes
    #[arg(long, value_name = "PROFILE", help_heading = "Safety")]
    pub(crate) confirm: Option<String>,

    /// Print the request and do not send it
    #[arg(long, help_heading = "Safety")]
    pub(crate) dry_run: bool,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table, help_heading = "Output")]
    pub(crate) output: Format,
}

impl Delete {
    /// All targets, sorted by partition.
    pub(crate) fn targets(&self) -> Result<Vec<(PartitionId, DeletionTarget)>, String> {
        let everything = self.everything.iter();
        let everything = everything.map(|partition| (*partition, DeletionTarget::Everything));
        let mut targets: Vec<_> = self.partition.iter().copied().chain(everything).collect();
        targets.sort_by_key(|(partition, _)| *partition);
        match targets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(format!(
                "--partition, --everything: partition {} is given twice: give each partition once",
                pair[0].0
            )),
            None => Ok(targets),
        }
    }
}

fn before_offset(text: &str) -> Result<(PartitionId, DeletionTarget), String> {
    let Some((partition, offset)) = text.split_once(':') else {
        return Err("expected P:OFFSET, such as 0:400".to_owned());
    };
    let offset: i64 = offset
        .parse()
        .map_err(|_| format!("offset {offset:?} is not a number from 0 to 9223372036854775807"))?;
    let offset = Offset::new(offset).map_err(
        |_| "offsets start at 0; to delete all records of a partition use --everything P",
    )?;
    Ok((partition_id(partition)?, DeletionTarget::Before(offset)))
}

fn partition_id(text: &str) -> Result<PartitionId, String> {
    text.parse()
        .ok()
        .and_then(|partition| PartitionId::new(partition).ok())
        .ok_or_else(|| format!("partition {text:?} is not a number from 0 to 2147483647"))
}

pub(crate) async fn delete(arguments: Box<Delete>) -> Result<Exit, Failure> {
    let json = arguments.output.is_json();
    let topic = &arguments.topic;
    let targets = arguments.targets().map_err(Failure::usage)?;
    let highest = targets.last().map_or(0, |(partition, _)| partition.get());
    let service = Service::new(&arguments.service.0, json, [(topic, highest)]).await?;
    let mut request = service.client.delete_messages(&service.instance_id, topic);
    for &(partition, target) in &targets {
        request = request.target(partition, target);
    }
    if arguments.dry_run {
        let request = request.to_request().map_err(Failure::call)?;
        stdout::print(&service::request_text(&request, json))?;
        stderr::note("Nothing was sent.", json);
        return Ok(Exit::Done);
    }
    confirm::check_possible(
        arguments.yes,
        arguments.confirm.as_deref(),
        &arguments.service.0.profile,
    )?;
    let mut interrupts = Interrupts::listen()?.with_hangup()?;
    let before = interrupts.or(begin(&arguments, &service, &targets)).await?;
    let reader = stdout::check_reader().await;
    reader.map_err(|failure| failure.with_outcome(Some(Outcome::NotApplied)))?;
    let what = format!("waiting for {} to delete", service.client.service_name());
    let sending = send(request, &mut interrupts, json);
    let (sent, mut was_interrupted) = stderr::show_wait(&what, sending).await?;
    let shown = match sent {
        Ok(deletion) => {
            let after = tokio::select! {
                after = after(&arguments, &service, before.is_some()) => after,
                () = interrupts.next() => {
                    was_interrupted = true;
                    None
                }
            };
            show(&arguments, deletion, before.as_ref(), after.as_ref())
        }
        Err(error) => Err(Failure::call(error)),
    };
    match shown {
        Ok(()) if was_interrupted => Ok(Exit::Interrupted),
        Ok(()) => Ok(Exit::Done),
        Err(failure) if was_interrupted => Err(Failure::AfterInterrupt(Box::new(failure))),
        Err(failure) => Err(failure),
    }
}

/// What happens before the request: lists the partitions, shows the preview and asks for confirmation.
async fn begin(
    arguments: &Delete,
    service: &Service,
    targets: &[(PartitionId, DeletionTarget)],
) -> Result<Option<Partitions>, Failure> {
    let (topic, yes) = (&arguments.topic, arguments.yes);
    service.log_identity().await;
    if yes && arguments.output.is_json() {
        return Ok(None);
    }
    let everything = !arguments.everything.is_empty();
    let before = service.preview(topic, yes, everything).await?;
    let preview = format!(
        "{}\n{}",
        service.identity().await,
        preview(topic, targets, before.as_ref())
    );
    let empties = |&(partition, target): &(_, _)| {
        let held = before.as_ref().and_then(|before| before.get(&partition));
        output::empties(held, target)
    };
    if yes {
        stderr::text(&preview);
    } else if targets.iter().any(empties) {
        confirm::ask(&preview, topic.as_str()).await?;
    } else {
        confirm::ask(&preview, "yes").await?;
    }
    Ok(before)
}

/// A table of the partitions, their total, and warnings about partitions that the service will refuse.
fn preview(
    topic: &TopicName,
    targets: &[(PartitionId, DeletionTarget)],
    before: Option<&Partitions>,
) -> String {
    let mut table = output::table(&output::PREVIEW_COLUMNS);
    let mut styles = Vec::new();
    let mut warnings = String::new();
    let (mut deleted, mut records, mut emptied) = (0, 0, 0);
    for &(partition, target) in targets {
        let held = before.and_then(|before| before.get(&partition));
        table.add_row(output::preview_cells(partition, target, held));
        styles.push(output::preview_style(held, target));
        if let Some(held) = held {
            deleted = i64::saturating_add(deleted, output::records_below(held, target));
            records = i64::saturating_add(records, held.records());
            emptied += u32::from(output::empties(Some(held), target));
        }
        let warning = match (target, held) {
            (_, None) if before.is_some() => format!("topic {topic} has no partition {partition}"),
            (DeletionTarget::Before(offset), Some(held)) if offset > held.end_offset() => format!(
                "partition {partition}: the offset {} is beyond the end {}",
                number(Some(offset.get())),
                number(Some(held.end_offset().get())),
            ),
            _ => continue,
        };
        // Writing to a string does not fail.
        let _ = writeln!(warnings, "warning: {warning}: the service will refuse it");
    }
    let table = output::preview_lines(&table, styles.into_iter());
    let total = match before {
        Some(_) => format!(
            "Total: {} of {} records; partitions: {}; emptied partitions: {emptied}\n",
            number(Some(deleted)),
            number(Some(records)),
            targets.len()
        ),
        None => String::new(),
    };
    format!("Records of topic {topic} that will be deleted permanently:\n{table}{total}{warnings}")
}

/// Sends the request and waits for its end, also after one interrupt. The flag says whether there was one.
async fn send(
    request: DeleteMessages,
    interrupts: &mut Interrupts,
    json: bool,
) -> Result<(Result<Deletion, Error>, bool), Failure> {
    let mut sent = std::pin::pin!(request.send());
    let mut was_interrupted = false;
    loop {
        tokio::select! {
            sent = &mut sent => return Ok((sent, was_interrupted)),
            () = interrupts.next() => {
                if was_interrupted {
                    return Err(Failure::Interrupted);
                }
                was_interrupted = true;
                stderr::note("stopping: waiting for the response; interrupt again to exit without it", json);
            }
        }
    }
}

/// The partitions after the deletion. A failure here must not hide or delay the result of the deletion.
async fn after(arguments: &Delete, service: &Service, has_preview: bool) -> Option<Partitions> {
    if arguments.output.is_json() || !has_preview {
        return None;
    }
    let listed = timeout(AFTER_TIMEOUT, service.partitions(&arguments.topic)).await;
    listed.ok()?.ok()
}

fn show(
    arguments: &Delete,
    deletion: Deletion,
    before: Option<&Partitions>,
    after: Option<&Partitions>,
) -> Result<(), Failure> {
    let report = DeletionReport::new(&deletion, before);
    let shown = match arguments.output {
        Format::Json => stdout::deliver(&output::json_line(&report)),
        Format::Table => stdout::deliver_coloured(&report.table(after)),
    };
    let result = deletion.into_result();
    let outcome = result.as_ref().err().map(Error::outcome);
    shown.map_err(|failure| failure.with_outcome(outcome))?;
    result.map(drop).map_err(Failure::call)
}

/// The documented JSON of a deletion.
#[derive(Serialize)]
struct DeletionReport<'a> {
    request_id: Option<&'a str>,
    partitions: Vec<PartitionReport<'a>>,
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
    records: Option<i64>,
}

impl<'a> DeletionReport<'a> {
    fn new(deletion: &'a Deletion, before: Option<&Partitions>) -> Self {
        let requested = deletion.partitions().iter().map(|row| {
            let held = before.and_then(|before| before.get(&row.partition()));
            PartitionReport {
                target: TargetFields::new(row.partition(), row.target()),
                status: row.status().as_str(),
                result: row.result(),
                error_code: row.error_code(),
                start: held.map(|held| held.start_offset().get()),
                end: held.map(|held| held.end_offset().get()),
                records: held.map(|held| output::records_below(held, row.target())),
            }
        });
        let unexpected = deletion.unexpected().iter().map(|item| PartitionReport {
            target: TargetFields::only_partition(item.partition()),
            status: "unexpected",
            result: item.result(),
            error_code: item.error_code(),
            start: None,
            end: None,
            records: None,
        });
        Self {
            request_id: deletion.request_id(),
            partitions: requested.chain(unexpected).collect(),
        }
    }

    /// The result of each partition, with its start offset before and after.
    fn table(&self, after: Option<&Partitions>) -> String {
        let mut table = output::table(&[
            "partition",
            "delete",
            "status",
            "error code",
            "start before",
            "start after",
            "end",
        ]);
        for row in &self.partitions {
            let partition = row.target.partition;
            let id = partition.and_then(|partition| PartitionId::new(partition).ok());
            let after = after.zip(id).and_then(|(after, id)| after.get(&id));
            table.add_row([
                output::partition(partition),
                row.target.to_string(),
                row.status.to_owned(),
                row.error_code
                    .map_or_else(|| "-".to_owned(), output::printable),
                number(row.start),
                number(after.map(|held| held.start_offset().get())),
                number(after.map(|held| held.end_offset().get())),
            ]);
        }
        output::coloured_lines(&table, self.partitions.iter().map(|row| row.status))
    }
}
