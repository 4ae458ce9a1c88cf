//! `cargo xtask ci`: everything a change must pass, in one command.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Failures, Outcome};
use crate::{conformance, generate, lint, spec};

/// What the steps work on.
struct Ci<'a> {
    root: &'a Path,
    page: Option<&'a Path>,
}

type Step = fn(&Ci<'_>) -> Result<Outcome, Failures>;

/// The cheap ones first.
const STEPS: [(&str, Step); 16] = [
    ("format", |ci| ci.cargo(&["fmt", "--all", "--check"], &[])),
    ("generate --check", |ci| {
        generate::check(ci.root).map(|()| Outcome::Passed)
    }),
    ("spec", |ci| {
        spec::contract(ci.root).map(|()| Outcome::Passed)
    }),
    ("spec --page", |ci| spec::page(ci.root, ci.page)),
    ("spec --lint", |ci| lint::run(ci.root)),
    ("clippy", |ci| {
        ci.cargo(
            &["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"],
            &[],
        )
    }),
    ("docs", |ci| {
        ci.cargo(
            &["doc", "--workspace", "--no-deps"],
            &[("RUSTDOCFLAGS", "-Dwarnings")],
        )
    }),
    ("auth alone", |ci| {
        ci.cargo(
            &["check", "-p", "huaweicloud-auth", "--no-default-features"],
            &[],
        )
    }),
    ("client without TLS", |ci| {
        ci.cargo(&["check", "-p", "dms-kafka", "--no-default-features"], &[])
    }),
    ("tests", |ci| {
        ci.cargo(&["test", "--workspace", "--no-fail-fast"], &[])
    }),
    ("tests, features", |ci| {
        ci.cargo(
            &[
                "test",
                "-p",
                "huaweicloud-auth",
                "-p",
                "dms-kafka-gateway",
                "-p",
                "dms-kafka",
                "--all-features",
            ],
            &[],
        )
    }),
    ("conformance", |ci| ci.conformance(&[])),
    ("coverage", |ci| ci.conformance(&["--coverage"])),
    ("seeded faults", |ci| ci.conformance(&["--faults"])),
    ("deny", |ci| {
        ci.deny(
            &["--version"],
            "cargo-deny is not installed",
            &["bans", "licenses", "sources"],
        )
    }),
    ("advisories", |ci| {
        ci.deny(
            &["fetch", "db"],
            "no cargo-deny, or no way to fetch its database",
            &["advisories"],
        )
    }),
];

/// How a step ended, and how long it took.
struct Ended {
    step: &'static str,
    time: Duration,
    result: Result<Outcome, Failures>,
}

/// Runs every step, the later ones also after a failure, and tells at the end how each ended.
pub(crate) fn run(root: &Path, page: Option<&Path>) -> Result<(), Failures> {
    let ci = Ci { root, page };
    let ended: Vec<Ended> = STEPS
        .iter()
        .map(|(name, step)| ci.run(name, *step))
        .collect();
    eprintln!("\n=== summary");
    for Ended { step, time, result } in &ended {
        let verdict = match result {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        eprintln!("{step:<18} {:>7.1} s  {verdict}", time.as_secs_f64());
    }
    let failed = ended.iter().filter(|ended| ended.result.is_err());
    let failures = failed.map(|ended| Failure::file(ended.step, "failed, see above"));
    Failures::unless_empty(failures.collect())
}

impl Ci<'_> {
    fn run(&self, name: &'static str, step: Step) -> Ended {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let result = step(self);
        if let Err(failures) = &result {
            eprint!("{failures}");
        }
        Ended {
            step: name,
            time: start.elapsed(),
            result,
        }
    }

    fn cargo(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Outcome, Failures> {
        let mut command = Command::new(cargo());
        command
            .current_dir(self.root)
            .args(arguments)
            .envs(environment.iter().copied());
        let status = command
            .status()
            .map_err(|error| Failure::file("cargo", error))?;
        if status.success() {
            return Ok(Outcome::Passed);
        }
        Err(Failure::file(format_args!("cargo {}", arguments.join(" ")), status).into())
    }

    fn conformance(&self, arguments: &[&str]) -> Result<Outcome, Failures> {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        conformance::run(self.root, &arguments).map(|()| Outcome::Passed)
    }

    /// Some of cargo-deny's checks, where its `probe` command succeeds.
    fn deny(&self, probe: &[&str], skipped: &str, checks: &[&str]) -> Result<Outcome, Failures> {
        let mut able = Command::new(cargo());
        able.current_dir(self.root).arg("deny").args(probe);
        able.stdout(Stdio::null()).stderr(Stdio::null());
        if able.status().is_ok_and(|status| status.success()) {
            return self.cargo(&[&["deny", "check"], checks].concat(), &[]);
        }
        Ok(Outcome::Skipped(skipped.to_owned()))
    }
}

/// The cargo that runs this command, so that every step uses one toolchain.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
