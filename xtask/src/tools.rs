//! Tools of cargo that checks use, in fixed versions and in one folder for all checkouts.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell};

use crate::failure::skip;
use crate::process::{cargo, succeeds};

/// A subcommand of cargo, which a package installs.
#[derive(Clone, Copy)]
pub(crate) struct Tool {
    subcommand: &'static str,
    version: &'static str,
}

pub(crate) const DENY: Tool = Tool::new("deny", "0.20.2");
pub(crate) const FUZZ: Tool = Tool::new("fuzz", "0.13.2");
pub(crate) const MUTANTS: Tool = Tool::new("mutants", "27.1.0");
pub(crate) const PUBLIC_API: Tool = Tool::new("public-api", "0.52.0");
pub(crate) const SEMVER_CHECKS: Tool = Tool::new("semver-checks", "0.51.0");

const ALL: [Tool; 5] = [DENY, FUZZ, MUTANTS, PUBLIC_API, SEMVER_CHECKS];

/// Installs every tool.
pub(crate) fn install_all(sh: &Shell) -> Result<()> {
    let failed = ALL.iter().filter_map(|tool| tool.install(sh).err());
    let failed: Vec<String> = failed.map(|error| error.to_string()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    skip(failed.join("; "))
}

impl Tool {
    const fn new(subcommand: &'static str, version: &'static str) -> Self {
        Self {
            subcommand,
            version,
        }
    }

    /// The program, to be run with the subcommand as its first argument; skips if it is not installed.
    pub(crate) fn program(self, sh: &Shell) -> Result<PathBuf> {
        let Self {
            subcommand,
            version,
        } = self;
        let name = format!("cargo-{subcommand}{}", env::consts::EXE_SUFFIX);
        let program = folder()?.join("bin").join(name);
        let shown = sh.cmd(&program).args([subcommand, "--version"]);
        let shown = shown.quiet().ignore_stderr().read().unwrap_or_default();
        if shown.split_whitespace().any(|word| word == version) {
            return Ok(program);
        }
        skip(format_args!(
            "cargo-{subcommand} {version} is not installed; `cargo xtask tools` installs it"
        ))
    }

    pub(crate) fn install(self, sh: &Shell) -> Result<()> {
        if self.program(sh).is_ok() {
            return Ok(());
        }
        let package = format!("cargo-{}@{}", self.subcommand, self.version);
        let install = cargo(sh, "install --locked --quiet --root").arg(folder()?);
        if succeeds(install.arg(&package)) {
            return Ok(());
        }
        skip(format_args!("{package} cannot be installed"))
    }

    /// The subcommand, or a skip.
    pub(crate) fn command<'a>(self, sh: &'a Shell, words: &str) -> Result<Cmd<'a>> {
        let command = sh.cmd(self.program(sh)?).arg(self.subcommand);
        Ok(command.args(words.split_whitespace()))
    }
}

/// Not in the checkout, so that a new clone need not build the tools again.
fn folder() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    Ok(home
        .context("there is no home directory")?
        .join("dms-kafka-tools"))
}
