//! `cargo xtask ci`: everything that must hold, one step after the other.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Failures};

/// One step: a command, and the tool without which it is skipped.
struct Step {
    name: &'static str,
    command: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    needs: Option<Tool>,
}

/// A tool that a machine may lack.
struct Tool {
    probe: &'static [&'static str],
    install: &'static str,
}

const fn step(name: &'static str, command: &'static [&'static str]) -> Step {
    Step {
        name,
        command,
        environment: &[],
        needs: None,
    }
}

const STEPS: &[Step] = &[
    step("format", &["cargo", "fmt", "--all", "--check"]),
    step(
        "lints",
        &[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    Step {
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        ..step(
            "documentation",
            &["cargo", "doc", "--workspace", "--no-deps"],
        )
    },
    step(
        "generated client",
        &["cargo", "xtask", "generate", "--check"],
    ),
    step("contract", &["cargo", "xtask", "spec", "--lint"]),
    step(
        "auth without features",
        &[
            "cargo",
            "check",
            "-p",
            "huaweicloud-auth",
            "--no-default-features",
        ],
    ),
    step(
        "facade without TLS",
        &["cargo", "check", "-p", "dms-kafka", "--no-default-features"],
    ),
    step("tests", &["cargo", "test", "--workspace"]),
    step(
        "conformance",
        &["cargo", "run", "-p", "dms-kafka-conformance"],
    ),
    Step {
        needs: Some(Tool {
            probe: &["cargo", "deny", "--version"],
            install: "cargo install cargo-deny",
        }),
        ..step(
            "licences and advisories",
            &["cargo", "deny", "check", "licenses", "bans", "sources"],
        )
    },
];

/// How a step ended.
enum Ended {
    Passed,
    Failed,
    Skipped(&'static str),
}

/// Runs every step, failed ones too, and lists how each ended.
pub(crate) fn run(root: &Path) -> Result<(), Failures> {
    let mut summary = Vec::new();
    for step in STEPS {
        eprintln!("== {}: {}", step.name, step.command.join(" "));
        let begun = Instant::now();
        let ended = step.run(root);
        summary.push((step.name, ended, begun.elapsed()));
    }
    eprintln!("\n== summary");
    for (name, ended, time) in &summary {
        eprintln!("{}", line(name, ended, *time));
    }
    let failed = summary
        .iter()
        .filter(|(_, ended, _)| matches!(ended, Ended::Failed));
    Failures::unless_empty(
        failed
            .map(|(name, ..)| Failure::file("cargo xtask ci", format_args!("{name} failed")))
            .collect(),
    )
}

impl Step {
    fn run(&self, root: &Path) -> Ended {
        if let Some(tool) = &self.needs {
            let probe = command(root, tool.probe)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if !probe.is_ok_and(|status| status.success()) {
                return Ended::Skipped(tool.install);
            }
        }
        let status = command(root, self.command)
            .envs(self.environment.iter().copied())
            .status();
        if status.is_ok_and(|status| status.success()) {
            Ended::Passed
        } else {
            Ended::Failed
        }
    }
}

fn command(root: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root);
    command
}

fn line(name: &str, ended: &Ended, time: Duration) -> String {
    let seconds = time.as_secs();
    match ended {
        Ended::Passed => format!("passed   {name} ({seconds} s)"),
        Ended::Failed => format!("FAILED   {name} ({seconds} s)"),
        Ended::Skipped(install) => format!("skipped  {name}: not installed; {install}"),
    }
}
