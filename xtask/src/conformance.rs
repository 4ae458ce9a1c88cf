//! `cargo xtask conformance`: runs the conformance kit.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::process::kit;
use crate::reports;

/// Run the conformance kit on an implementation, with the arguments of the kit (see `-- --help`).
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// Write the reports under tests/conformance/reports; with arguments only those of these names.
    #[arg(long)]
    reports: bool,

    /// Arguments of the kit, such as --coverage, --faults, --endpoint URL, --listen ADDRESS.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Conformance {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        if self.reports {
            return reports::run(sh, &self.arguments);
        }
        replace_by(kit(sh).args(&self.arguments).into())
    }
}

/// Replaces this process by the kit, which handles signals and sets the exit code.
#[cfg(unix)]
fn replace_by(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn replace_by(command: Command) -> Result<()> {
    let status = command.status()?;
    anyhow::ensure!(status.success(), "the conformance kit: {status}");
    Ok(())
}
