//! What `delete` takes.

use clap::{ArgGroup, Args};
use dms_kafka::{DeletionTarget, Offset, PartitionId, TopicName};

use super::service::ServiceSettings;
use super::settings::Resolved;
use crate::output::Format;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["partition", "everything"]))]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// Topic to delete from
    #[arg(long, value_name = "NAME", help_heading = "What")]
    pub(crate) topic: TopicName,

    /// Delete partition P's records below OFFSET; repeatable
    #[arg(long, value_name = "P:OFFSET", allow_hyphen_values = true, value_parser = before_offset, help_heading = "What")]
    pub(crate) partition: Vec<(PartitionId, DeletionTarget)>,

    /// Delete all records of partition P; repeatable
    #[arg(long, value_name = "P", allow_hyphen_values = true, value_parser = partition_id, help_heading = "What")]
    pub(crate) everything: Vec<PartitionId>,

    /// Do not ask
    #[arg(long, short, help_heading = "Safety")]
    pub(crate) yes: bool,

    /// Show what would be sent and send nothing
    #[arg(long, help_heading = "Safety")]
    pub(crate) dry_run: bool,

    /// How to print the result
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Format::Table, help_heading = "Output")]
    pub(crate) output: Format,
}

impl Delete {
    /// All targets in the order of their partitions, each named once.
    pub(crate) fn targets(&self) -> Result<Vec<(PartitionId, DeletionTarget)>, String> {
        let everything = self.everything.iter();
        let everything = everything.map(|partition| (*partition, DeletionTarget::Everything));
        let mut targets: Vec<_> = self.partition.iter().copied().chain(everything).collect();
        targets.sort_by_key(|(partition, _)| *partition);
        match targets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(format!(
                "partition {} is named twice: name each partition once",
                pair[0].0
            )),
            None => Ok(targets),
        }
    }
}

fn before_offset(text: &str) -> Result<(PartitionId, DeletionTarget), String> {
    let Some((partition, offset)) = text.split_once(':') else {
        return Err("write it as P:OFFSET, such as 0:400".to_owned());
    };
    let offset: i64 = offset
        .parse()
        .map_err(|_| format!("offset {offset:?} is not a number from 0 to 9223372036854775807"))?;
    let offset = Offset::new(offset).map_err(
        |_| "an offset counts from 0; to delete all records of a partition use --everything P",
    )?;
    Ok((partition_id(partition)?, DeletionTarget::Before(offset)))
}

fn partition_id(text: &str) -> Result<PartitionId, String> {
    text.parse()
        .ok()
        .and_then(|partition| PartitionId::new(partition).ok())
        .ok_or_else(|| format!("partition {text:?} is not a number from 0 to 2147483647"))
}
