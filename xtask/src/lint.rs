//! The contract under the two linters that most API teams run, both from the npm registry.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::contract::CONTRACT;
use crate::failure::{Failure, Failures, Outcome};

/// A linter at a fixed version, so that a new rule of theirs cannot fail a build of ours.
struct Linter {
    package: &'static str,
    arguments: &'static [&'static str],
}

/// Every message counts, hints and warnings too.
const LINTERS: [Linter; 2] = [
    Linter {
        package: "@stoplight/spectral-cli@6.16.3",
        arguments: &[
            "lint",
            CONTRACT,
            "--ruleset",
            "openapi/.spectral.yaml",
            "--fail-severity=hint",
        ],
    },
    Linter {
        package: "@redocly/cli@2.77.0",
        arguments: &["lint", CONTRACT, "--extends=recommended-strict"],
    },
];

/// Lints the contract, unless this machine cannot run the linters.
pub(crate) fn run(root: &Path) -> Result<Outcome, Failures> {
    for linter in &LINTERS {
        if let Err(reason) = linter.install(root) {
            return Ok(Outcome::Skipped(reason));
        }
    }
    let failures: Vec<Failure> = LINTERS
        .iter()
        .filter_map(|linter| linter.lint(root).err())
        .collect();
    Failures::unless_empty(failures)?;
    Ok(Outcome::Passed)
}

impl Linter {
    /// Makes npx fetch the package, apart from running it: no registry is a reason to skip, a
    /// complaint is not.
    fn install(&self, root: &Path) -> Result<(), String> {
        let output = self
            .command(root, &["--version"])
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let line = text
                    .lines()
                    .find(|line| line.contains("error"))
                    .unwrap_or_default();
                Err(format!("npx cannot run {}: {line}", self.package))
            }
            Err(_) => Err("npx is not installed; it comes with Node.js".to_owned()),
        }
    }

    fn lint(&self, root: &Path) -> Result<(), Failure> {
        let output = self.command(root, self.arguments).output();
        let output = output.map_err(|error| Failure::file("npx", error))?;
        if output.status.success() {
            eprintln!("{CONTRACT} passes {}", self.package);
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        Err(Failure::file(
            CONTRACT,
            format_args!("{} complains\n{said}", self.package),
        ))
    }

    fn command(&self, root: &Path, arguments: &[&str]) -> Command {
        let npx = if cfg!(windows) { "npx.cmd" } else { "npx" };
        let mut command = Command::new(npx);
        command
            .current_dir(root)
            .args(["--yes", self.package])
            .args(arguments);
        // What npx fetched before is good enough: the versions are fixed.
        command.env("npm_config_prefer_offline", "true");
        // Redocly reports to nobody and says nothing about its updates.
        command
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        command
    }
}
