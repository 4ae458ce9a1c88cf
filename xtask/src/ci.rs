//! `cargo xtask ci`: runs every check that a change must pass.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::archive::Archive;
use crate::failure::skip;
use crate::interop::Interop;
use crate::process::{cargo, kit, run_cargo, run_tests, succeeds};
use crate::steps::{self, Step};
use crate::tools::DENY;
use crate::{bench, generate, kafka, lint, package, public_api, python, snippets, spec, tidy};

/// Run every check that a change must pass.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Text of the vendor's page, to compare with the recorded facts.
    #[arg(long, value_name = "FILE", env = "DMS_KAFKA_PAGE")]
    page: Option<PathBuf>,
    /// Names of the steps to run, as the summary prints them; all if none is given.
    #[arg(value_name = "STEP")]
    steps: Vec<String>,
}

/// Fast steps come first.
const STEPS: &[Step<Ci>] = &[
    ("format", |sh, _| run_cargo(sh, "fmt --all --check")),
    ("tidy", |sh, _| tidy::check(sh)),
    ("generate --check", |sh, _| generate::check(sh)),
    ("spec", |sh, _| spec::contract(sh)),
    ("spec --page", |sh, ci| spec::page(sh, ci.page.as_deref())),
    ("spec --lint", |sh, _| lint::run(sh)),
    // The facade's benches need `__internals`.
    ("clippy", |sh, _| {
        clippy(
            sh,
            "--workspace --features=dms-kafka/__internals --all-targets",
        )
    }),
    ("clippy, Kafka", |sh, _| {
        clippy(
            sh,
            "-p dms-kafka-gateway --features=kafka,tls --all-targets",
        )
    }),
    ("clippy, bench", |sh, _| {
        clippy(sh, "-p dms-kafka-bench --features=kafka")
    }),
    ("docs", docs),
    ("auth alone", |sh, _| {
        run_cargo(sh, "check -p huaweicloud-auth --no-default-features")
    }),
    ("client without TLS", |sh, _| {
        run_cargo(sh, "check -p dms-kafka --no-default-features")
    }),
    ("tests", |sh, _| test(sh, "test --workspace --no-fail-fast")),
    ("tests, features", |sh, _| {
        test(sh, "test -p huaweicloud-auth -p dms-kafka --all-features")
    }),
    // Without kafka-tls, which nightly has: it compiles OpenSSL.
    ("tests, gateway", |sh, _| {
        test(sh, "test -p dms-kafka-gateway --features=kafka,tls")
    }),
    ("interop python", |sh, _| Interop::Python.run(sh)),
    ("interop page", |sh, _| Interop::Page.run(sh)),
    ("interop schemathesis", |sh, _| {
        Interop::Schemathesis.run(sh)
    }),
    ("snippets", |sh, _| snippets::run(sh)),
    ("kafka", |sh, _| kafka::test(sh, false, true)),
    ("oracle", oracle),
    ("conformance", |sh, _| Ok(kit(sh).run()?)),
    ("coverage", |sh, _| Ok(kit(sh).arg("--coverage").run()?)),
    ("injected faults", |sh, _| {
        Ok(kit(sh).arg("--faults").run()?)
    }),
    ("instructions", |sh, _| bench::run(sh, &["instructions"])),
    ("added crates", |sh, _| {
        bench::run(sh, &["build-cost", "--count"])
    }),
    ("public api", |sh, _| public_api::check(sh)),
    ("versions", |sh, _| public_api::versions(sh)),
    ("examples", examples),
    ("packages", |sh, _| package::run(sh)),
    ("archive", |sh, _| Archive::debug().run(sh)),
    ("deny", |sh, _| {
        Ok(DENY.command(sh, "check bans licenses sources")?.run()?)
    }),
    ("advisories", advisories),
];

impl Ci {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        steps::run(sh, self, STEPS, &self.steps)
    }
}

fn clippy(sh: &Shell, packages: &str) -> Result<()> {
    run_cargo(sh, &format!("clippy {packages} -- -Dwarnings"))
}

fn test(sh: &Shell, words: &str) -> Result<()> {
    run_tests(cargo(sh, words)).map(drop)
}

fn docs(sh: &Shell, _: &Ci) -> Result<()> {
    let doc = cargo(sh, "doc --workspace --no-deps");
    Ok(doc.env("RUSTDOCFLAGS", "-Dwarnings").run()?)
}

/// Runs every example.
fn examples(sh: &Shell, _: &Ci) -> Result<()> {
    for package in ["dms-kafka", "huaweicloud-auth"] {
        for file in sh.read_dir(format!("crates/{package}/examples"))? {
            let name = file.file_stem().unwrap_or_default();
            let run = cargo(sh, "run --quiet --package").arg(package);
            run.arg("--example").arg(name).run()?;
        }
    }
    Ok(())
}

/// Compares signatures with those of the official Python SDK.
fn oracle(sh: &Shell, _: &Ci) -> Result<()> {
    let python = python::with_sdk(sh)?;
    let test = cargo(
        sh,
        "test -p huaweicloud-auth --test oracle -- --ignored --nocapture",
    );
    run_tests(test.env("ORACLE_PYTHON", python)).map(drop)
}

fn advisories(sh: &Shell, _: &Ci) -> Result<()> {
    if !succeeds(DENY.command(sh, "fetch db")?) {
        return skip("the database of cargo-deny cannot be downloaded");
    }
    Ok(DENY.command(sh, "check advisories")?.run()?)
}
