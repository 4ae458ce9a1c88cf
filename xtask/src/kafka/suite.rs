//! Runs the tests of the gateway that need a real cluster, and writes the transcript.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use super::cluster::{self, Cluster};
use super::java::{self, Java};
use crate::failure::read_toml;
use crate::process::{self, cargo};

const TRANSCRIPT: &str = "tests/kafka/TRANSCRIPT.md";

/// The clusters: number of brokers, title in the transcript, and the tests to skip.
const CLUSTERS: [(u16, &str, &str); 2] = [
    (1, "One broker", "three_brokers::"),
    (3, "Three brokers, replication factor 3", "one_broker::"),
];

/// Runs the tests on each cluster.
pub(super) fn run(sh: &Shell, java: &Java, transcript: bool, quick: bool) -> Result<()> {
    let feature = if quick { "kafka" } else { "kafka-tls" };
    let build = format!("build --package dms-kafka-cli --features {feature}");
    process::run_cargo(sh, &build)?;
    let mut text = head(sh, java)?;
    for (brokers, title, skipped) in CLUSTERS {
        let state = java::folder(sh).join(format!("test-{brokers}.json"));
        Cluster::end(&state)?;
        cluster::start(java, &state, brokers, None)?;
        let ran = run_on(sh, &state, feature, skipped);
        Cluster::end(&state)?;
        text.push_str(&section(title, &ran?));
    }
    if transcript {
        sh.write_file(TRANSCRIPT, text)?;
    }
    Ok(())
}

/// Runs the tests on a cluster and returns the lines that they print.
fn run_on(sh: &Shell, state: &Path, feature: &str, skipped: &str) -> Result<Vec<String>> {
    let test = cargo(sh, "test --package dms-kafka-gateway --test kafka")
        .arg(format!("--features={feature},tls"));
    let slow: &[&str] = match feature {
        "kafka" => &[],
        _ => &["--include-ignored"],
    };
    let test = test
        .args(["--", "--test-threads=1", "--show-output", "--skip", skipped])
        .args(slow)
        .env("DMS_KAFKA_TEST_CLUSTER", state)
        .env("DMS_KAFKA_TEST_XTASK", process::this_program()?)
        .env("DMS_KAFKA_TEST_COMMAND", process::dms_kafka(sh));
    let lines = process::run_tests(test)?;
    match lines.iter().find(|line| line.starts_with("skipped:")) {
        Some(line) => bail!("cargo test: {line}"),
        None => Ok(lines),
    }
}

fn head(sh: &Shell, java: &Java) -> Result<String> {
    let lock: toml::Table = read_toml(&sh.current_dir(), "Cargo.lock")?;
    let version = |name: &str| {
        let version = process::locked_version(&lock, name);
        version.with_context(|| format!("Cargo.lock: package {name} not found"))
    };
    Ok(format!(
        "# The gateway in front of a real Apache Kafka\n\n\
         Written by `cargo xtask kafka test --transcript`, which starts the brokers and runs these tests.\n\n\
         * Apache Kafka {}, KRaft mode\n* {}\n* rdkafka {}, rdkafka-sys {} (with the version of librdkafka)\n\
         * dms-kafka-gateway {}\n",
        java.kafka,
        java.version,
        version("rdkafka")?,
        version("rdkafka-sys")?,
        version("dms-kafka-gateway")?,
    ))
}

/// The section of one run in the transcript.
fn section(title: &str, lines: &[String]) -> String {
    let lines = lines.iter().map(String::as_str);
    let ended = |how: &str| lines.clone().filter(|line| line.ends_with(how)).count();
    let (passed, ignored) = (ended("... ok"), ended("... ignored"));
    let is_test = |line: &&str| line.starts_with("test ") && !line.starts_with("test result");
    let tests: Vec<&str> = lines.clone().filter(is_test).collect();
    // The output of the tests is between the results and the list of tests that passed.
    let output = lines.skip_while(|line| *line != "successes:").skip(1);
    let output: Vec<&str> = output.take_while(|line| *line != "successes:").collect();
    format!(
        "\n## {title}\n\n{passed} tests passed, {ignored} skipped.\n\n```text\n{}\n\n{}\n```\n",
        tests.join("\n"),
        output.join("\n").trim()
    )
}
