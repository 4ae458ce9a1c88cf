//! `cargo xtask conformance`: starts the conformance kit.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::failure::{Failure, Failures};
use crate::{reports, seeded};

/// The package and its program.
pub(crate) const KIT: &str = "dms-kafka-conformance";

/// Does what was asked for on the command line. The kit itself takes the place of this process: signals and how it
/// ends are its own affair.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failures> {
    match arguments {
        [only] if only == "--reports" => reports::run(root),
        [only] if only == "--faults" => seeded::run(root),
        _ => Ok(replace_by(kit(root).args(arguments))?),
    }
}

/// Runs the kit and comes back.
pub(crate) fn judge(root: &Path, arguments: &[&str]) -> Result<(), Failures> {
    Ok(succeed(kit(root).args(arguments))?)
}

/// The kit, whose arguments are to follow.
pub(crate) fn kit(root: &Path) -> Command {
    let mut command = Command::new(cargo::program());
    command
        .current_dir(root)
        .args(["run", "--quiet", "--package", KIT, "--"]);
    command
}

#[cfg(unix)]
fn replace_by(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;
    Err(Failure::file("cargo", command.exec()))
}

#[cfg(not(unix))]
fn replace_by(command: &mut Command) -> Result<(), Failure> {
    succeed(command)
}

/// Runs a command whose failure is one.
pub(crate) fn succeed(command: &mut Command) -> Result<(), Failure> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    let line = line.join(" ");
    let status = command
        .status()
        .map_err(|error| Failure::file(&line, error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::file(line, status))
    }
}
