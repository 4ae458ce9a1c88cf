//! Starts cargo.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{Failure, Failures};

/// Runs cargo in the checkout and waits for its end, which must be a good one.
pub(crate) fn cargo(
    root: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<(), Failures> {
    check(arguments, status(root, arguments, environment)?)
}

/// The same, for whoever wants to know how it ended.
pub(crate) fn status(
    root: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<ExitStatus, Failures> {
    let mut command = Command::new(program());
    command
        .current_dir(root)
        .args(arguments)
        .envs(environment.iter().copied());
    let status = command.status();
    status.map_err(|error| Failure::file("cargo", error).into())
}

/// A bad end is a failure that names the command.
pub(crate) fn check(arguments: &[&str], status: ExitStatus) -> Result<(), Failures> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::file(format_args!("cargo {}", arguments.join(" ")), status).into())
}

/// The cargo that runs this command, so that every step uses one toolchain.
pub(crate) fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Whether a command that only probes ends well.
pub(crate) fn succeeds(probe: &mut Command) -> bool {
    let quiet = probe.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// This program, also when it has been built anew since it was started, as other steps of one run may do.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    // What Linux puts behind the path of a file that is gone, or has been replaced.
    const GONE: &str = " (deleted)";
    let program = env::current_exe()?;
    let path = program.to_str().and_then(|path| path.strip_suffix(GONE));
    Ok(path.map_or_else(|| program.clone(), PathBuf::from))
}
