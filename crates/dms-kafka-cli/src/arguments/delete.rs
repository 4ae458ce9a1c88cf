//! What `delete` takes.

use clap::{ArgGroup, Args};

use super::Service;
use crate::output::Format;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["partition", "everything"]))]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) service: Service,

    /// Topic to delete from
    #[arg(long, value_name = "NAME", help_heading = "What")]
    pub(crate) topic: String,

    /// Delete partition P's records below OFFSET; repeatable
    #[arg(long, value_name = "P:OFFSET", allow_hyphen_values = true, value_parser = partition_offset, help_heading = "What")]
    pub(crate) partition: Vec<(i32, i64)>,

    /// Delete all records of partition P; repeatable
    #[arg(long, value_name = "P", allow_hyphen_values = true, value_parser = partition_number, help_heading = "What")]
    pub(crate) everything: Vec<i32>,

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

fn partition_offset(text: &str) -> Result<(i32, i64), String> {
    let Some((partition, offset)) = text.split_once(':') else {
        return Err("write it as P:OFFSET, such as 0:400".to_owned());
    };
    let offset: i64 = offset
        .parse()
        .map_err(|_| format!("offset {offset:?} is not a number from 0 to 9223372036854775807"))?;
    if offset < 0 {
        return Err(
            "an offset counts from 0; to delete all records of a partition use --everything P"
                .to_owned(),
        );
    }
    Ok((partition_number(partition)?, offset))
}

fn partition_number(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(partition) if partition >= 0 => Ok(partition),
        _ => Err(format!(
            "partition {text:?} is not a number from 0 to 2147483647"
        )),
    }
}
