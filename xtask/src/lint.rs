//! Lints the contract with Spectral and Redocly, both from the npm registry.

use std::process::Command;

use anyhow::{Result, anyhow};
use xshell::{Cmd, Shell};

use crate::contract::CONTRACT;
use crate::failure::{skip, unless_empty};

/// Fixed versions, so that a new rule cannot fail a build, with the options that turn hints and warnings into errors.
const LINTERS: [(&str, &[&str]); 2] = [
    (
        "@stoplight/spectral-cli@6.16.3",
        &[
            "--ruleset",
            "openapi/.spectral.yaml",
            "--fail-severity=hint",
        ],
    ),
    ("@redocly/cli@2.77.0", &["--extends=recommended-strict"]),
];

/// Lints the contract, or skips if this machine cannot run the linters.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    for (package, _) in LINTERS {
        install(sh, package)?;
    }
    let linted = LINTERS.map(|(package, options)| lint(sh, package, options));
    unless_empty(linted.into_iter().filter_map(Result::err).collect())
}

/// Downloads the package. This is separate from linting: a missing registry is a reason to skip, an error of the linter is not.
fn install(sh: &Shell, package: &str) -> Result<()> {
    let Ok(output) = Command::from(npx(sh, package).arg("--version")).output() else {
        return skip("npx is not installed; it comes with Node.js");
    };
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("error"));
    let line = line.unwrap_or_default();
    skip(format_args!("npx cannot run {package}: {line}"))
}

fn lint(sh: &Shell, package: &str, options: &[&str]) -> Result<()> {
    let command = npx(sh, package).args(["lint", CONTRACT]).args(options);
    let output = command.quiet().ignore_status().output()?;
    if output.status.success() {
        eprintln!("{CONTRACT} passes {package}");
        return Ok(());
    }
    let messages = [output.stdout, output.stderr].concat();
    let messages = String::from_utf8_lossy(&messages);
    Err(anyhow!("{CONTRACT}: errors of {package}:\n{messages}"))
}

fn npx<'a>(sh: &'a Shell, package: &str) -> Cmd<'a> {
    let npx = if cfg!(windows) { "npx.cmd" } else { "npx" };
    sh.cmd(npx)
        .args(["--yes", package])
        // The versions are fixed, so a package in the cache is never stale.
        .env("npm_config_prefer_offline", "true")
        // Redocly neither sends telemetry nor announces updates.
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
}
