//! The tests of the gateway that need a real cluster.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::cluster::{self, Cluster};
use super::jars::Java;
use super::transcript::{Section, Transcript};
use super::{down, folder};
use crate::cargo;
use crate::failure::{Failure, Failures, Result};

/// Clusters to run them on: how many brokers, what that is called, and the tests that are for another one.
const CLUSTERS: [(u16, &str, &str); 2] = [
    (1, "One broker", "three_brokers::"),
    (3, "Three brokers, replication factor 3", "one_broker::"),
];

/// Runs them all, and writes down what they say when that is asked for.
pub(super) fn run(root: &Path, java: &Java, transcript: bool) -> std::result::Result<(), Failures> {
    let program = ["build", "--package", "dms-kafka-cli", "--features", "kafka"];
    cargo::cargo(root, &program, &[])?;
    let sections = CLUSTERS.map(|(brokers, title, skip)| {
        let state = folder(root).join(format!("test-{brokers}.json"));
        let ran = run_on(root, java, (&state, brokers), skip);
        down(&state)?;
        Ok(Section { title, lines: ran? })
    });
    let sections: Vec<Section> = sections.into_iter().collect::<Result<_>>()?;
    if transcript {
        Transcript { java, sections }.write(root)?;
    }
    Ok(())
}

/// Runs the tests on a cluster of their own, and gives what they print.
fn run_on(
    root: &Path,
    java: &Java,
    (state, brokers): (&Path, u16),
    skip: &str,
) -> Result<Vec<String>> {
    if let Some(cluster) = Cluster::read(state)? {
        cluster.stop(state)?;
    }
    cluster::start(java, state, brokers)?;
    let failure = |error: std::io::Error| Failure::file("cargo test", error);
    let mut test = Command::new(cargo::program());
    test.current_dir(root);
    test.args([
        "test",
        "--package",
        "dms-kafka-gateway",
        "--features",
        "kafka,tls",
    ]);
    test.args([
        "--test",
        "kafka",
        "--",
        "--test-threads=1",
        "--show-output",
        "--skip",
        skip,
    ]);
    test.env("DMS_KAFKA_TEST_CLUSTER", state);
    test.env(
        "DMS_KAFKA_TEST_XTASK",
        cargo::this_program().map_err(failure)?,
    );
    let program = format!("dms-kafka{}", env::consts::EXE_SUFFIX);
    test.env(
        "DMS_KAFKA_TEST_COMMAND",
        cargo::target(root).join("debug").join(program),
    );
    let mut running = test.stdout(Stdio::piped()).spawn().map_err(failure)?;
    let mut lines = Vec::new();
    for line in running
        .stdout
        .take()
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).lines())
    {
        let line = line.map_err(failure)?;
        eprintln!("{line}");
        lines.push(line);
    }
    let status = running.wait().map_err(failure)?;
    if !status.success() {
        return Err(Failure::file("cargo test", status));
    }
    match lines.iter().find(|line| line.starts_with("skipped:")) {
        Some(line) => Err(Failure::file("cargo test", line)),
        None => Ok(lines),
    }
}
