//! `dms-kafka delete`.

use clap::{ArgGroup, Args};
use dms_kafka::{DeleteMessages, Deletion, DeletionTarget, Error, Offset, PartitionId, TopicName};
use serde::Serialize;

use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::{self, Format, TargetFields, number};
use crate::service::{self, Partitions, Service, ServiceSettings};
use crate::settings::Resolved;
use crate::stderr;
use crate::stdout;

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

    /// Print the request and do not send it
    #[arg(long, help_heading = "Safety")]
    pub(crate) dry_run: bool,

    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table, help_heading = "Output")]
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
                "partition {} is given twice: give each partition once",
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
    confirm::check_possible(arguments.yes)?;
    service.log_identity().await;
    let before = before(&arguments, &service).await?;
    confirm(&arguments, &targets, before.as_ref())?;
    let mut interrupts = Interrupts::listen()?;
    let (sent, mut was_interrupted) = send(request, &mut interrupts, json).await?;
    let shown = match sent {
        Ok(deletion) => {
            let after = tokio::select! {
                after = after(&arguments, &service) => after,
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

/// The partitions before the deletion. JSON without confirmation does not need them.
async fn before(arguments: &Delete, service: &Service) -> Result<Option<Partitions>, Failure> {
    if arguments.output.is_json() && arguments.yes {
        return Ok(None);
    }
    let listing = service.partitions(&arguments.topic).await?;
    Ok(listing.partitions())
}

/// Shows the preview and asks for confirmation.
fn confirm(
    arguments: &Delete,
    targets: &[(PartitionId, DeletionTarget)],
    before: Option<&Partitions>,
) -> Result<(), Failure> {
    if arguments.output.is_json() && arguments.yes {
        return Ok(());
    }
    let topic = &arguments.topic;
    let mut table = output::table(&output::PREVIEW_COLUMNS);
    for &(partition, target) in targets {
        let held = before.and_then(|before| before.get(&partition));
        table.add_row(output::preview_cells(partition, target, held));
    }
    let preview = format!(
        "Records of topic {topic} that will be deleted permanently:\n{}",
        output::lines(&table)
    );
    if arguments.yes {
        stderr::text(&preview);
        Ok(())
    } else if arguments.everything.is_empty() {
        confirm::ask(&preview, "yes")
    } else {
        confirm::ask(&preview, topic.as_str())
    }
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

/// The partitions after the deletion. A failure here must not hide the result of the deletion.
async fn after(arguments: &Delete, service: &Service) -> Option<Partitions> {
    match arguments.output {
        Format::Json => None,
        Format::Table => {
            let listing = service.partitions(&arguments.topic).await.ok()?;
            listing.partitions()
        }
    }
}

fn show(
    arguments: &Delete,
    deletion: Deletion,
    before: Option<&Partitions>,
    after: Option<&Partitions>,
) -> Result<(), Failure> {
    let report = DeletionReport::new(&deletion);
    let shown = match arguments.output {
        Format::Json => stdout::print(&output::json_line(&report)),
        Format::Table => stdout::print_coloured(&report.table(before, after)),
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
}

impl<'a> DeletionReport<'a> {
    fn new(deletion: &'a Deletion) -> Self {
        let requested = deletion.partitions().iter().map(|row| PartitionReport {
            target: TargetFields::new(row.partition(), row.target()),
            status: row.status().as_str(),
            result: row.result(),
            error_code: row.error_code(),
        });
        let unexpected = deletion.unexpected().iter().map(|item| PartitionReport {
            target: TargetFields::only_partition(item.partition()),
            status: "unexpected",
            result: item.result(),
            error_code: item.error_code(),
        });
        Self {
            request_id: deletion.request_id(),
            partitions: requested.chain(unexpected).collect(),
        }
    }

    /// The result of each partition, with its start offset before and after.
    fn table(&self, before: Option<&Partitions>, after: Option<&Partitions>) -> String {
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
            let before = before.zip(id).and_then(|(before, id)| before.get(&id));
            let after = after.zip(id).and_then(|(after, id)| after.get(&id));
            table.add_row([
                number(partition.map(i64::from)),
                row.target.to_string(),
                row.status.to_owned(),
                row.error_code
                    .map_or_else(|| "-".to_owned(), output::printable),
                number(before.map(|held| held.start_offset().get())),
                number(after.map(|held| held.start_offset().get())),
                number(after.map(|held| held.end_offset().get())),
            ]);
        }
        output::coloured_lines(&table, self.partitions.iter().map(|row| row.status))
    }
}
