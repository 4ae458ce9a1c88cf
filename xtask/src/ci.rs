//! `cargo xtask ci`: everything a change must pass, in one command.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failures, Outcome};
use crate::interop::{self, Client};
use crate::steps::{self, Step};
use crate::{bench, cargo, conformance, generate, kafka, lint, public_api, python, seeded, spec};

/// What the steps work on.
struct Ci {
    root: PathBuf,
    page: Option<PathBuf>,
}

/// The cheap ones first.
const STEPS: &[Step<Ci>] = &[
    ("format", |ci| ci.cargo(&["fmt", "--all", "--check"], &[])),
    ("generate --check", |ci| {
        generate::check(&ci.root).map(|()| Outcome::Passed)
    }),
    ("spec", |ci| {
        spec::contract(&ci.root).map(|()| Outcome::Passed)
    }),
    ("spec --page", |ci| spec::page(&ci.root, ci.page.as_deref())),
    ("spec --lint", |ci| lint::run(&ci.root)),
    // With what the facade's bench needs.
    ("clippy", |ci| {
        ci.cargo(
            &[
                "clippy",
                "--workspace",
                "--features=dms-kafka/__internals",
                "--all-targets",
                "--",
                "-Dwarnings",
            ],
            &[],
        )
    }),
    ("clippy, Kafka", |ci| {
        ci.cargo(
            &[
                "clippy",
                "-p",
                "dms-kafka-gateway",
                "--features=kafka,tls",
                "--all-targets",
                "--",
                "-Dwarnings",
            ],
            &[],
        )
    }),
    ("clippy, bench", |ci| {
        ci.cargo(
            &[
                "clippy",
                "-p",
                "dms-kafka-bench",
                "--features=kafka",
                "--",
                "-Dwarnings",
            ],
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
                "dms-kafka",
                "--all-features",
            ],
            &[],
        )
    }),
    // All but kafka-tls, which adds nothing but the time to build OpenSSL.
    ("tests, gateway", |ci| {
        ci.cargo(
            &["test", "-p", "dms-kafka-gateway", "--features=kafka,tls"],
            &[],
        )
    }),
    ("interop python", |ci| {
        interop::run(&ci.root, Client::Python)
    }),
    ("interop schemathesis", |ci| {
        interop::run(&ci.root, Client::Schemathesis)
    }),
    ("kafka", |ci| kafka::test(&ci.root, false)),
    ("oracle", Ci::oracle),
    ("conformance", |ci| ci.conformance(&[])),
    ("coverage", |ci| ci.conformance(&["--coverage"])),
    ("seeded faults", |ci| {
        seeded::run(&ci.root).map(|()| Outcome::Passed)
    }),
    ("instructions", Ci::instructions),
    ("added crates", |ci| {
        let arguments = ["build-cost", "--count"].map(str::to_owned);
        bench::run(&ci.root, &arguments)
    }),
    ("public api", |ci| public_api::check(&ci.root)),
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

/// Runs every step.
pub(crate) fn run(root: &Path, page: Option<&Path>) -> Result<(), Failures> {
    let ci = Ci {
        root: root.to_owned(),
        page: page.map(Path::to_owned),
    };
    steps::run(&ci, STEPS)
}

impl Ci {
    fn cargo(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Outcome, Failures> {
        cargo::cargo(&self.root, arguments, environment).map(|()| Outcome::Passed)
    }

    /// Signatures against those of the official Python SDK.
    fn oracle(&self) -> Result<Outcome, Failures> {
        let python = match python::with_sdk(&self.root) {
            Ok(python) => python,
            Err(reason) => return Ok(Outcome::Skipped(reason)),
        };
        let python = python.to_string_lossy();
        let test = ["test", "-p", "huaweicloud-auth", "--test", "oracle"];
        let all = ["--", "--ignored", "--nocapture"];
        self.cargo(&[&test[..], &all].concat(), &[("ORACLE_PYTHON", &*python)])
    }

    /// Instructions of fixed workloads against the committed baseline.
    fn instructions(&self) -> Result<Outcome, Failures> {
        let arguments = ["instructions".to_owned()];
        bench::run(&self.root, &arguments)
    }

    fn conformance(&self, arguments: &[&str]) -> Result<Outcome, Failures> {
        conformance::judge(&self.root, arguments).map(|()| Outcome::Passed)
    }

    /// Some of cargo-deny's checks, where its `probe` command succeeds.
    fn deny(&self, probe: &[&str], skipped: &str, checks: &[&str]) -> Result<Outcome, Failures> {
        let mut able = Command::new(cargo::program());
        able.current_dir(&self.root).arg("deny").args(probe);
        if cargo::succeeds(&mut able) {
            return self.cargo(&[&["deny", "check"], checks].concat(), &[]);
        }
        Ok(Outcome::Skipped(skipped.to_owned()))
    }
}
