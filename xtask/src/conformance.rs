//! `cargo xtask conformance`: starts the conformance kit.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::process::kit;
use crate::reports;

/// Judge an implementation: the conformance kit, with its arguments (see `-- --help`).
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// Write every report that is kept under tests/conformance/reports.
    #[arg(long, exclusive = true)]
    reports: bool,

    /// Such as --coverage, --faults, --endpoint URL, --listen ADDRESS.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Conformance {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        if self.reports {
            return reports::run(sh);
        }
        replace_by(kit(sh).args(&self.arguments).into())
    }
}

/// The kit takes the place of this process: signals and how it ends are its own affair.
#[cfg(unix)]
fn replace_by(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn replace_by(command: Command) -> Result<()> {
    crate::process::Running::start(command)?.output().map(drop)
}
