//! `cargo xtask nightly`: what takes too long for every change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Failures, Outcome};
use crate::steps::{self, Step};
use crate::{cargo, reports};

/// What the steps work on.
struct Nightly {
    root: PathBuf,
    fuzz_seconds: u32,
}

const STEPS: &[Step<Nightly>] = &[
    ("conformance reports", |nightly| {
        reports::run(&nightly.root).map(|()| Outcome::Passed)
    }),
    ("fuzz", Nightly::fuzz),
    ("ten kills", |nightly| {
        let test = [
            "test",
            "--release",
            "-p",
            "dms-kafka-cli",
            "--test",
            "command",
        ];
        let long = ["--", "--ignored", "--nocapture", "a_million_rows"];
        nightly.cargo(&[&test[..], &long].concat())
    }),
    ("long run", |nightly| {
        nightly.cargo(&[
            "run",
            "--release",
            "-p",
            "dms-kafka-bench",
            "--",
            "long-run",
        ])
    }),
];

/// Runs every step, each fuzz target for so many seconds.
pub(crate) fn run(root: &Path, fuzz_seconds: u32) -> Result<(), Failures> {
    let nightly = Nightly {
        root: root.to_owned(),
        fuzz_seconds,
    };
    steps::run(&nightly, STEPS)
}

impl Nightly {
    fn cargo(&self, arguments: &[&str]) -> Result<Outcome, Failures> {
        cargo::cargo(&self.root, arguments, &[]).map(|()| Outcome::Passed)
    }

    /// Every target of every crate that has some.
    fn fuzz(&self) -> Result<Outcome, Failures> {
        if !cargo::succeeds(&mut fuzz_command(&self.root, &["--version"])) {
            let missing = "no cargo-fuzz, or no nightly toolchain";
            return Ok(Outcome::Skipped(missing.to_owned()));
        }
        let mut failures = Vec::new();
        for folder in fuzzed(&self.root)? {
            for target in targets(&folder)? {
                let limit = format!("-max_total_time={}", self.fuzz_seconds);
                // The fuzzer writes what it finds into the first folder.
                let corpus = format!("fuzz/corpus/{target}");
                let seeds = format!("fuzz/seeds/{target}");
                fs::create_dir_all(folder.join(&corpus))
                    .map_err(|error| Failure::file(&corpus, error))?;
                let mut run =
                    fuzz_command(&folder, &["run", &target, &corpus, &seeds, "--", &limit]);
                if !run.status().is_ok_and(|status| status.success()) {
                    failures.push(Failure::file(folder.display(), format!("{target} failed")));
                }
            }
        }
        Failures::unless_empty(failures).map(|()| Outcome::Passed)
    }
}

fn fuzz_command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(folder)
        // A toolchain that was chosen for this process would win over `+nightly`.
        .env_remove("RUSTUP_TOOLCHAIN")
        .args(["+nightly", "fuzz"])
        .args(arguments);
    command
}

/// The crates with fuzz targets.
fn fuzzed(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let crates = root.join("crates");
    let entries = fs::read_dir(&crates).map_err(|error| Failure::file(crates.display(), error))?;
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut fuzzed: Vec<PathBuf> = folders
        .filter(|folder| folder.join("fuzz/Cargo.toml").exists())
        .collect();
    fuzzed.sort();
    Ok(fuzzed)
}

fn targets(folder: &Path) -> Result<Vec<String>, Failure> {
    let listed = fuzz_command(folder, &["list"])
        .output()
        .map_err(|error| Failure::file(folder.display(), error))?;
    let text = String::from_utf8_lossy(&listed.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}
