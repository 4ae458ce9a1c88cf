//! What `regions`, `completions` and `man` take.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct Regions {
    /// How to print the regions
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell that is to complete words
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Command whose page is to be printed; the page of dms-kafka itself when absent
    #[arg(
        value_name = "COMMAND",
        conflicts_with = "dir",
        value_parser = ["delete", "purge", "serve", "sign", "regions", "completions", "man"]
    )]
    pub(crate) page: Option<String>,

    /// Write every page to this folder, each to a file of its own
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}
